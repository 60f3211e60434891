// What a gradient rule sees: the node's operands and results and the gradients of its results; it sets those of its operands.
#pragma once
#include <initializer_list>
#include <span>
#include <vector>

#include "base/function_ref.h"
#include "graph/expr.h"

namespace athanor {

class VjpContext {
 public:
  VjpContext(Graph& graph, const Node& node, std::vector<Expr> dy, std::vector<bool> wanted);

  Graph& graph() const { return graph_; }
  const Attrs& attrs() const { return node_.attrs; }
  Op op() const { return node_.op; }
  int input_count() const { return static_cast<int>(node_.inputs.size()); }
  Expr input(int index) const { return {&graph_, node_.inputs[index]}; }
  Expr output(int index = 0) const { return {&graph_, node_.output(index)}; }

  // Gradient of output `index`; empty when nothing flows back into it.
  Expr dy(int index = 0) const { return dy_[index]; }
  // Gradient of output `index`, zeros when nothing flows back into it.
  Expr dy_or_zeros(int index) const { return dy_[index] ? dy_[index] : zeros_like(output(index)); }

  // Whether anybody needs the gradient of operand `index`; rules may skip costly ones.
  bool wants(int index) const { return wanted_[index]; }
  void set(int index, Expr gradient) { gradients_[index] = gradient; }

  const std::vector<Expr>& gradients() const { return gradients_; }

 private:
  Graph& graph_;
  Node node_;  // a copy: building the rule's nodes moves the graph's own
  std::vector<Expr> dy_;
  std::vector<bool> wanted_;
  std::vector<Expr> gradients_;
};

// Appends the nodes of the reverse sweep and returns d(loss)/d(w) for every w in `wrt`, zeros where loss does not depend on it.
// `loss` must be a float with one element. Throws Code::unsupported naming the operation that has no gradient.
std::vector<ValueId> gradients(Graph& graph, ValueId loss, const std::vector<ValueId>& wrt);

// The gradient rule of an operation that is itself the gradient of a fused operation: `unfused` writes the latter's result in plain
// operations, which are then differentiated twice. `operands` are those of the fused operation among this node's, in its order; `dy`
// is the gradient of its result. What the fused operation kept for its gradient (a mean, a log-sum-exp) is computed anew.
void differentiate_unfused(VjpContext& context, std::initializer_list<int> operands, int dy,
                           FunctionRef<Expr(std::span<const Expr>)> unfused);

}  // namespace athanor
