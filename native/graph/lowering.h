// From a compiled graph to the layout of its memory: slots, the order of steps, lifetimes, plan and report. All of it is the same for
// every device; an Emitter adds what a device runs for each node, a step at a time.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/layout.h"

namespace athanor {

struct Work {
  double flops = 0;
  double bytes = 0;  // 0: the sum of the node's operands and results
};

// A step as lowered, but for what it runs: the emitter keeps that under the same number.
struct Step {
  NodeId node;  // -1: a copy that no node asked for
  Op op;
  std::string detail;
  Work work;
};

struct Workspace {
  Slot slot;
  Index bytes;
  NodeId node;  // it lives while this node's steps run; -1: for the whole run
};

// What the lowering of all nodes of a graph shares.
struct LowerState {
  std::vector<Slot> slot_of;  // of every value
  std::vector<bool> fixed;    // for every value, whether it is a parameter or constant that no effect here changes
  std::vector<Step> steps;
  std::vector<Workspace> workspaces;
  Slot next_slot = 0;
};

// A node on its way to steps: where its operands and results will be.
class NodeContext {
 public:
  NodeContext(const Graph& graph, NodeId id, LowerState& state)
      : graph(graph), node(graph.node(id)), id_(id), state_(state) {}

  const Graph& graph;
  const Node& node;

  const Attrs& attrs() const { return node.attrs; }
  int input_count() const { return static_cast<int>(node.inputs.size()); }
  const Type& input_type(int index) const { return graph.type(node.inputs[index]); }
  const Type& output_type(int index = 0) const { return graph.type(node.output(index)); }
  Slot input(int index) const { return state_.slot_of[node.inputs[index]]; }
  Slot output(int index = 0) const { return state_.slot_of[node.output(index)]; }

  // Whether anything reads output `index`; a kernel may skip an unread one.
  bool is_used(int index) const;

  // Memory for this node's steps alone, 64-byte aligned.
  Slot workspace(Index bytes);

  // Whether an operand is a parameter or constant that this program does not change.
  bool is_fixed(int operand) const { return state_.fixed[node.inputs[operand]]; }

  // "matmul (layer "1")": the head of an error sentence that names the user's layer.
  std::string where() const;

 protected:
  // Enters a step of this node; its number.
  std::size_t enter(std::string detail, Work work);

  NodeId id_;
  LowerState& state_;
};

class Emitter {
 public:
  virtual ~Emitter() = default;

  // Enters the steps of a node in `state` and keeps what they run.
  virtual void lower(const Graph& graph, NodeId id, LowerState& state) = 0;

  // Keeps what copies `bytes` from one slot to another: the step is entered already.
  virtual void copy(Slot to, Slot from, Index bytes) = 0;

  // Gives slots of its own their bindings.
  virtual void bind(std::vector<Binding>& bindings) = 0;

  // Of every value and workspace, in bytes.
  virtual Index alignment() const { return 64; }
};

Layout lower(std::shared_ptr<const Graph> graph, Emitter& emitter);

}  // namespace athanor
