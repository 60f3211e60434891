#include "graph/expr.h"
#include "graph/attributes.h"

namespace athanor {

Expr apply(Op op, std::initializer_list<Expr> inputs, Attrs attrs) {
  std::vector<ValueId> ids;
  for (const Expr& input : inputs) ids.push_back(input.id);
  Graph* graph = inputs.begin()->graph;
  return {graph, graph->apply(op, std::move(ids), std::move(attrs))};
}

Expr scalar(Expr like, double value) { return {like.graph, like.graph->scalar(value, like.dtype())}; }

Expr zeros_like(Expr like) { return broadcast_to(scalar(like, 0), like.shape()); }

Expr operator+(Expr a, Expr b) { return apply(Op::add, {a, b}); }
Expr operator-(Expr a, Expr b) { return apply(Op::sub, {a, b}); }
Expr operator*(Expr a, Expr b) { return apply(Op::mul, {a, b}); }
Expr operator/(Expr a, Expr b) { return apply(Op::div, {a, b}); }
Expr operator-(Expr a) { return apply(Op::neg, {a}); }
Expr operator+(Expr a, double b) { return a + scalar(a, b); }
Expr operator*(Expr a, double b) { return a * scalar(a, b); }
Expr operator-(double a, Expr b) { return scalar(b, a) - b; }

Expr compare(Op op, Expr a, double b) { return apply(op, {a, scalar(a, b)}); }

Expr sum(Expr x, std::vector<Index> axes, bool keep) {
  return apply(Op::sum, {x}, attributes::sum{.axes = std::move(axes), .keep = keep});
}

Expr mean(Expr x, std::vector<Index> axes, bool keep) {
  return apply(Op::mean, {x}, attributes::mean{.axes = std::move(axes), .keep = keep});
}

Expr reshape(Expr x, const Shape& shape) {
  return x.shape() == shape ? x : apply(Op::reshape, {x}, attributes::reshape{.shape = shape.to_vector()});
}

Expr transpose(Expr x, std::vector<Index> order) {
  return apply(Op::transpose, {x}, attributes::transpose{.order = std::move(order)});
}

Expr swap_last_two(Expr x) {
  std::vector<Index> order;
  for (int axis = 0; axis < x.shape().rank(); ++axis) order.push_back(axis);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return transpose(x, std::move(order));
}

Expr broadcast_to(Expr x, const Shape& shape) {
  return x.shape() == shape ? x : apply(Op::broadcast_to, {x}, attributes::broadcast_to{.shape = shape.to_vector()});
}

Expr cast(Expr x, DType dtype) {
  return x.dtype() == dtype ? x : apply(Op::cast, {x}, attributes::cast{.dtype = name_of(dtype)});
}

Expr matmul(Expr a, Expr b, bool trans_a, bool trans_b) {
  return apply(Op::matmul, {a, b}, attributes::matmul{.trans_a = trans_a, .trans_b = trans_b});
}

Expr sum_to(Expr x, const Shape& shape) {
  if (x.shape() == shape) return x;
  std::vector<Index> axes;
  const int lead = x.shape().rank() - shape.rank();
  for (int axis = 0; axis < x.shape().rank(); ++axis) {
    if (axis < lead || (shape[axis - lead] == 1 && x.shape()[axis] != 1)) axes.push_back(axis);
  }
  return reshape(sum(x, std::move(axes), true), shape);
}

}  // namespace athanor
