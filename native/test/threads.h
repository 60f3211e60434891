// A Parallel for tests: as many plain threads as asked for, one batch a run() call, tasks handed out by an atomic counter.
// It starts threads every time, so it is for checking results, not for timing.
#pragma once
#include <atomic>
#include <thread>
#include <vector>

#include "base/parallel.h"

namespace athanor::test {

class Threads final : public Parallel {
 public:
  explicit Threads(int workers) : workers_(workers) {}
  int workers() const override { return workers_; }
  void run(int tasks, FunctionRef<void(int task, int worker)> body) override {
    std::atomic<int> next = 0;
    const auto work = [&](int worker) {
      for (int task; (task = next++) < tasks;) body(task, worker);
    };
    std::vector<std::thread> others;
    for (int worker = 1; worker < workers_; ++worker) others.emplace_back(work, worker);
    work(0);
    for (std::thread& other : others) other.join();
  }

 private:
  int workers_;
};

}  // namespace athanor::test
