// What a compiled graph is before a device runs it: its ports, the memory behind every slot, the variables that it reads and writes.
// The same for every device; what a step executes is the device's own (Executable, DeviceProgram).
#pragma once
#include <memory>
#include <vector>

#include "runtime/execution.h"
#include "runtime/program.h"
#include "runtime/variable.h"

namespace athanor {

// What stands behind a slot.
struct Binding {
  enum class Kind { arena, variable, feed, constant, prepared };
  Kind kind = Kind::arena;
  Index index = 0;  // arena: byte offset; the others: number in their table
};

struct Layout {
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<Slot> output_slots;
  std::vector<Binding> bindings;  // one per slot
  std::size_t first_effect = 0;   // steps from here on change variables or resources
  std::vector<std::shared_ptr<Variable>> variables;
  std::vector<bool> written;  // for every variable, whether the program changes it
  std::vector<std::shared_ptr<const std::vector<std::byte>>> constants;
  std::shared_ptr<void> keep;  // what the steps point into: the compiled graph
  Index arena_bytes = 0;
  ProgramReport report;
};

}  // namespace athanor
