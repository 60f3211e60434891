// The way a kernel driver asks for threads. Tasks are numbered and cut by the size of the problem alone, never by the
// number of workers, so that results are the same bits whatever that number is.
#pragma once
#include "base/function_ref.h"

namespace athanor {

class Parallel {
 public:
  virtual int workers() const = 0;

  // Calls body(task, worker) once for every task in [0, tasks); worker is in [0, workers()). Returns when all are done.
  virtual void run(int tasks, FunctionRef<void(int task, int worker)> body) = 0;

 protected:
  ~Parallel() = default;
};

// Which tasks a worker begins with. What others leave it takes too.
struct Share {
  int begin, end;
};
inline Share share_of(int worker, int tasks, int workers) {
  const auto at = [&](int w) { return static_cast<int>(static_cast<long long>(tasks) * w / workers); };
  return {at(worker), at(worker + 1)};
}

// The task that its worker comes to as late as it comes to `task` early: a second pass in this order begins where the first one
// ended, with what the worker's caches still hold.
inline int mirrored(int task, int tasks, int workers) {
  const int worker = static_cast<int>((static_cast<long long>(task + 1) * workers - 1) / tasks);
  const Share share = share_of(worker, tasks, workers);
  return share.begin + share.end - 1 - task;
}

// Runs everything on the calling thread.
class Sequential final : public Parallel {
 public:
  int workers() const override { return 1; }
  void run(int tasks, FunctionRef<void(int task, int worker)> body) override {
    for (int task = 0; task < tasks; ++task) body(task, 0);
  }
};

}  // namespace athanor
