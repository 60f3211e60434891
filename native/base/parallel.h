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

// Runs everything on the calling thread.
class Sequential final : public Parallel {
 public:
  int workers() const override { return 1; }
  void run(int tasks, FunctionRef<void(int task, int worker)> body) override {
    for (int task = 0; task < tasks; ++task) body(task, 0);
  }
};

}  // namespace athanor
