// Elementwise operations of two operands with broadcasting, comparisons, logic and `where`.
#include "ops/elementwise/elementwise_rule.h"

namespace athanor {
namespace {

void vjp_add(VjpContext& context) {
  set_broadcast(context, 0, context.dy());
  set_broadcast(context, 1, context.dy());
}

void vjp_sub(VjpContext& context) {
  set_broadcast(context, 0, context.dy());
  if (context.wants(1)) set_broadcast(context, 1, -context.dy());
}

void vjp_mul(VjpContext& context) {
  if (context.wants(0)) set_broadcast(context, 0, context.dy() * context.input(1));
  if (context.wants(1)) set_broadcast(context, 1, context.dy() * context.input(0));
}

void vjp_div(VjpContext& context) {
  const Expr b = context.input(1);
  if (context.wants(0)) set_broadcast(context, 0, context.dy() / b);
  if (context.wants(1)) set_broadcast(context, 1, -(context.dy() * context.output() / b));
}

// d(a^b) = b a^(b-1) da + a^b log(a) db, where 0^b of b >= 0 counts as having no slope in b, as in PyTorch.
void vjp_pow(VjpContext& context) {
  const Expr a = context.input(0), b = context.input(1), dy = context.dy();
  if (context.wants(0)) {
    const Expr slope = b * apply(Op::pow, {a, b + -1.0});
    set_broadcast(context, 0, dy * where(compare(Op::eq, b, 0), zeros_like(slope), slope));
  }
  if (context.wants(1)) {
    const Expr slope = context.output() * log(a);
    const Expr flat = apply(Op::logical_and, {compare(Op::eq, a, 0), compare(Op::ge, b, 0)});
    set_broadcast(context, 1, dy * where(flat, zeros_like(slope), slope));
  }
}

// Ties share the gradient, and a NaN gives it to both, as in PyTorch's maximum and minimum: `loses` tells what is not the extremum.
template <Op loses>
void vjp_extremum(VjpContext& context) {
  const Expr a = context.input(0), b = context.input(1), dy = context.dy();
  const Expr shared = where(apply(Op::eq, {a, b}), dy * 0.5, dy), none = scalar(dy, 0);
  if (context.wants(0)) set_broadcast(context, 0, where(apply(loses, {a, b}), none, shared));
  if (context.wants(1)) set_broadcast(context, 1, where(apply(loses, {b, a}), none, shared));
}

// a mod b = a - b floor(a / b)
void vjp_mod(VjpContext& context) {
  const Expr a = context.input(0), b = context.input(1);
  set_broadcast(context, 0, context.dy());
  if (context.wants(1)) set_broadcast(context, 1, -(context.dy() * apply(Op::floor, {a / b})));
}

void infer_where(InferContext& context) {
  const Type &condition = context.inputs[0], &a = context.inputs[1], &b = context.inputs[2];
  check(condition.dtype == DType::boolean, Code::dtype, [&] {
    return std::string("where: the condition must be bool, got ") + name_of(condition.dtype) +
           "; compare it with something";
  });
  require_same_dtype(context.name, a, b);
  const Shape values = broadcast(context.name, a.shape, b.shape);
  context.outputs.push_back({a.dtype, broadcast(context.name, condition.shape, values)});
}

void vjp_where(VjpContext& context) {
  const Expr condition = context.input(0), dy = context.dy();
  const Expr none = scalar(dy, 0);
  if (context.wants(1)) set_broadcast(context, 1, where(condition, dy, none));
  if (context.wants(2)) set_broadcast(context, 2, where(condition, none, dy));
}

}  // namespace

const OpRule rule_add{infer_binary<Domain::number>, vjp_add, nullptr, EwOp::add};
const OpRule rule_sub{infer_binary<Domain::number>, vjp_sub, nullptr, EwOp::sub};
const OpRule rule_mul{infer_binary<Domain::number>, vjp_mul, nullptr, EwOp::mul};
const OpRule rule_div{infer_binary<Domain::number>, vjp_div, nullptr, EwOp::div};
const OpRule rule_pow{infer_binary<Domain::number>, vjp_pow, nullptr, EwOp::pow};
const OpRule rule_minimum{infer_binary<Domain::number>, vjp_extremum<Op::gt>, nullptr, EwOp::minimum};
const OpRule rule_maximum{infer_binary<Domain::number>, vjp_extremum<Op::lt>, nullptr, EwOp::maximum};
const OpRule rule_mod{infer_binary<Domain::number>, vjp_mod, nullptr, EwOp::mod};
const OpRule rule_eq{infer_comparison, nullptr, nullptr, EwOp::eq};
const OpRule rule_ne{infer_comparison, nullptr, nullptr, EwOp::ne};
const OpRule rule_lt{infer_comparison, nullptr, nullptr, EwOp::lt};
const OpRule rule_le{infer_comparison, nullptr, nullptr, EwOp::le};
const OpRule rule_gt{infer_comparison, nullptr, nullptr, EwOp::gt};
const OpRule rule_ge{infer_comparison, nullptr, nullptr, EwOp::ge};
const OpRule rule_logical_and{infer_comparison, nullptr, nullptr, EwOp::logical_and};
const OpRule rule_logical_or{infer_comparison, nullptr, nullptr, EwOp::logical_or};
const OpRule rule_logical_xor{infer_comparison, nullptr, nullptr, EwOp::logical_xor};
const OpRule rule_where{infer_where, vjp_where, nullptr, EwOp::where};

}  // namespace athanor
