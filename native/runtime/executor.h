// The CPU's Program: a list of steps over one planned arena, run in order.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "runtime/execution.h"
#include "runtime/memory.h"
#include "runtime/program.h"

namespace athanor {

// What stands behind a slot.
struct Binding {
  enum class Kind { arena, variable, feed, constant, prepared };
  Kind kind = Kind::arena;
  Index index = 0;  // arena: byte offset; the others: number in their table
};

// Data made of weights before the steps run, and made again only when a weight has changed.
struct Prepared {
  Slot slot;                   // where a run finds it
  std::vector<Slot> operands;  // variables and constants
  std::string key;             // programs that ask for the same share it
  PrepareFunction make;
  std::shared_ptr<const Block> block;
  std::uint64_t version = 0;  // changes of all operands that the block knows of
};

struct Executable {
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<Slot> output_slots;
  std::vector<Binding> bindings;  // one per slot
  std::vector<StepFunction> steps;
  std::size_t first_effect = 0;  // steps from here on change variables or resources
  std::vector<std::shared_ptr<Variable>> variables;
  std::vector<bool> written;  // for every variable, whether the program changes it
  std::vector<std::shared_ptr<const std::vector<std::byte>>> constants;
  std::vector<Prepared> prepared;
  std::shared_ptr<void> keep;  // what the steps' closures point into: the compiled graph
  Index arena_bytes = 0;
  ProgramReport report;
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
  struct HeldArena {
    std::shared_ptr<Arena> arena;
    bool exclusive;
  };
  class ArenaLocks;
  void bind(const RunRequest& request);
  void prepare(Parallel& parallel);
  void refresh(Prepared& prepared, Parallel& parallel);
  void note_changes();
  void deliver(const RunRequest& request) const;
  template <class Around>
  void execute(const RunRequest& request, Around&& around);

  Executable code_;
  Block arena_;
  std::vector<std::byte*> slots_;
  std::vector<HeldArena> held_;  // of the run under way: kept, so that a run allocates nothing
  std::mutex mutex_;
};

}  // namespace athanor
