// Handles to values with arithmetic, so that a gradient rule reads like its formula: ctx.set(0, dy * cos(x)).
#pragma once
#include <vector>

#include "graph/graph.h"

namespace athanor {

struct Expr {
  Graph* graph = nullptr;
  ValueId id = kNoValue;

  explicit operator bool() const { return id != kNoValue; }
  const Type& type() const { return graph->type(id); }
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
};

Expr apply(Op op, std::initializer_list<Expr> inputs, Attrs attrs = {});

// Output `index` of the node that made `first`.
inline Expr output(Expr first, int index) { return {first.graph, first.graph->producer(first.id).output(index)}; }

// A scalar constant of `like`'s element type.
Expr scalar(Expr like, double value);
// Zeros of `like`'s type.
Expr zeros_like(Expr like);

Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator-(Expr a);
Expr operator+(Expr a, double b);
Expr operator*(Expr a, double b);
Expr operator-(double a, Expr b);

inline Expr exp(Expr x) { return apply(Op::exp, {x}); }
inline Expr log(Expr x) { return apply(Op::log, {x}); }
inline Expr sin(Expr x) { return apply(Op::sin, {x}); }
inline Expr cos(Expr x) { return apply(Op::cos, {x}); }
inline Expr sqrt(Expr x) { return apply(Op::sqrt, {x}); }
inline Expr square(Expr x) { return apply(Op::square, {x}); }
inline Expr sign(Expr x) { return apply(Op::sign, {x}); }
inline Expr sigmoid(Expr x) { return apply(Op::sigmoid, {x}); }
inline Expr tanh(Expr x) { return apply(Op::tanh, {x}); }
inline Expr reciprocal(Expr x) { return apply(Op::reciprocal, {x}); }
inline Expr where(Expr condition, Expr a, Expr b) { return apply(Op::where, {condition, a, b}); }
Expr compare(Op op, Expr a, double b);

Expr sum(Expr x, std::vector<Index> axes, bool keep = false);
Expr mean(Expr x, std::vector<Index> axes, bool keep = false);
Expr reshape(Expr x, const Shape& shape);
Expr transpose(Expr x, std::vector<Index> order);
Expr swap_last_two(Expr x);
Expr broadcast_to(Expr x, const Shape& shape);
Expr cast(Expr x, DType dtype);
Expr matmul(Expr a, Expr b, bool trans_a = false, bool trans_b = false);

// The adjoint of broadcasting: sums the axes along which `shape` was repeated to give x's shape.
Expr sum_to(Expr x, const Shape& shape);

}  // namespace athanor
