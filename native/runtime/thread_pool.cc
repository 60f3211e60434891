#include "runtime/thread_pool.h"

#include <chrono>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "runtime/denormals.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace athanor {
namespace {

constexpr int kMaxThreads = 256;
constexpr auto kSpin = std::chrono::microseconds(100);

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int available_cores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

int default_threads() {
  if (const char* text = std::getenv("ATHANOR_THREADS")) {
    const int wanted = std::atoi(text);
    if (wanted >= 1 && wanted <= kMaxThreads) return wanted;
  }
  return std::max(1, std::min(available_cores(), kMaxThreads));
}

struct Shared {
  std::mutex mutex;
  int threads = default_threads();
  std::shared_ptr<ThreadPool> pool;
};

// Never destroyed: threads of other environments may still run when the process's statics go.
Shared& shared() {
  static Shared* state = new Shared;
  return *state;
}

}  // namespace

ThreadPool::ThreadPool(int workers) {
  for (int worker = 1; worker < workers; ++worker) threads_.emplace_back([this, worker] { help(worker); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(int tasks, FunctionRef<void(int task, int worker)> body) {
  std::unique_lock<std::mutex> lock(callers_, std::defer_lock);
  if (tasks <= 1 || threads_.empty() || !lock.try_lock()) {
    for (int task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  job_ = {&body, tasks};
  next_.store(0, std::memory_order_relaxed);
  open_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  take(0);
  open_.store(false);  // a helper that looks from here on does not enter
  for (int spins = 0; inside_.load() != 0; ++spins) {
    if (spins < 4096) {
      relax();
    } else {
      std::this_thread::yield();  // a helper lost its core in mid-task
    }
  }
}

void ThreadPool::take(int worker) {
  for (;;) {
    const int task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= job_.tasks) return;
    (*job_.body)(task, worker);
  }
}

void ThreadPool::help(int worker) {
  const FlushDenormals flush;
  std::uint32_t seen = 0;
  while (!stop_.load()) {
    // Entering is announced before open_ is read: run() closes first and then waits for inside_ to fall to zero.
    inside_.fetch_add(1);
    if (open_.load()) take(worker);
    inside_.fetch_sub(1);
    const auto until = std::chrono::steady_clock::now() + kSpin;
    std::uint32_t now = epoch_.load();
    while (now == seen && std::chrono::steady_clock::now() < until) {
      for (int i = 0; i < 32 && now == seen; ++i) {
        relax();
        now = epoch_.load(std::memory_order_relaxed);
      }
    }
    if (now == seen) {
      epoch_.wait(seen);
      now = epoch_.load();
    }
    seen = now;
  }
}

std::shared_ptr<ThreadPool> pool() {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  if (!state.pool) state.pool = std::make_shared<ThreadPool>(state.threads);
  return state.pool;
}

int threads() {
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  return state.threads;
}

void set_threads(int workers) {
  check(workers >= 1 && workers <= kMaxThreads, Code::argument, [&] {
    return "setThreads: expected 1 to " + std::to_string(kMaxThreads) + " threads, got " + std::to_string(workers);
  });
  std::shared_ptr<ThreadPool> old;
  Shared& state = shared();
  const std::lock_guard lock(state.mutex);
  if (state.threads == workers) return;
  state.threads = workers;
  old = std::move(state.pool);
}

}  // namespace athanor
