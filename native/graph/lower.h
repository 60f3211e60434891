// What a lowering rule sees: the node, where its operands and results will be, the kernels of the chosen instruction set. It
// asks for workspaces and emits the steps that a run executes; addresses are only known then, through Execution.
#pragma once
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "kernels/table.h"
#include "runtime/execution.h"

namespace athanor {

struct Work {
  double flops = 0;
  double bytes = 0;  // 0: the sum of the node's operands and results
};

// A step as lowered: what it runs, and the slots it touches (for the planner's lifetimes).
struct Step {
  NodeId node;
  Op op;
  std::string detail;
  Work work;
  StepFunction run;
};

struct Workspace {
  Slot slot;
  Index bytes;
  NodeId node;  // it lives while this node's steps run
};

// Data made of weights, and the slot where a run finds it.
struct PreparedSlot {
  Slot slot;
  std::vector<Slot> operands;
  std::string key;
  PrepareFunction make;
};

// What the lowering of all nodes of a graph shares.
struct LowerState {
  const KernelTable& kernels;
  int workers;
  std::vector<Slot> slot_of;  // of every value
  std::vector<bool> fixed;    // for every value, whether it is a parameter or constant that no effect here changes
  std::vector<Step> steps;
  std::vector<Workspace> workspaces;
  std::vector<PreparedSlot> prepared;
  Slot next_slot = 0;
};

class LowerContext {
 public:
  LowerContext(const Graph& graph, NodeId id, LowerState& state);

  const Graph& graph;
  const Node& node;
  const KernelTable& kernels;
  const int workers;

  const Attrs& attrs() const { return node.attrs; }
  int input_count() const { return static_cast<int>(node.inputs.size()); }
  const Type& input_type(int index) const { return graph.type(node.inputs[index]); }
  const Type& output_type(int index = 0) const { return graph.type(node.output(index)); }
  Slot input(int index) const { return state_.slot_of[node.inputs[index]]; }
  Slot output(int index = 0) const { return state_.slot_of[node.output(index)]; }

  // Whether anything reads output `index`; a kernel may skip an unread one.
  bool is_used(int index) const;

  // Memory for this node's steps alone, 64-byte aligned.
  Slot workspace(Index bytes);

  // Whether an operand is a parameter or constant that this program does not change.
  bool is_fixed(int operand) const { return state_.fixed[node.inputs[operand]]; }

  // A slot bound to what `make` makes of the named operands' values: weights in the layout of a kernel. It is made when a run first
  // needs it and again only when a weight has changed, and programs that ask for the same `key` share it, so the key tells all that
  // the layout depends on but the weights. -1 if an operand is no parameter or constant, or this program changes it: then the
  // caller reads the operand itself.
  Slot prepared(const std::vector<int>& operands, const std::string& key, PrepareFunction make);

  void emit(Work work, StepFunction run);
  void emit(std::string detail, Work work, StepFunction run);

  // "matmul (layer "1")": the head of an error sentence that names the user's layer.
  std::string where() const;

 private:
  NodeId id_;
  LowerState& state_;
};

}  // namespace athanor
