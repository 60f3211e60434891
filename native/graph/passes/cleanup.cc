// Dead code, common subexpressions and constants.
#include <algorithm>
#include <map>

#include "graph/passes/passes.h"
#include "graph/rewrite.h"

namespace athanor {

Graph eliminate_dead(const Graph& graph) {
  std::vector<bool> needed(graph.nodes().size(), false);
  std::vector<NodeId> producer(graph.value_count());
  for (std::size_t id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    for (int i = 0; i < node.output_count; ++i) producer[node.output(i)] = static_cast<NodeId>(id);
    // A collective whose value nobody reads goes on all ranks alike; a message, and what gives no value, is waited for elsewhere.
    const bool kept =
        info(node.op).is(kCollective) && (node.output_count == 0 || node.op == Op::send || node.op == Op::receive);
    needed[id] = node.op == Op::input || info(node.op).is(kEffect) || kept;
  }
  for (const Output& output : graph.outputs) needed[producer[output.value]] = true;
  for (std::size_t id = needed.size(); id-- > 0;) {
    if (!needed[id]) continue;
    for (const ValueId input : graph.nodes()[id].inputs) needed[producer[input]] = true;
  }
  Rewriter rewriter(graph);
  for (std::size_t id = 0; id < needed.size(); ++id) {
    if (needed[id]) rewriter.copy(graph.nodes()[id]);
  }
  return std::move(rewriter).finish();
}

namespace {

bool equal_constants(const Graph& graph, const Node& a, const Node& b) {
  const Constant& x = graph.constant_of(a);
  const Constant& y = graph.constant_of(b);
  return &x == &y || (x.type == y.type && x.bytes == y.bytes);
}

}  // namespace

Graph eliminate_common(const Graph& graph) {
  Rewriter rewriter(graph);
  std::multimap<std::pair<Op, std::vector<ValueId>>, const Node*> seen;
  for (const Node& node : graph.nodes()) {
    std::vector<ValueId> inputs;
    for (const ValueId input : node.inputs) inputs.push_back(rewriter[input]);
    if (info(node.op).is(kCommutative)) std::sort(inputs.begin(), inputs.end());
    const auto key = std::make_pair(node.op, inputs);
    const Node* twin = nullptr;
    if (!info(node.op).is(kEffect | kCollective) && node.op != Op::input) {
      for (auto [at, end] = seen.equal_range(key); at != end && twin == nullptr; ++at) {
        const Node& other = *at->second;
        const bool same = node.op == Op::constant ? equal_constants(graph, node, other)
                                                  : node.attrs == other.attrs && node.body == other.body &&
                                                        node.output_count == other.output_count;
        if (same && graph.type(node.output()) == graph.type(other.output())) twin = &other;
      }
    }
    if (twin == nullptr) {
      rewriter.copy(node);
      seen.emplace(key, &node);
    } else {
      for (int i = 0; i < node.output_count; ++i) rewriter.replace(node.output(i), rewriter[twin->output(i)]);
    }
  }
  return std::move(rewriter).finish();
}

namespace {

constexpr Index kLargestFolded = Index{1} << 16;  // bytes: larger results cost more as data than as work

bool is_foldable(const Graph& graph, const Node& node) {
  const OpInfo& row = info(node.op);
  if (row.is(kSource | kEffect | kRandom | kCollective) || row.is(kView)) return false;
  for (const ValueId input : node.inputs) {
    if (graph.producer(input).op != Op::constant) return false;
  }
  for (int i = 0; i < node.output_count; ++i) {
    if (graph.type(node.output(i)).bytes() > kLargestFolded) return false;
  }
  // A repeated scalar is cheaper read with a stride of 0 than stored.
  return node.op != Op::broadcast_to;
}

}  // namespace

Graph fold_constants(const Graph& graph, const Evaluate& evaluate) {
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    if (info(node.op).is(kView) && rewriter.to().producer(rewriter[node.inputs[0]]).op == Op::constant) {
      Constant same = rewriter.to().constant_of(rewriter.to().producer(rewriter[node.inputs[0]]));
      same.type = graph.type(node.output());
      rewriter.replace(node.output(), rewriter.to().constant(std::move(same)));
      continue;
    }
    rewriter.copy(node);
    if (node.output_count == 0) continue;
    Graph& to = rewriter.to();
    const Node made = to.producer(rewriter[node.output()]);
    if (!is_foldable(to, made)) continue;
    Graph alone;
    std::vector<ValueId> inputs;
    for (const ValueId input : made.inputs) inputs.push_back(alone.constant(to.constant_of(to.producer(input))));
    const ValueId first = alone.apply(made.op, std::move(inputs), made.attrs, made.body);
    for (int i = 0; i < made.output_count; ++i) alone.outputs.push_back({"y" + std::to_string(i), first + i});
    auto results = evaluate(alone);
    for (int i = 0; i < made.output_count; ++i) {
      rewriter.replace(node.output(i), to.constant({alone.type(first + i), std::move(results[i])}));
    }
  }
  return std::move(rewriter).finish();
}

}  // namespace athanor
