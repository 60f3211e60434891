// The one pool of the process. A caller works too, as worker 0. Each worker begins with its share of the tasks, a run of neighbours,
// and then helps with the others': what it wrote as task 7 of one job is in its own cache as it reads it in task 7 of the next, where
// cores may be a quarter of a microsecond apart (two chiplets). Helpers spin for a short while after the last task and then sleep.
// A second caller at the same time runs its tasks alone: results do not depend on it.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/parallel.h"

namespace athanor {

class ThreadPool final : public Parallel {
 public:
  explicit ThreadPool(int workers);
  ~ThreadPool();

  int workers() const override { return static_cast<int>(threads_.size()) + 1; }
  void run(int tasks, FunctionRef<void(int task, int worker)> body) override;

 private:
  void help(int worker);
  void take(int worker);

  struct Job {
    FunctionRef<void(int, int)>* body = nullptr;
    int tasks = 0;
    std::uint32_t epoch = 0;
  };
  // The next task of a worker's share, below the epoch that it counts in: whoever comes first in a new one begins anew.
  struct alignas(64) Place {
    std::atomic<std::uint64_t> at{0};
  };
  bool take_one(int owner, int worker);

  std::vector<std::thread> threads_;
  std::vector<Place> places_;
  std::mutex callers_;
  Job job_;
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // a new job, or the end; what sleeping helpers wait on
  alignas(64) std::atomic<int> inside_{0};           // helpers that may still touch job_
  std::atomic<bool> open_{false};
  std::atomic<bool> stop_{false};
};

// The process's pool and its size. The size is the number of cores the process may use, or ATHANOR_THREADS; set_threads makes a
// new pool for the runs that begin after it.
std::shared_ptr<ThreadPool> pool();
int threads();
void set_threads(int workers);

}  // namespace athanor
