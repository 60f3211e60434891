// What benches of one thread share: its processor time, the best time of bodies that take turns, and memory full of numbers.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <vector>

#include "base/index.h"

namespace athanor::bench {

inline double processor() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Random {
  std::uint64_t state = 1;
  double next() {  // in [0, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 33) * 0x1p-31;
  }
  float centred() { return static_cast<float>(next() - 0.5); }
};

class Floats {
 public:
  explicit Floats(Index count)
      : data_(static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>((count * 4 + 127) / 64 * 64)))) {
    Random random;
    for (Index i = 0; i < count; ++i) data_[i] = random.centred();
  }
  ~Floats() { std::free(data_); }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  operator float*() const { return data_; }

 private:
  float* data_;
};

// The best time of each body, in turns, `seconds_each` long on average.
inline std::vector<double> best_of(double seconds_each, const std::vector<std::function<void()>>& bodies) {
  std::vector<double> best(bodies.size(), 1e9);
  for (const double until = processor() + seconds_each * static_cast<double>(bodies.size()); processor() < until;)
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      const double begun = processor();
      bodies[i]();
      best[i] = std::min(best[i], processor() - begun);
    }
  return best;
}

}  // namespace athanor::bench
