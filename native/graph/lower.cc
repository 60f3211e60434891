#include "graph/lower.h"

#include "kernels/dispatch.h"

namespace athanor {

LowerContext::LowerContext(const Graph& graph, NodeId id, LowerState& state, Executable& code)
    : NodeContext(graph, id, state), kernels(kernel_table()), workers(code.workers), code_(code) {}

Slot LowerContext::prepared(const std::vector<int>& operands, const std::string& key, PrepareFunction make) {
  Prepared request{state_.next_slot, {}, std::string(info(node.op).name) + " " + key, std::move(make), nullptr, 0};
  for (const int index : operands) {
    if (!is_fixed(index)) return -1;
    request.operands.push_back(input(index));
  }
  code_.prepared.push_back(std::move(request));
  return state_.next_slot++;
}

void LowerContext::emit(Work work, StepFunction run) { emit("", work, std::move(run)); }

void LowerContext::emit(std::string detail, Work work, StepFunction run) {
  enter(std::move(detail), work);
  code_.steps.push_back(std::move(run));
}

}  // namespace athanor
