#include "runtime/thread_pool.h"

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "runtime/denormals.h"
#include "runtime/spin.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace athanor {
namespace {

constexpr int kMaxThreads = 256;

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

ThreadPool::ThreadPool(int workers) : places_(static_cast<std::size_t>(workers)) {
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
  job_ = {&body, tasks, epoch_.load() + 1};
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
  for (int i = 0; i < workers(); ++i) {
    while (take_one((worker + i) % workers(), worker)) {
    }
  }
}

bool ThreadPool::take_one(int owner, int worker) {
  const auto share = share_of(owner, job_.tasks, workers());
  std::atomic<std::uint64_t>& at = places_[static_cast<std::size_t>(owner)].at;
  std::uint64_t seen = at.load(std::memory_order_relaxed);
  for (;;) {
    const int task = seen >> 32 == job_.epoch ? static_cast<int>(seen & 0xffffffff) : share.begin;
    if (task >= share.end) return false;
    const std::uint64_t next = std::uint64_t{job_.epoch} << 32 | static_cast<std::uint32_t>(task + 1);
    if (!at.compare_exchange_weak(seen, next, std::memory_order_relaxed)) continue;
    (*job_.body)(task, worker);
    return true;
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
    std::uint32_t now = seen;
    spin_until([&] { return (now = epoch_.load()) != seen; });
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
