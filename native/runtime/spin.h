// Waiting awake: a sleeping thread takes 5 to 40 µs to come back, longer than most pauses between two jobs of one caller.
#pragma once
#include <chrono>
#include <thread>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace athanor {

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether ready() came true within 100 µs. After the first few the core is offered to whoever else wants it: the thread that
// the wait is for, where there are more threads than cores.
template <class Ready>
bool spin_until(Ready ready) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kSpin = std::chrono::microseconds(100), kAlone = std::chrono::microseconds(5);
  constexpr int kLooks = 32;  // between two looks at the clock, which take as long as one pause
  const auto begun = Clock::now();
  for (auto waited = Clock::duration::zero(); waited < kSpin; waited = Clock::now() - begun) {
    for (int i = 0; i < kLooks; ++i) {
      if (ready()) return true;
      relax();
    }
    if (waited > kAlone) std::this_thread::yield();
  }
  return false;
}

}  // namespace athanor
