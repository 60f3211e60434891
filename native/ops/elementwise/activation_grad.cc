// The fused gradient instructions of activations, dx = op(dy, x) or op(dy, y), and their own gradients as compositions.
#include <cmath>
#include <numbers>

#include "ops/elementwise/elementwise_rule.h"

namespace athanor {
namespace {

void vjp_relu_grad(VjpContext& context) {
  const Expr y = context.input(1);
  if (context.wants(0)) set_broadcast(context, 0, apply(Op::relu_grad, {context.dy(), y}));
  if (context.wants(1)) context.set(1, zeros_like(y));
}

// dy (1 - y²)
void vjp_tanh_grad(VjpContext& context) {
  const Expr dy = context.input(0), y = context.input(1), g = context.dy();
  if (context.wants(0)) set_broadcast(context, 0, apply(Op::tanh_grad, {g, y}));
  if (context.wants(1)) set_broadcast(context, 1, g * dy * y * -2.0);
}

// dy y (1 - y)
void vjp_sigmoid_grad(VjpContext& context) {
  const Expr dy = context.input(0), y = context.input(1), g = context.dy();
  if (context.wants(0)) set_broadcast(context, 0, apply(Op::sigmoid_grad, {g, y}));
  if (context.wants(1)) set_broadcast(context, 1, g * dy * (1.0 - y * 2.0));
}

// dy f'(x): the gradient in dy is the instruction again, in x it is dy f''(x).
template <Op self, auto second>
void vjp_activation_grad(VjpContext& context) {
  const Expr dy = context.input(0), x = context.input(1), g = context.dy();
  if (context.wants(0)) set_broadcast(context, 0, apply(self, {g, x}));
  if (context.wants(1)) set_broadcast(context, 1, g * dy * second(x));
}

// gelu = x Φ(x), so gelu'' = φ(x) (2 - x²) with φ the normal density.
Expr gelu_second(Expr x) {
  const Expr density = exp(square(x) * -0.5) * (std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2);
  return density * (2.0 - square(x));
}

// gelu_tanh = x/2 (1 + t), t = tanh u, u = c (x + a x³): y'' = u' (1 - t²) + x/2 ((1 - t²) u'' - 2 t (1 - t²) u'²)
Expr gelu_tanh_second(Expr x) {
  constexpr double a = 0.044715;
  const double c = std::sqrt(2.0 / std::numbers::pi);
  const Expr t = tanh((x + x * square(x) * a) * c);
  const Expr first = (square(x) * (3 * a) + 1.0) * c, second = x * (6 * a * c);
  const Expr bell = 1.0 - square(t);
  return bell * first + x * 0.5 * (bell * second - t * bell * square(first) * 2.0);
}

// silu = x s, s = sigmoid(x): y'' = s (1 - s) (2 + x (1 - 2 s))
Expr silu_second(Expr x) {
  const Expr s = sigmoid(x);
  return s * (1.0 - s) * (x * (1.0 - s * 2.0) + 2.0);
}

}  // namespace

const OpRule rule_relu_grad{infer_binary<Domain::number>, vjp_relu_grad, nullptr, EwOp::relu_grad};
const OpRule rule_gelu_grad{infer_binary<Domain::real>, vjp_activation_grad<Op::gelu_grad, gelu_second>, nullptr,
                            EwOp::gelu_grad};
const OpRule rule_gelu_tanh_grad{infer_binary<Domain::real>, vjp_activation_grad<Op::gelu_tanh_grad, gelu_tanh_second>,
                                 nullptr, EwOp::gelu_tanh_grad};
const OpRule rule_silu_grad{infer_binary<Domain::real>, vjp_activation_grad<Op::silu_grad, silu_second>, nullptr,
                            EwOp::silu_grad};
const OpRule rule_tanh_grad{infer_binary<Domain::real>, vjp_tanh_grad, nullptr, EwOp::tanh_grad};
const OpRule rule_sigmoid_grad{infer_binary<Domain::real>, vjp_sigmoid_grad, nullptr, EwOp::sigmoid_grad};

}  // namespace athanor
