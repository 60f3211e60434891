#include "graph/lower.h"

namespace athanor {

LowerContext::LowerContext(const Graph& graph, NodeId id, const std::vector<Slot>& slot_of, const KernelTable& kernels,
                           int workers, std::vector<Step>& steps, std::vector<Workspace>& workspaces, Slot& next_slot)
    : graph(graph),
      node(graph.node(id)),
      kernels(kernels),
      workers(workers),
      id_(id),
      slot_of_(slot_of),
      steps_(steps),
      workspaces_(workspaces),
      next_slot_(next_slot) {}

bool LowerContext::is_used(int index) const {
  const ValueId value = node.output(index);
  for (const Node& other : graph.nodes()) {
    for (const ValueId input : other.inputs) {
      if (input == value) return true;
    }
  }
  for (const Output& result : graph.outputs) {
    if (result.value == value) return true;
  }
  return false;
}

Slot LowerContext::workspace(Index bytes) {
  const Slot slot = next_slot_++;
  workspaces_.push_back({slot, bytes, id_});
  return slot;
}

void LowerContext::emit(Work work, StepFunction run) { emit("", work, std::move(run)); }

void LowerContext::emit(std::string detail, Work work, StepFunction run) {
  if (work.bytes == 0) {
    for (int i = 0; i < input_count(); ++i) work.bytes += static_cast<double>(input_type(i).bytes());
    for (int i = 0; i < node.output_count; ++i) work.bytes += static_cast<double>(output_type(i).bytes());
  }
  steps_.push_back({id_, node.op, std::move(detail), work, std::move(run)});
}

std::string LowerContext::where() const {
  const std::string name = info(node.op).name;
  return node.scope.empty() ? name : name + " (in \"" + node.scope + "\")";
}

}  // namespace athanor
