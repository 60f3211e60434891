// Algebra that never changes a result by more than the sign of a zero, and never moves a rounding.
#include <algorithm>

#include "graph/attributes.h"
#include "graph/passes/passes.h"
#include "graph/print.h"
#include "graph/rewrite.h"

namespace athanor {
namespace {

class Simplifier {
 public:
  explicit Simplifier(const Graph& graph) : graph_(graph), rewriter_(graph) {}

  Graph run() {
    for (const Node& node : graph_.nodes()) {
      if (!rewrite(node)) rewriter_.copy(node);
    }
    return std::move(rewriter_).finish();
  }

 private:
  Expr input(const Node& node, int index) { return rewriter_.expr(node.inputs[index]); }
  const Node& producer(Expr value) { return rewriter_.to().producer(value.id); }

  bool become(const Node& node, Expr value) {
    rewriter_.replace(node.output(), value.id);
    return true;
  }

  bool has_type_of(Expr value, const Node& node) { return value.type() == graph_.type(node.output()); }

  bool rewrite(const Node& node) {
    rewriter_.to().set_scope(node.scope);
    struct Identity {
      Op op;
      bool (*apply)(Simplifier&, const Node&);
    };
    static constexpr Identity kIdentities[] = {
        {Op::add, [](Simplifier& self, const Node& sum) { return self.drop_neutral(sum, 0, true); }},
        {Op::sub, [](Simplifier& self, const Node& difference) { return self.drop_neutral(difference, 0, false); }},
        {Op::mul, [](Simplifier& self, const Node& product) { return self.drop_neutral(product, 1, true); }},
        {Op::div, [](Simplifier& self, const Node& quotient) { return self.drop_neutral(quotient, 1, false); }},
        {Op::neg, [](Simplifier& self, const Node& negation) { return self.double_negation(negation); }},
        {Op::cast, [](Simplifier& self, const Node& cast) { return self.keep_type(cast); }},
        {Op::broadcast_to, [](Simplifier& self, const Node& broadcast) { return self.keep_type(broadcast); }},
        {Op::stop_gradient, [](Simplifier& self, const Node& stop) { return self.become(stop, self.input(stop, 0)); }},
        {Op::reshape, [](Simplifier& self, const Node& reshape) { return self.chain_reshapes(reshape); }},
        {Op::transpose, [](Simplifier& self, const Node& transpose) { return self.chain_transposes(transpose); }},
        {Op::matmul, [](Simplifier& self, const Node& product) { return self.fold_transposes(product); }},
    };
    for (const Identity& identity : kIdentities) {
      if (identity.op == node.op) return identity.apply(*this, node);
    }
    return false;
  }

  // A cast to its own type, a broadcast to its own shape.
  bool keep_type(const Node& node) { return has_type_of(input(node, 0), node) && become(node, input(node, 0)); }

  // x + 0, x · 1 and the like are x, when the constant does not widen the shape.
  bool drop_neutral(const Node& node, double neutral, bool commutes) {
    for (int side = commutes ? 0 : 1; side < 2; ++side) {
      const auto constant = rewriter_.to().scalar_of(input(node, side).id);
      const Expr other = input(node, 1 - side);
      if (constant && *constant == neutral && has_type_of(other, node)) return become(node, other);
    }
    return false;
  }

  bool double_negation(const Node& node) {
    const Node& inner = producer(input(node, 0));
    return inner.op == Op::neg && become(node, {&rewriter_.to(), inner.inputs[0]});
  }

  bool chain_reshapes(const Node& node) {
    Expr x = input(node, 0);
    while (producer(x).op == Op::reshape) x.id = producer(x).inputs[0];
    if (has_type_of(x, node)) return become(node, x);
    return become(node, reshape(x, graph_.type(node.output()).shape));
  }

  bool chain_transposes(const Node& node) {
    std::vector<Index> order = *attributes::transpose::of(node.attrs).order;
    Expr x = input(node, 0);
    while (producer(x).op == Op::transpose) {
      const std::vector<Index> inner = *attributes::transpose::of(producer(x).attrs).order;
      for (Index& axis : order) axis = inner[axis];
      x.id = producer(x).inputs[0];
    }
    // Moving axes of extent 1 alone leaves every element in its place.
    std::vector<Index> moved;
    for (const Index axis : order) {
      if (x.shape()[static_cast<int>(axis)] != 1) moved.push_back(axis);
    }
    if (std::is_sorted(moved.begin(), moved.end())) return become(node, reshape(x, graph_.type(node.output()).shape));
    return become(node, transpose(x, std::move(order)));
  }

  static bool swaps_last_two(const Node& node) {
    if (node.op != Op::transpose) return false;
    std::vector<Index> order = *attributes::transpose::of(node.attrs).order;
    const std::size_t rank = order.size();
    if (rank < 2) return false;
    std::swap(order[rank - 1], order[rank - 2]);
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (order[axis] != static_cast<Index>(axis)) return false;
    }
    return true;
  }

  bool fold_transposes(const Node& node) {
    Expr a = input(node, 0), b = input(node, 1);
    auto [trans_a, trans_b] = attributes::matmul::of(node.attrs);
    bool folded = false;
    const auto fold = [&](Expr& x, bool& transposed) {
      if (!swaps_last_two(producer(x))) return;
      x.id = producer(x).inputs[0];
      transposed = !transposed;
      folded = true;
    };
    fold(a, trans_a);
    fold(b, trans_b);
    return folded && become(node, matmul(a, b, trans_a, trans_b));
  }

  const Graph& graph_;
  Rewriter rewriter_;
};

}  // namespace

Graph simplify(const Graph& graph) { return Simplifier(graph).run(); }

Graph optimize(const Graph& graph, const Evaluate& evaluate, FuseOptions fuse, std::vector<PassSnapshot>* snapshots) {
  Graph current = graph;
  const auto note = [&](const char* pass) {
    if (snapshots != nullptr) snapshots->push_back({pass, print_text(current)});
  };
  note("traced");
  current = eliminate_dead(current);
  note("eliminate_dead");
  current = simplify(current);
  note("simplify");
  current = fold_constants(current, evaluate);
  note("fold_constants");
  current = eliminate_common(current);
  note("eliminate_common");
  current = eliminate_dead(simplify(current));
  note("simplify");
  current = fuse_elementwise(current, fuse);
  note("fuse");
  current = place_collectives(current);
  return current;
}

}  // namespace athanor
