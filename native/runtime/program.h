// A compiled graph, ready to run any number of times. Shapes are fixed, memory is planned, nothing is allocated in a run.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "base/shape.h"
#include "runtime/variable.h"

namespace athanor {

struct Port {
  std::string name;
  Type type;
};

struct RunRequest {
  std::span<const void* const> feeds;  // one per inputs()
  std::span<void* const> results;      // one per outputs(); null where it is not wanted
  std::uint64_t seed = 0;
  std::uint64_t step = 0;  // keys the random numbers, with seed
  // Where the batch is a part of a larger one: its first row there, and its rows. Random numbers are those of the whole batch.
  Index first_row = 0, rows = 0;
  Parallel* parallel = nullptr;
  const std::atomic<bool>* cancelled = nullptr;  // looked at between steps, before any effect
};

// One step of a program, for a person: what it is, and the work it takes.
struct StepReport {
  std::string op;
  std::string detail;
  double flops = 0;
  double bytes = 0;
};

struct ProgramReport {
  std::vector<StepReport> steps;
  Index arena_bytes = 0;      // planned, with reuse
  Index unplanned_bytes = 0;  // what the same values would take without reuse
  std::string graph;          // the graph as compiled, as text
};

class Program {
 public:
  virtual ~Program() = default;
  virtual const std::vector<Port>& inputs() const = 0;
  virtual const std::vector<Port>& outputs() const = 0;

  // Runs on the calling thread with the help of request.parallel. One run at a time: a second caller waits. Throws what a step
  // throws (a label out of range, …) and Code::aborted; effects on variables are last, so a failed run changes none.
  virtual void run(const RunRequest& request) = 0;

  // The same, with the seconds that every step took.
  virtual std::vector<double> profile(const RunRequest& request) = 0;

  virtual const ProgramReport& report() const = 0;
};

}  // namespace athanor
