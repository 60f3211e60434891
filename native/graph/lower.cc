#include "graph/lower.h"

namespace athanor {

LowerContext::LowerContext(const Graph& graph, NodeId id, LowerState& state)
    : graph(graph), node(graph.node(id)), kernels(state.kernels), workers(state.workers), id_(id), state_(state) {}

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
  const Slot slot = state_.next_slot++;
  state_.workspaces.push_back({slot, bytes, id_});
  return slot;
}

Slot LowerContext::prepared(const std::vector<int>& operands, const std::string& key, PrepareFunction make) {
  PreparedSlot request{state_.next_slot, {}, std::string(info(node.op).name) + " " + key, std::move(make)};
  for (const int index : operands) {
    const ValueId value = node.inputs[index];
    if (!state_.fixed[value]) return -1;
    request.operands.push_back(input(index));
  }
  state_.prepared.push_back(std::move(request));
  return state_.next_slot++;
}

void LowerContext::emit(Work work, StepFunction run) { emit("", work, std::move(run)); }

void LowerContext::emit(std::string detail, Work work, StepFunction run) {
  if (work.bytes == 0) {
    for (int i = 0; i < input_count(); ++i) work.bytes += static_cast<double>(input_type(i).bytes());
    for (int i = 0; i < node.output_count; ++i) work.bytes += static_cast<double>(output_type(i).bytes());
  }
  state_.steps.push_back({id_, node.op, std::move(detail), work, std::move(run)});
}

std::string LowerContext::where() const {
  const std::string name = info(node.op).name;
  return node.scope.empty() ? name : name + " (in \"" + node.scope + "\")";
}

}  // namespace athanor
