// Where collectives stand among the other nodes.
#include <algorithm>

#include "graph/passes/passes.h"
#include "graph/rewrite.h"

namespace athanor {

Graph place_collectives(const Graph& graph) {
  const auto& nodes = graph.nodes();
  std::vector<std::size_t> producer(static_cast<std::size_t>(graph.value_count()));
  std::vector<std::vector<std::size_t>> after(nodes.size());  // collectives whose last operand is of this node
  bool any = false;
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    for (int i = 0; i < nodes[id].output_count; ++i) producer[static_cast<std::size_t>(nodes[id].output(i))] = id;
    if (!info(nodes[id].op).is(kCollective)) continue;
    any = true;
    std::size_t last = 0;
    for (const ValueId input : nodes[id].inputs) last = std::max(last, producer[static_cast<std::size_t>(input)]);
    after[last].push_back(id);
  }
  if (!any) return graph;
  Rewriter rewriter(graph);
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    if (!info(nodes[id].op).is(kCollective)) rewriter.copy(nodes[id]);
    for (const std::size_t collective : after[id]) rewriter.copy(nodes[collective]);
  }
  return std::move(rewriter).finish();
}

}  // namespace athanor
