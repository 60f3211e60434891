// Fusion: every group of elementwise nodes becomes one `fused` node, or the body of the matmul or convolution that carries it.
#include <algorithm>
#include <map>
#include <set>

#include "graph/attributes.h"
#include "graph/passes/grouping.h"
#include "graph/passes/passes.h"
#include "graph/rewrite.h"

namespace athanor {
namespace {

class BodyBuilder {
 public:
  BodyBuilder(const Graph& graph, const Grouping& g, const Group& group) : graph_(graph), g_(g), group_(group) {}

  // Operands of the new node in the old graph's names, the anchor's own first.
  std::vector<ValueId> operands;
  std::vector<ValueId> outputs;  // old names, in the order of the new node's outputs
  std::shared_ptr<Body> body = std::make_shared<Body>();

  void build() {
    if (group_.anchor >= 0) {
      const Node& anchor = graph_.node(group_.anchor);
      operands = anchor.inputs;
      input_of_[anchor.output()] = 0;
      body->node_inputs.push_back(Body::kRaw);
    }
    for (const NodeId member : group_.members) {
      for (const ValueId input : graph_.node(member).inputs) enter(input);
    }
    body->inputs = static_cast<int>(body->node_inputs.size());
    for (const NodeId member : group_.members) append(graph_.node(member));
    // The root first: an anchor's result is overwritten by it.
    for (auto member = group_.members.rbegin(); member != group_.members.rend(); ++member) {
      result(graph_.node(*member).output());
    }
    if (group_.anchor >= 0) result(graph_.node(group_.anchor).output());
  }

 private:
  bool is_member(NodeId id) const { return std::binary_search(group_.members.begin(), group_.members.end(), id); }

  void enter(ValueId value) {
    if (is_member(g_.producer[value]) || input_of_.contains(value)) return;
    input_of_[value] = static_cast<int>(body->node_inputs.size());
    body->node_inputs.push_back(static_cast<int>(operands.size()));
    operands.push_back(value);
  }

  int argument(ValueId value) const {
    const auto found = input_of_.find(value);
    return found != input_of_.end() ? found->second : body->inputs + instruction_of_.at(value);
  }

  void append(const Node& node) {
    Body::Instruction instruction{node.op, graph_.type(node.output()).dtype};
    instruction.arity = static_cast<int>(node.inputs.size());
    for (int i = 0; i < instruction.arity; ++i) instruction.args[i] = argument(node.inputs[i]);
    if (node.op == Op::random_uniform) instruction.key = attributes::random_uniform::of(node.attrs).key;
    instruction_of_[node.output()] = static_cast<int>(body->instructions.size());
    body->instructions.push_back(instruction);
  }

  void result(ValueId value) {
    const auto& readers = g_.readers[value];
    const bool read_outside =
        std::any_of(readers.begin(), readers.end(), [&](NodeId reader) { return !is_member(reader); });
    if (!read_outside) return;
    outputs.push_back(value);
    body->results.push_back(argument(value));
  }

  const Graph& graph_;
  const Grouping& g_;
  const Group& group_;
  std::map<ValueId, int> input_of_;
  std::map<ValueId, int> instruction_of_;
};

std::string describe(const Graph& graph, const Group& group) {
  std::string text;
  for (const NodeId member : group.members)
    text += (text.empty() ? "" : "+") + std::string(info(graph.node(member).op).name);
  return text;
}

void emit(Rewriter& rewriter, const Grouping& g, const Group& group) {
  const Graph& graph = rewriter.from();
  BodyBuilder builder(graph, g, group);
  builder.build();
  Node node = group.anchor >= 0 ? graph.node(group.anchor) : graph.node(group.members.back());
  if (group.anchor < 0) {
    node.op = Op::fused;
    node.attrs = {};
  }
  node.attrs.set("fused", describe(graph, group));
  node.body = builder.body;
  std::vector<ValueId> inputs;
  for (const ValueId operand : builder.operands) inputs.push_back(rewriter[operand]);
  std::vector<Type> types;
  for (const ValueId output : builder.outputs) types.push_back(graph.type(output));
  const ValueId first = rewriter.to().append(node, std::move(inputs), types);
  for (std::size_t i = 0; i < builder.outputs.size(); ++i) {
    rewriter.replace(builder.outputs[i], first + static_cast<ValueId>(i));
  }
}

// Values that are cheaper made again than kept get one copy for every reader, so that each can be fused where it is read.
bool is_cheaper_again(const Node& node) { return node.op == Op::random_uniform || node.op == Op::broadcast_to; }

Graph duplicate_cheap(const Graph& graph) {
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    for (const ValueId input : node.inputs) {
      const Node& source = graph.producer(input);
      if (is_cheaper_again(source)) rewriter.copy(source);
    }
    rewriter.copy(node);
  }
  return eliminate_dead(std::move(rewriter).finish());
}

Graph fuse(const Graph& original, bool chains, bool anchors) {
  const Graph graph = chains ? duplicate_cheap(original) : original;
  Grouping g = survey(graph);
  std::vector<Group> groups = form_groups(graph, g, chains);
  std::map<NodeId, const Group*> at_root;
  std::set<NodeId> absorbed;
  for (Group& group : groups) {
    if (anchors) find_anchor(graph, g, group);
    if (group.anchor >= 0) {
      g.root[group.anchor] = group.members.back();
      absorbed.insert(group.anchor);
    }
    at_root[group.members.back()] = &group;
  }
  Rewriter rewriter(graph);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes().size()); ++id) {
    if (absorbed.contains(id)) continue;
    if (g.root[id] < 0) {
      rewriter.copy(graph.node(id));
    } else if (const auto found = at_root.find(id); found != at_root.end()) {
      emit(rewriter, g, *found->second);
    }
  }
  return std::move(rewriter).finish();
}

}  // namespace

Graph fuse_elementwise(const Graph& graph, FuseOptions options) {
  return fuse(graph, options.chains, options.epilogues);
}

}  // namespace athanor
