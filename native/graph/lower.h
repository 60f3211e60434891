// What the CPU's rule of an operation sees: the node, where its operands and results will be, the kernels of the chosen instruction
// set. It asks for workspaces and emits the steps that a run executes; addresses are only known then, through Execution.
#pragma once
#include <string>
#include <vector>

#include "graph/lowering.h"
#include "kernels/table.h"
#include "runtime/executor.h"

namespace athanor {

class LowerContext : public NodeContext {
 public:
  LowerContext(const Graph& graph, NodeId id, LowerState& state, Executable& code);

  const KernelTable& kernels;
  const int workers;

  // A slot bound to what `make` makes of the named operands' values: weights in the layout of a kernel. It is made when a run first
  // needs it and again only when a weight has changed, and programs that ask for the same `key` share it, so the key tells all that
  // the layout depends on but the weights. -1 if an operand is no parameter or constant, or this program changes it: then the
  // caller reads the operand itself.
  Slot prepared(const std::vector<int>& operands, const std::string& key, PrepareFunction make);

  void emit(Work work, StepFunction run);
  void emit(std::string detail, Work work, StepFunction run);

 private:
  Executable& code_;
};

}  // namespace athanor
