// The CPU's Program: a list of steps over one planned arena, run in order.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "runtime/arena_locks.h"
#include "runtime/execution.h"
#include "runtime/layout.h"
#include "runtime/memory.h"
#include "runtime/program.h"

namespace athanor {

// Data made of weights before the steps run, and made again only when a weight has changed.
struct Prepared {
  Slot slot;                   // where a run finds it
  std::vector<Slot> operands;  // variables and constants
  std::string key;             // programs that ask for the same share it
  PrepareFunction make;
  std::shared_ptr<const Block> block;
  std::uint64_t version = 0;  // changes of all operands that the block knows of
};

struct Executable : Layout {
  std::vector<StepFunction> steps;
  std::vector<Prepared> prepared;
  int workers = 1;
};

class CpuProgram final : public Program {
 public:
  explicit CpuProgram(Executable executable);

  const std::vector<Port>& inputs() const override { return code_.inputs; }
  const std::vector<Port>& outputs() const override { return code_.outputs; }
  const ProgramReport& report() const override { return code_.report; }
  void run(const RunRequest& request) override;
  std::vector<double> profile(const RunRequest& request) override;

 private:
  void bind(const RunRequest& request);
  void prepare(Parallel& parallel);
  void refresh(Prepared& prepared, Parallel& parallel);
  void note_changes();
  void deliver(const RunRequest& request) const;
  template <class Around>
  void execute(const RunRequest& request, Around&& around);

  Executable code_;
  std::shared_ptr<Block> arena_;
  std::vector<std::byte*> slots_;
  HeldArenas held_;
  std::mutex mutex_;
};

}  // namespace athanor
