// What a lowering rule sees: the node, where its operands and results will be, the kernels of the chosen instruction set. It
// asks for workspaces and emits the steps that a run executes; addresses are only known then, through Execution.
#pragma once
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

class LowerContext {
 public:
  LowerContext(const Graph& graph, NodeId id, const std::vector<Slot>& slot_of, const KernelTable& kernels, int workers,
               std::vector<Step>& steps, std::vector<Workspace>& workspaces, Slot& next_slot);

  const Graph& graph;
  const Node& node;
  const KernelTable& kernels;
  const int workers;

  const Attrs& attrs() const { return node.attrs; }
  int input_count() const { return static_cast<int>(node.inputs.size()); }
  const Type& input_type(int index) const { return graph.type(node.inputs[index]); }
  const Type& output_type(int index = 0) const { return graph.type(node.output(index)); }
  Slot input(int index) const { return slot_of_[node.inputs[index]]; }
  Slot output(int index = 0) const { return slot_of_[node.output(index)]; }

  // Whether anything reads output `index`; a kernel may skip an unread one.
  bool is_used(int index) const;

  // Memory for this node's steps alone, 64-byte aligned.
  Slot workspace(Index bytes);

  void emit(Work work, StepFunction run);
  void emit(std::string detail, Work work, StepFunction run);

  // "matmul (layer "1")": the head of an error sentence that names the user's layer.
  std::string where() const;

 private:
  NodeId id_;
  const std::vector<Slot>& slot_of_;
  std::vector<Step>& steps_;
  std::vector<Workspace>& workspaces_;
  Slot& next_slot_;
};

}  // namespace athanor
