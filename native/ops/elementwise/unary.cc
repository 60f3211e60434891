// Elementwise operations of one operand, and those that change its type or repeat it.
#include <cmath>
#include <numbers>

#include "graph/attributes.h"
#include "ops/dtype_attr.h"
#include "ops/elementwise/elementwise_rule.h"

namespace athanor {
namespace {

constexpr double kTwoOverSqrtPi = 2.0 * std::numbers::inv_sqrtpi;

Expr d_abs(Expr x, Expr) { return sign(x); }
Expr d_exp(Expr, Expr y) { return y; }
Expr d_expm1(Expr, Expr y) { return y + 1.0; }
Expr d_log(Expr x, Expr) { return reciprocal(x); }
Expr d_log1p(Expr x, Expr) { return reciprocal(x + 1.0); }
Expr d_sqrt(Expr, Expr y) { return scalar(y, 0.5) / y; }
Expr d_rsqrt(Expr, Expr y) { return square(y) * y * -0.5; }
Expr d_square(Expr x, Expr) { return x * 2.0; }
Expr d_reciprocal(Expr, Expr y) { return -square(y); }
Expr d_sin(Expr x, Expr) { return cos(x); }
Expr d_cos(Expr x, Expr) { return -sin(x); }
Expr d_softplus(Expr x, Expr) { return sigmoid(x); }
Expr d_softsign(Expr x, Expr) { return square(reciprocal(apply(Op::abs, {x}) + 1.0)); }
// 0 up to -3 and 1 from 3 on, as PyTorch.
Expr d_hardswish(Expr x, Expr) {
  const Expr inner = where(compare(Op::le, x, -3.0), zeros_like(x), x * (1.0 / 3.0) + 0.5);
  return where(compare(Op::lt, x, 3.0), inner, zeros_like(x) + 1.0);
}
// tanh s + x (1 - tanh² s) sigmoid(x), s = softplus(x)
Expr d_mish(Expr x, Expr) {
  const Expr t = tanh(apply(Op::softplus, {x}));
  return t + x * (1.0 - square(t)) * sigmoid(x);
}
Expr d_selu(Expr x, Expr) {
  constexpr double kScale = 1.0507009873554804934, kAlpha = 1.6732632423543772848;
  const Expr below = exp(apply(Op::minimum, {x, scalar(x, 0.0)})) * (kScale * kAlpha);
  return where(compare(Op::gt, x, 0.0), zeros_like(x) + kScale, below);
}
Expr d_erf(Expr x, Expr) { return exp(-square(x)) * kTwoOverSqrtPi; }

void vjp_neg(VjpContext& context) { context.set(0, -context.dy()); }
void vjp_zero(VjpContext& context) { context.set(0, zeros_like(context.input(0))); }

void infer_cast(InferContext& context) {
  context.outputs.push_back(
      {parse_dtype(context.name, attributes::cast::of(context.attrs).dtype), context.inputs[0].shape});
}

void vjp_cast(VjpContext& context) {
  if (is_float(context.input(0).dtype())) context.set(0, cast(context.dy(), context.input(0).dtype()));
}

void infer_broadcast_to(InferContext& context) {
  const Type& x = context.inputs[0];
  const Shape shape(attributes::broadcast_to::of(context.attrs).shape);
  check(x.shape.rank() <= shape.rank() && broadcast(context.name, x.shape, shape) == shape, Code::shape,
        [&] { return "broadcast_to: " + to_string(x.shape) + " does not broadcast to " + to_string(shape); });
  context.outputs.push_back({x.dtype, shape});
}

void vjp_broadcast_to(VjpContext& context) { set_broadcast(context, 0, context.dy()); }

}  // namespace

const OpRule rule_neg{infer_unary<Domain::number>, vjp_neg, nullptr, EwOp::neg};
const OpRule rule_abs{infer_unary<Domain::number>, vjp_unary<d_abs>, nullptr, EwOp::abs};
const OpRule rule_sign{infer_unary<Domain::number>, vjp_zero, nullptr, EwOp::sign};
const OpRule rule_exp{infer_unary<Domain::real>, vjp_unary<d_exp>, nullptr, EwOp::exp};
const OpRule rule_expm1{infer_unary<Domain::real>, vjp_unary<d_expm1>, nullptr, EwOp::expm1};
const OpRule rule_log{infer_unary<Domain::real>, vjp_unary<d_log>, nullptr, EwOp::log};
const OpRule rule_log1p{infer_unary<Domain::real>, vjp_unary<d_log1p>, nullptr, EwOp::log1p};
const OpRule rule_sqrt{infer_unary<Domain::real>, vjp_unary<d_sqrt>, nullptr, EwOp::sqrt};
const OpRule rule_rsqrt{infer_unary<Domain::real>, vjp_unary<d_rsqrt>, nullptr, EwOp::rsqrt};
const OpRule rule_square{infer_unary<Domain::number>, vjp_unary<d_square>, nullptr, EwOp::square};
const OpRule rule_reciprocal{infer_unary<Domain::real>, vjp_unary<d_reciprocal>, nullptr, EwOp::reciprocal};
const OpRule rule_sin{infer_unary<Domain::real>, vjp_unary<d_sin>, nullptr, EwOp::sin};
const OpRule rule_cos{infer_unary<Domain::real>, vjp_unary<d_cos>, nullptr, EwOp::cos};
const OpRule rule_tanh{infer_unary<Domain::real>, vjp_fused<Op::tanh_grad, true>, nullptr, EwOp::tanh};
const OpRule rule_sigmoid{infer_unary<Domain::real>, vjp_fused<Op::sigmoid_grad, true>, nullptr, EwOp::sigmoid};
const OpRule rule_relu{infer_unary<Domain::number>, vjp_fused<Op::relu_grad, true>, nullptr, EwOp::relu};
const OpRule rule_gelu{infer_unary<Domain::real>, vjp_fused<Op::gelu_grad, false>, nullptr, EwOp::gelu};
const OpRule rule_gelu_tanh{infer_unary<Domain::real>, vjp_fused<Op::gelu_tanh_grad, false>, nullptr, EwOp::gelu_tanh};
const OpRule rule_silu{infer_unary<Domain::real>, vjp_fused<Op::silu_grad, false>, nullptr, EwOp::silu};
const OpRule rule_softplus{infer_unary<Domain::real>, vjp_unary<d_softplus>, nullptr, EwOp::softplus};
const OpRule rule_softsign{infer_unary<Domain::real>, vjp_unary<d_softsign>, nullptr, EwOp::softsign};
const OpRule rule_hardswish{infer_unary<Domain::real>, vjp_unary<d_hardswish>, nullptr, EwOp::hardswish};
const OpRule rule_mish{infer_unary<Domain::real>, vjp_unary<d_mish>, nullptr, EwOp::mish};
const OpRule rule_selu{infer_unary<Domain::real>, vjp_unary<d_selu>, nullptr, EwOp::selu};
const OpRule rule_erf{infer_unary<Domain::real>, vjp_unary<d_erf>, nullptr, EwOp::erf};
const OpRule rule_floor{infer_unary<Domain::number>, vjp_zero, nullptr, EwOp::floor};
const OpRule rule_ceil{infer_unary<Domain::number>, vjp_zero, nullptr, EwOp::ceil};
const OpRule rule_round{infer_unary<Domain::number>, vjp_zero, nullptr, EwOp::round};
const OpRule rule_logical_not{infer_predicate, nullptr, nullptr, EwOp::logical_not};
const OpRule rule_is_finite{infer_predicate, nullptr, nullptr, EwOp::is_finite};
const OpRule rule_is_nan{infer_predicate, nullptr, nullptr, EwOp::is_nan};
const OpRule rule_cast{infer_cast, vjp_cast, nullptr, EwOp::copy};
const OpRule rule_broadcast_to{infer_broadcast_to, vjp_broadcast_to, nullptr, EwOp::copy};
const OpRule rule_stop_gradient{infer_unary<Domain::any>, vjp_zero};

}  // namespace athanor
