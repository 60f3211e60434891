// A computation as data: nodes in topological order (a node only reads values made before it), each with one or more typed
// values. The backward pass, the optimizer step and collectives are nodes like any other.
#pragma once
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"
#include "graph/attrs.h"
#include "graph/op.h"
#include "runtime/variable.h"

namespace athanor {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
inline constexpr ValueId kNoValue = -1;

// A straight line of elementwise operations, fused into one node. Its inputs are the node's inputs; a matmul or convolution
// that carries a body has its own raw result as input `raw`, and the body is applied while a tile is still in cache.
struct Body {
  struct Instruction {
    Op op;
    DType dtype;                         // of the result
    std::array<std::int32_t, 3> args{};  // < inputs: an input of the body; otherwise instruction args[i] - inputs
    int arity = 0;
    std::int64_t key = 0;  // random_uniform: the key of its stream
  };
  int inputs = 0;
  std::vector<std::int32_t> node_inputs;  // for every body input, the node's input it reads; kRaw for the raw result
  std::vector<Instruction> instructions;
  std::vector<std::int32_t> results;  // for every output of the node, the argument index that it is
  static constexpr std::int32_t kRaw = -1;
};

struct Node {
  Op op;
  std::vector<ValueId> inputs;
  ValueId first_output = kNoValue;
  int output_count = 0;
  Attrs attrs;
  std::string scope;  // where in the user's model it was traced: "1.attention"
  std::shared_ptr<const Body> body;

  ValueId output(int index = 0) const { return first_output + index; }
};

struct Value {
  Type type;
  NodeId producer;
};

// Host values that a graph carries with it.
struct Constant {
  Type type;
  std::vector<std::byte> bytes;
};

// What an effect works on besides Variables (an optimizer's state, a communicator). Its operation knows the derived type.
class Resource {
 public:
  virtual ~Resource() = default;
};

struct Output {
  std::string name;
  ValueId value;
};

class Graph {
 public:
  // Sources. Names of inputs are unique within a graph.
  ValueId input(const std::string& name, const Type& type);
  ValueId parameter(std::shared_ptr<Variable> variable);
  ValueId constant(Constant constant);
  ValueId scalar(double value, DType dtype = DType::f32);

  // Appends a node; infers its types by the operation's rule, which throws on bad shapes. Returns its first value.
  ValueId apply(Op op, std::vector<ValueId> inputs, Attrs attrs = {}, std::shared_ptr<const Body> body = nullptr);

  // Appends a copy of a node with its types as given (for passes, which change no type).
  ValueId append(const Node& node, std::vector<ValueId> inputs, std::span<const Type> types);

  Index add_resource(std::shared_ptr<Resource> resource);

  // A copy of `variable`'s table entry for this graph; the same variable is entered once.
  Index add_variable(std::shared_ptr<Variable> variable);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[id]; }
  const Node& producer(ValueId value) const { return nodes_[values_[value].producer]; }
  const Type& type(ValueId value) const { return values_[value].type; }
  int value_count() const { return static_cast<int>(values_.size()); }

  const std::vector<std::shared_ptr<Variable>>& variables() const { return variables_; }
  const std::vector<std::shared_ptr<Constant>>& constants() const { return constants_; }
  const std::vector<std::shared_ptr<Resource>>& resources() const { return resources_; }

  // The variable or constant behind a parameter, assign or constant node.
  const std::shared_ptr<Variable>& variable_of(const Node& node) const;
  const Constant& constant_of(const Node& node) const;
  // The value of a rank-0 or one-element constant, when `value` is one.
  std::optional<double> scalar_of(ValueId value) const;

  void set_scope(std::string scope) { scope_ = std::move(scope); }
  const std::string& scope() const { return scope_; }

  // An empty graph that shares this one's tables of variables, constants and resources: what a pass builds into.
  Graph sibling() const;

  std::vector<Output> outputs;

 private:
  std::vector<Node> nodes_;
  std::deque<Value> values_;  // references to types outlive appends: gradient rules hold them while they build nodes
  std::vector<std::shared_ptr<Variable>> variables_;
  std::vector<std::shared_ptr<Constant>> constants_;
  std::vector<std::shared_ptr<Resource>> resources_;
  std::string scope_;
};

}  // namespace athanor
