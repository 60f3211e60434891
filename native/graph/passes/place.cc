// Where collectives stand among the other nodes. One that gives a value becomes two nodes: its start, as early as its operands
// permit, and its wait, before the first node that reads the value; what stands between them runs while messages are under way.
//
// Starts keep the order in which they were traced, which is the same on all ranks, whatever the shapes on each.
#include <algorithm>
#include <map>

#include "graph/passes/passes.h"
#include "graph/rewrite.h"

namespace athanor {
namespace {

class Placing {
 public:
  explicit Placing(const Graph& graph)
      : graph_(graph),
        nodes_(graph.nodes()),
        rewriter_(graph),
        producer_(static_cast<std::size_t>(graph.value_count())),
        after_(nodes_.size()) {}

  bool survey() {
    bool any = false;
    std::size_t least = 0;  // of the starts that come next
    for (std::size_t id = 0; id < nodes_.size(); ++id) {
      const Node& node = nodes_[id];
      for (int i = 0; i < node.output_count; ++i) producer_[static_cast<std::size_t>(node.output(i))] = id;
      if (!info(node.op).is(kCollective)) continue;
      any = true;
      std::size_t at = 0;
      for (const ValueId input : node.inputs) {
        const std::size_t maker = producer_[static_cast<std::size_t>(input)];
        // Right after the start of another it would end that one's overlap: it stays where it was traced.
        at = std::max(at, is_pair(nodes_[maker]) ? id : maker);
      }
      if (is_pair(node)) at = least = std::max(at, least);
      after_[at].push_back(id);
    }
    return any;
  }

  Graph run() {
    for (std::size_t id = 0; id < nodes_.size(); ++id) {
      if (!info(nodes_[id].op).is(kCollective)) copy(nodes_[id]);
      for (const std::size_t collective : after_[id]) {
        if (is_pair(nodes_[collective])) {
          start(nodes_[collective]);
        } else {
          copy(nodes_[collective]);
        }
      }
    }
    while (!started_.empty()) wait(started_.begin()->first);
    return std::move(rewriter_).finish();
  }

 private:
  static bool is_pair(const Node& node) { return info(node.op).is(kCollective) && node.output_count > 0; }

  void await_inputs(const Node& node) {
    for (const ValueId input : node.inputs) wait(input);
  }

  void copy(const Node& node) {
    await_inputs(node);
    rewriter_.copy(node);
  }

  void start(const Node& node) {
    await_inputs(node);
    Node half = node;
    half.op = Op::collective_start;
    half.attrs.set("op", std::string(info(node.op).name));
    half.output_count = 2;
    std::vector<ValueId> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(rewriter_[input]);
    const Type types[] = {graph_.type(node.output()), {DType::u8, Shape{node.attrs.integer("scratch")}}};
    started_[node.output()] = {&node, rewriter_.to().append(half, std::move(inputs), types)};
  }

  // Nothing where the value comes of no start, or was waited for.
  void wait(ValueId value) {
    const auto found = started_.find(value);
    if (found == started_.end()) return;
    const auto [node, first] = found->second;
    started_.erase(found);
    Node half = *node;
    half.op = Op::collective_wait;
    half.attrs = {{"op", std::string(info(node->op).name)}};
    half.attrs.set("resource", node->attrs.integer("resource"));
    half.output_count = 1;
    const Type types[] = {graph_.type(value)};
    rewriter_.replace(value, rewriter_.to().append(half, {first, first + 1}, types));
  }

  const Graph& graph_;
  const std::vector<Node>& nodes_;
  Rewriter rewriter_;
  std::vector<std::size_t> producer_;
  std::vector<std::vector<std::size_t>> after_;  // collectives that come right after a node, or in its place
  std::map<ValueId, std::pair<const Node*, ValueId>> started_;  // not yet waited for
};

}  // namespace

Graph place_collectives(const Graph& graph) {
  Placing placing(graph);
  return placing.survey() ? placing.run() : graph;
}

}  // namespace athanor
