// The instructions of f64 programs: the C library's functions, as on the CPU.
#pragma once
#include "cuda/kernels/elementwise/elementwise_machine.cuh"

namespace athanor::cuda {

ATHANOR_DEVICE double sigmoid_f64(double x) {
  const double e = ::exp(-fabs(x));
  return (x < 0 ? e : 1.0) / (1.0 + e);
}
ATHANOR_DEVICE double normal_cdf_f64(double x) { return 0.5 * (1.0 + ::erf(x * 0.70710678118654752440)); }
ATHANOR_DEVICE double gelu_tanh_inner_f64(double x) { return 1.5957691216057307117 * (x + 0.044715 * x * x * x); }
ATHANOR_DEVICE double hardswish_f64(double x) {
  const double ramp = x + 3.0;
  return x * ((ramp < 0 ? 0.0 : ramp > 6.0 ? 6.0 : ramp) / 6.0);
}
ATHANOR_DEVICE double mish_f64(double x) {
  const double e = ::exp(x < 40.0 ? x : 40.0), w = e * (e + 2.0);
  return x * (w / (w + 2.0));
}
ATHANOR_DEVICE double selu_f64(double x) {
  return x > 0 ? 1.0507009873554804934 * x : 1.7580993408473768599 * ::expm1(x);
}
ATHANOR_DEVICE double modulo_f64(double x, double y) {
  const double r = ::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
ATHANOR_DEVICE double gelu_grad_f64(double dy, double x) {
  const double density = 0.39894228040143267794 * ::exp(-0.5 * x * x);
  return dy * (normal_cdf_f64(x) + (density == 0 ? 0.0 : x * density));
}
ATHANOR_DEVICE double gelu_tanh_grad_f64(double dy, double x) {
  const double s = sigmoid_f64(gelu_tanh_inner_f64(x)), slope = s * sigmoid_f64(-gelu_tanh_inner_f64(x));
  return dy * (s + (slope == 0 ? 0.0 : x * slope * 1.5957691216057307117 * (1.0 + 3 * 0.044715 * x * x)));
}

template <>
struct EwFunctions<double> {
  using T = double;
  template <class Visit>
  static ATHANOR_DEVICE void of(EwOp op, const Visit& visit) {
    switch (op) {
      EW_CASE(copy, true, x)
      EW_CASE(exp, false, ::exp(x))
      EW_CASE(expm1, false, ::expm1(x))
      EW_CASE(log, false, ::log(x))
      EW_CASE(log1p, false, ::log1p(x))
      EW_CASE(sqrt, false, ::sqrt(x))
      EW_CASE(rsqrt, false, 1.0 / ::sqrt(x))
      EW_CASE(reciprocal, false, 1.0 / x)
      EW_CASE(sin, false, ::sin(x))
      EW_CASE(cos, false, ::cos(x))
      EW_CASE(tanh, false, ::tanh(x))
      EW_CASE(sigmoid, false, sigmoid_f64(x))
      EW_CASE(erf, false, ::erf(x))
      EW_CASE(gelu, false, x * normal_cdf_f64(x))
      EW_CASE(gelu_tanh, false, x * sigmoid_f64(gelu_tanh_inner_f64(x)))
      EW_CASE(silu, false, x * sigmoid_f64(x))
      EW_CASE(softplus, false, (x > 0 ? x : x != x ? x : 0.0) + ::log1p(::exp(-fabs(x))))
      EW_CASE(softsign, false, x / (1.0 + fabs(x)))
      EW_CASE(hardswish, true, hardswish_f64(x))
      EW_CASE(mish, false, mish_f64(x))
      EW_CASE(selu, false, selu_f64(x))
      EW_CASE(floor, true, ::floor(x))
      EW_CASE(ceil, true, ::ceil(x))
      EW_CASE(trunc, true, ::trunc(x))
      EW_CASE(round, true, ::rint(x))
      EW_CASE(is_finite, true, fabs(x) < __builtin_bit_cast(double, 0x7ff0000000000000ull) ? 1.0 : 0.0)
      EW_CASE(is_nan, true, x != x ? 1.0 : 0.0)
      EW_CASE(sign, true, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
      EW_CASE(neg, true, -x)
      EW_CASE(abs, true, fabs(x))
      EW_CASE(square, true, x * x)
      EW_CASE(relu, true, x < 0 ? 0.0 : x)
      EW_CASE(add, true, x + y)
      EW_CASE(sub, true, x - y)
      EW_CASE(mul, true, x * y)
      EW_CASE(div, false, x / y)
      EW_CASE(pow, false, ::pow(x, y))
      EW_CASE(minimum, true, x != x ? x : x < y ? x : y)
      EW_CASE(maximum, true, x != x ? x : x > y ? x : y)
      EW_CASE(mod, false, modulo_f64(x, y))
      EW_CASE(tanh_grad, true, x * (1.0 - y * y))
      EW_CASE(sigmoid_grad, true, x * y * (1.0 - y))
      EW_CASE(add_relu, true, x + y < 0 ? 0.0 : x + y)
      EW_CASE(gelu_grad, false, gelu_grad_f64(x, y))
      EW_CASE(gelu_tanh_grad, false, gelu_tanh_grad_f64(x, y))
      EW_CASE(silu_grad, false, x * sigmoid_f64(y) * (1.0 + y * sigmoid_f64(-y)))
      EW_CASE(fma, true, ::fma(x, y, z))
      EW_CASE(logical_not, true, x == 0 ? 1.0 : 0.0)
      EW_CASE(eq, true, x == y ? 1.0 : 0.0)
      EW_CASE(ne, true, x != y ? 1.0 : 0.0)
      EW_CASE(lt, true, x < y ? 1.0 : 0.0)
      EW_CASE(le, true, x <= y ? 1.0 : 0.0)
      EW_CASE(gt, true, x > y ? 1.0 : 0.0)
      EW_CASE(ge, true, x >= y ? 1.0 : 0.0)
      EW_CASE(logical_and, true, x != 0 && y != 0 ? 1.0 : 0.0)
      EW_CASE(logical_or, true, x != 0 || y != 0 ? 1.0 : 0.0)
      EW_CASE(logical_xor, true, (x != 0) != (y != 0) ? 1.0 : 0.0)
      EW_CASE(relu_grad, true, y <= 0 ? 0.0 : x)
      EW_CASE(where, true, x != 0 ? y : z)
#define EW_OP(name, inputs, types, part) EW_REST_##types##_##part(name)
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
      return;
    }
  }
};

}  // namespace athanor::cuda
