// Fusion of elementwise nodes, and of elementwise nodes into the matmul or convolution before them.
//
// A group is a set of elementwise nodes with one root, the last of them; it runs where its root stands. A producer joins the
// group of its consumer when it has the same shape and arithmetic and everybody else who reads it stands after the root: all
// of the group's operands are then made before it and all of its readers come after, so no circle can arise. A group whose
// operand is a matmul or convolution under the same condition becomes the body (epilogue) of that node.
#include <algorithm>
#include <map>
#include <set>

#include "graph/passes/passes.h"
#include "graph/rewrite.h"

namespace athanor {
namespace {

constexpr int kMaxInstructions = 24;
constexpr int kMaxOperands = 12;
constexpr int kMaxAlive = kEwMaxRegisters - 4;  // an instruction may load three operands beside them

// The type that a group computes in. Operands of narrower types are converted when they are loaded.
DType arithmetic(const Graph& graph, const Node& node) {
  bool any_f64 = false, any_float = false, any_i32 = false;
  const auto look = [&](DType dtype) {
    any_f64 = any_f64 || dtype == DType::f64;
    any_float = any_float || dtype == DType::f32 || dtype == DType::bf16;
    any_i32 = any_i32 || dtype == DType::i32;
  };
  for (const ValueId input : node.inputs) look(graph.type(input).dtype);
  look(graph.type(node.output()).dtype);
  if (any_f64) return DType::f64;
  return any_i32 && !any_float ? DType::i32 : DType::f32;
}

// Whether a value may stay in a register: its own type then holds just what the register does.
bool stays_exact(DType value, DType computed) { return value == computed || value == DType::boolean; }

struct Grouping {
  std::vector<NodeId> producer;              // of every value
  std::vector<std::vector<NodeId>> readers;  // of every value; the number of nodes stands for an output of the graph
  std::vector<NodeId> root;                  // of every node: the root of its group, or -1
};

Grouping survey(const Graph& graph) {
  Grouping g;
  g.producer.resize(graph.value_count());
  g.readers.resize(graph.value_count());
  const NodeId count = static_cast<NodeId>(graph.nodes().size());
  for (NodeId id = 0; id < count; ++id) {
    const Node& node = graph.node(id);
    for (int i = 0; i < node.output_count; ++i) g.producer[node.output(i)] = id;
    for (const ValueId input : node.inputs) g.readers[input].push_back(id);
  }
  for (const Output& output : graph.outputs) g.readers[output.value].push_back(count);
  g.root.assign(count, -1);
  return g;
}

// Whether everybody who reads `value` is in the group of `root` or stands after it.
bool readers_allow(const Grouping& g, ValueId value, NodeId root) {
  for (const NodeId reader : g.readers[value]) {
    const bool inside = reader < static_cast<NodeId>(g.root.size()) && g.root[reader] == root;
    if (!inside && reader <= root) return false;
  }
  return true;
}

struct Group {
  std::vector<NodeId> members;  // ascending; the last is the root
  NodeId anchor = -1;           // the matmul or convolution that carries it
};

// The most values that are alive at once in registers; loaded operands need not be, they are in memory.
int pressure(const Graph& graph, const Grouping& g, const std::set<NodeId>& members) {
  int most = 0;
  std::map<NodeId, NodeId> last_reader;
  for (const NodeId member : members) {
    for (const ValueId input : graph.node(member).inputs) {
      if (members.contains(g.producer[input])) last_reader[g.producer[input]] = member;
    }
  }
  std::set<NodeId> alive;
  for (const NodeId member : members) {
    alive.insert(member);
    most = std::max(most, static_cast<int>(alive.size()));
    std::erase_if(alive, [&](NodeId value) { return !last_reader.contains(value) || last_reader[value] <= member; });
  }
  return most;
}

int operand_count(const Graph& graph, const Grouping& g, const std::set<NodeId>& members) {
  std::set<ValueId> operands;
  for (const NodeId member : members) {
    for (const ValueId input : graph.node(member).inputs) {
      if (!members.contains(g.producer[input])) operands.insert(input);
    }
    const ValueId value = graph.node(member).output();
    for (const NodeId reader : g.readers[value]) {
      if (!members.contains(reader)) operands.insert(value);
    }
  }
  return static_cast<int>(operands.size());
}

std::vector<Group> form_groups(const Graph& graph, Grouping& g, bool chains) {
  std::vector<Group> groups;
  for (NodeId root = static_cast<NodeId>(graph.nodes().size()) - 1; root >= 0; --root) {
    const Node& head = graph.node(root);
    if (!info(head.op).is(kElementwise) || g.root[root] >= 0) continue;
    const DType computed = arithmetic(graph, head);
    const Shape& shape = graph.type(head.output()).shape;
    std::set<NodeId> members{root};
    g.root[root] = root;
    // From the root backwards, so that a node is tried after all of its readers.
    for (NodeId id = root - 1; chains && id >= 0; --id) {
      const Node& node = graph.node(id);
      if (!info(node.op).is(kElementwise) || g.root[id] >= 0) continue;
      const ValueId value = node.output();
      const bool feeds = std::any_of(g.readers[value].begin(), g.readers[value].end(),
                                     [&](NodeId reader) { return members.contains(reader); });
      if (!feeds || graph.type(value).shape != shape || arithmetic(graph, node) != computed) continue;
      if (!stays_exact(graph.type(value).dtype, computed) || !readers_allow(g, value, root)) continue;
      members.insert(id);
      if (static_cast<int>(members.size()) > kMaxInstructions || operand_count(graph, g, members) > kMaxOperands ||
          pressure(graph, g, members) > kMaxAlive) {
        members.erase(id);
        continue;
      }
      g.root[id] = root;
    }
    groups.push_back({{members.begin(), members.end()}, -1});
  }
  return groups;
}

// Whether an epilogue can read `operand` alongside a result of shape `shape`: constant or dense along a row of the result.
bool is_row_friendly(const Shape& operand, const Shape& shape, bool planes) {
  const auto strides = broadcast_strides(operand, shape);
  const int last = shape.rank() - 1;
  const Index step = strides[last];
  if (!planes) return step == 0 || step == 1 || shape[last] == 1;
  const bool dense = (step == 1 || shape[last] == 1) && (strides[last - 1] == shape[last] || shape[last - 1] == 1);
  return dense || (step == 0 && strides[last - 1] == 0);
}

void find_anchor(const Graph& graph, const Grouping& g, Group& group) {
  const NodeId root = group.members.back();
  const Shape& shape = graph.type(graph.node(root).output()).shape;
  const std::set<NodeId> members(group.members.begin(), group.members.end());
  if (arithmetic(graph, graph.node(root)) != DType::f32) return;
  NodeId best = -1;
  for (const NodeId member : group.members) {
    for (const ValueId input : graph.node(member).inputs) {
      const NodeId id = g.producer[input];
      const Node& node = graph.node(id);
      if (members.contains(id) || !info(node.op).is(kEpilogue) || node.body != nullptr || g.root[id] >= 0) continue;
      if (graph.type(input).dtype != DType::f32 || graph.type(input).shape != shape) continue;
      if (readers_allow(g, input, root)) best = std::max(best, id);
    }
  }
  if (best < 0) return;
  const bool planes = graph.node(best).op != Op::matmul;
  for (const NodeId member : group.members) {
    for (const ValueId input : graph.node(member).inputs) {
      if (!members.contains(g.producer[input]) && !is_row_friendly(graph.type(input).shape, shape, planes)) return;
    }
  }
  // The raw product is overwritten in place by the first f32 result, so there must be one.
  if (graph.type(graph.node(root).output()).dtype != DType::f32) return;
  group.anchor = best;
}

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
    if (node.op == Op::random_uniform) instruction.key = node.attrs.integer("key");
    instruction_of_[node.output()] = static_cast<int>(body->instructions.size());
    body->instructions.push_back(instruction);
  }

  void result(ValueId value) {
    const auto& readers = g_.readers[value];
    const bool read_outside = std::any_of(readers.begin(), readers.end(), [&](NodeId reader) { return !is_member(reader); });
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
  for (const NodeId member : group.members) text += (text.empty() ? "" : "+") + std::string(info(graph.node(member).op).name);
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

Graph fuse_elementwise(const Graph& graph, FuseOptions options) { return fuse(graph, options.chains, options.epilogues); }

}  // namespace athanor
