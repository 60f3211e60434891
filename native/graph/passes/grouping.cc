// How elementwise nodes are grouped for fusion, with each other and with the matmul or convolution before them.
//
// A group is a set of elementwise nodes with one root, the last of them; it runs where its root stands. A producer joins the
// group of its consumer when it has the same shape and arithmetic and everybody else who reads it stands after the root: all
// of the group's operands are then made before it and all of its readers come after, so no circle can arise. A group whose
// operand is a matmul or convolution under the same condition becomes the body (epilogue) of that node.
#include <algorithm>
#include <map>
#include <set>

#include "graph/passes/grouping.h"
#include "graph/passes/passes.h"

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

}  // namespace

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

namespace {

// Whether everybody who reads `value` is in the group of `root` or stands after it.
bool readers_allow(const Grouping& g, ValueId value, NodeId root) {
  for (const NodeId reader : g.readers[value]) {
    const bool inside = reader < static_cast<NodeId>(g.root.size()) && g.root[reader] == root;
    if (!inside && reader <= root) return false;
  }
  return true;
}

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

}  // namespace

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

namespace {

// Whether an epilogue can read `operand` alongside a result of shape `shape`: constant or dense along a row of the result.
bool is_row_friendly(const Shape& operand, const Shape& shape, bool planes) {
  const auto strides = broadcast_strides(operand, shape);
  const int last = shape.rank() - 1;
  const Index step = strides[last];
  if (!planes) return step == 0 || step == 1 || shape[last] == 1;
  const bool dense = (step == 1 || shape[last] == 1) && (strides[last - 1] == shape[last] || shape[last - 1] == 1);
  return dense || (step == 0 && strides[last - 1] == 0);
}

}  // namespace

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
  const bool planes = !info(graph.node(best).op).is(kRows);
  for (const NodeId member : group.members) {
    for (const ValueId input : graph.node(member).inputs) {
      if (!members.contains(g.producer[input]) && !is_row_friendly(graph.type(input).shape, shape, planes)) return;
    }
  }
  // The raw product is overwritten in place by the first f32 result, so there must be one.
  if (graph.type(graph.node(root).output()).dtype != DType::f32) return;
  group.anchor = best;
}

}  // namespace athanor
