// What the elementwise families share: their shape and type rules. They have no lowering of their own, the fuser makes `fused`
// nodes of them.
#pragma once
#include <string>

#include "base/error.h"
#include "graph/lower.h"
#include "graph/vjp.h"

namespace athanor {

// Which element types an elementwise operation takes.
enum class Domain { any, number, real };

// y has x's type.
template <Domain domain>
void infer_unary(InferContext& context) {
  const Type& x = context.inputs[0];
  const bool ok = domain == Domain::any || is_float(x.dtype) || (domain == Domain::number && x.dtype == DType::i32);
  check(ok, Code::dtype, [&] {
    return std::string(context.name) + ": takes " + (domain == Domain::real ? "floats" : "floats or i32") + ", got " +
           name_of(x.dtype) + "; cast it to f32 first";
  });
  context.outputs.push_back(x);
}

// y is bool of x's shape.
inline void infer_predicate(InferContext& context) {
  context.outputs.push_back({DType::boolean, context.inputs[0].shape});
}

inline void require_same_dtype(const char* name, const Type& a, const Type& b) {
  check(a.dtype == b.dtype, Code::dtype, [&] {
    return std::string(name) + ": operands must have one element type, got " + name_of(a.dtype) + " and " +
           name_of(b.dtype) + "; cast one of them";
  });
}

// Broadcast shape, one common element type, numbers alone.
template <Domain domain>
void infer_binary(InferContext& context) {
  const Type &a = context.inputs[0], &b = context.inputs[1];
  require_same_dtype(context.name, a, b);
  const bool ok = domain == Domain::any || is_float(a.dtype) || (domain == Domain::number && a.dtype == DType::i32);
  check(ok, Code::dtype, [&] {
    return std::string(context.name) + ": takes " + (domain == Domain::real ? "floats" : "floats or i32") + ", got " +
           name_of(a.dtype) + "; cast both to f32 or i32 first";
  });
  context.outputs.push_back({a.dtype, broadcast(context.name, a.shape, b.shape)});
}

// As infer_binary for any type, but the result is bool.
inline void infer_comparison(InferContext& context) {
  require_same_dtype(context.name, context.inputs[0], context.inputs[1]);
  context.outputs.push_back(
      {DType::boolean, broadcast(context.name, context.inputs[0].shape, context.inputs[1].shape)});
}

// d/dx of a unary operation, where `derivative(x, y)` is its formula in x and the result y.
template <auto derivative>
void vjp_unary(VjpContext& context) {
  context.set(0, context.dy() * derivative(context.input(0), context.output()));
}

// Through one of the fused gradient instructions, dx = op(dy, x) or op(dy, y).
template <Op grad, bool from_output>
void vjp_fused(VjpContext& context) {
  context.set(0, apply(grad, {context.dy(), from_output ? context.output() : context.input(0)}));
}

// Sets a broadcast operand's gradient, summed back to its own shape.
inline void set_broadcast(VjpContext& context, int index, Expr gradient) {
  context.set(index, sum_to(gradient, context.input(index).shape()));
}

}  // namespace athanor
