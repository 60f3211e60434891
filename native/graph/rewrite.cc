#include "graph/rewrite.h"

namespace athanor {

void Rewriter::copy(const Node& node) {
  std::vector<ValueId> inputs;
  inputs.reserve(node.inputs.size());
  for (const ValueId input : node.inputs) inputs.push_back(map_[input]);
  std::vector<Type> types;
  for (int i = 0; i < node.output_count; ++i) types.push_back(from_.type(node.output(i)));
  const ValueId first = to_.append(node, std::move(inputs), types);
  for (int i = 0; i < node.output_count; ++i) map_[node.output(i)] = first + i;
}

Graph Rewriter::finish() && {
  for (const Output& output : from_.outputs) to_.outputs.push_back({output.name, map_[output.value]});
  return std::move(to_);
}

std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.value_count(), 0);
  for (const Node& node : graph.nodes()) {
    for (const ValueId input : node.inputs) ++uses[input];
  }
  for (const Output& output : graph.outputs) ++uses[output.value];
  return uses;
}

}  // namespace athanor
