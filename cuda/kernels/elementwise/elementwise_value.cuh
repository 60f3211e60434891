// One element of an elementwise program: conversions between memory and compute types, and every instruction. The formulas are those of
// kernels/elementwise/elementwise_f32.inl.h and kernels/elementwise/elementwise_plain.cc, which is where they are explained.
#pragma once
#include "cuda/kernels/elementwise/elementwise.cuh"

namespace athanor::cuda {

ATHANOR_DEVICE std::int32_t saturate_i32(double x) {
  if (!(x == x)) return 0;
  if (x <= -2147483648.0) return INT32_MIN;
  return x >= 2147483647.0 ? INT32_MAX : static_cast<std::int32_t>(x);
}

template <class T>
ATHANOR_DEVICE T from_float(float x) {
  if constexpr (std::is_same_v<T, std::int32_t>) return saturate_i32(static_cast<double>(x));
  return static_cast<T>(x);
}
template <class T>
ATHANOR_DEVICE T from_double(double x) {
  if constexpr (std::is_same_v<T, std::int32_t>) return saturate_i32(x);
  return static_cast<T>(x);
}

template <class T>
ATHANOR_DEVICE T load_element(const void* data, DType type, Index i) {
  switch (type) {
    case DType::f32: return from_float<T>(static_cast<const float*>(data)[i]);
    case DType::f64: return from_double<T>(static_cast<const double*>(data)[i]);
    case DType::i32: return static_cast<T>(static_cast<const std::int32_t*>(data)[i]);
    case DType::u8: return static_cast<T>(static_cast<const std::uint8_t*>(data)[i]);
    case DType::boolean: return static_cast<T>(static_cast<const std::uint8_t*>(data)[i] != 0);
    case DType::bf16: return from_float<T>(to_f32(Bf16{static_cast<const std::uint16_t*>(data)[i]}));
  }
  return T{};
}

template <class T>
ATHANOR_DEVICE std::uint8_t to_u8(T x) {
  if constexpr (std::is_same_v<T, std::int32_t>) return static_cast<std::uint8_t>(x);
  return static_cast<std::uint8_t>(x >= T{255} ? T{255} : x > T{0} ? x : T{0});
}

template <class T>
ATHANOR_DEVICE std::int32_t to_i32(T x) {
  if constexpr (std::is_same_v<T, std::int32_t>) return x;
  return saturate_i32(static_cast<double>(x));
}

template <class T>
ATHANOR_DEVICE void store_element(void* data, DType type, Index i, T x) {
  switch (type) {
    case DType::f32: static_cast<float*>(data)[i] = static_cast<float>(x); return;
    case DType::f64: static_cast<double*>(data)[i] = static_cast<double>(x); return;
    case DType::i32: static_cast<std::int32_t*>(data)[i] = to_i32(x); return;
    case DType::u8: static_cast<std::uint8_t*>(data)[i] = to_u8(x); return;
    case DType::boolean: static_cast<std::uint8_t*>(data)[i] = x != T{0} ? 1 : 0; return;
    case DType::bf16: static_cast<std::uint16_t*>(data)[i] = to_bf16(static_cast<float>(x)).bits; return;
  }
}

ATHANOR_DEVICE float power_f32(float x, float y) {
  const kernels::lane::PowParts parts = kernels::lane::split_pow(Vec{x});
  float whole, p;
  kernels::lane::pow_middle(parts.e.v, parts.m.v, kernels::lane::finite_exponent(Vec{y}).v, whole, p);
  return kernels::lane::join_pow(Vec{x}, Vec{y}, Vec{whole}, Vec{p}).v;
}

ATHANOR_DEVICE float modulo_f32(float x, float y) {
  const float r = fmodf(x, y);
  return r != 0.0f && (r < 0.0f) != (y < 0.0f) ? r + y : r;
}
ATHANOR_DEVICE float sign_f32(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

// Calls visit(function) with the function of op in that type; a function takes (x, y, z) and gives the result.
template <class T>
struct EwFunctions;

// What the switches have besides: instructions that the machine does itself, and in i32 those of floats. An instruction of
// kernels/elementwise/elementwise.def that a switch forgets does not compile.
#if !defined(__CUDACC__)
#pragma GCC diagnostic error "-Wswitch"
#endif
#define EW_REST_all_machine(name) case EwOp::name:
#define EW_REST_floats_machine(name) case EwOp::name:
#define EW_REST_all_function(name)
#define EW_REST_all_sum(name)
#define EW_REST_floats_function(name)
#define EW_REST_floats_sum(name)

#define EW_CASE(name, cheap, expression)                                             \
  case EwOp::name:                                                                   \
    return visit.template run<inputs_of(EwOp::name), cheap>([](T x, T y, T z) -> T { \
      (void)x, (void)y, (void)z;                                                     \
      return expression;                                                             \
    });

template <>
struct EwFunctions<float> {
  using T = float;
  template <class Visit>
  static ATHANOR_DEVICE void of(EwOp op, const Visit& visit) {
    namespace m = kernels::lane;
    switch (op) {
      EW_CASE(copy, true, x)
      EW_CASE(neg, true, -x)
      EW_CASE(abs, true, m::abs(Vec{x}).v)
      EW_CASE(sign, true, sign_f32(x))
      EW_CASE(square, true, x * x)
      EW_CASE(relu, true, 0.0f > x ? 0.0f : x)
      EW_CASE(logical_not, true, x != 0.0f ? 0.0f : 1.0f)
      EW_CASE(exp, false, m::exp(Vec{x}).v)
      EW_CASE(expm1, false, m::expm1(Vec{x}).v)
      EW_CASE(log, false, m::log(Vec{x}).v)
      EW_CASE(log1p, false, m::log1p(Vec{x}).v)
      EW_CASE(sqrt, false, sqrtf(x))
      EW_CASE(rsqrt, false, 1.0f / sqrtf(x))
      EW_CASE(reciprocal, false, 1.0f / x)
      EW_CASE(sin, false, m::sin(Vec{x}).v)
      EW_CASE(cos, false, m::cos(Vec{x}).v)
      EW_CASE(tanh, false, m::tanh(Vec{x}).v)
      EW_CASE(sigmoid, false, m::sigmoid(Vec{x}).v)
      EW_CASE(erf, false, m::erf(Vec{x}).v)
      EW_CASE(gelu, false, m::gelu(Vec{x}).v)
      EW_CASE(gelu_tanh, false, m::gelu_tanh(Vec{x}).v)
      EW_CASE(silu, false, m::silu(Vec{x}).v)
      EW_CASE(softplus, false, m::softplus(Vec{x}).v)
      EW_CASE(softsign, false, m::softsign(Vec{x}).v)
      EW_CASE(hardswish, true, m::hardswish(Vec{x}).v)
      EW_CASE(mish, false, m::mish(Vec{x}).v)
      EW_CASE(selu, false, m::selu(Vec{x}).v)
      EW_CASE(floor, true, floorf(x))
      EW_CASE(ceil, true, ceilf(x))
      EW_CASE(trunc, true, truncf(x))
      EW_CASE(round, true, rintf(x))
      EW_CASE(is_finite, true, m::abs(Vec{x}).v < infinity() ? 1.0f : 0.0f)
      EW_CASE(is_nan, true, x != x ? 1.0f : 0.0f)
      EW_CASE(add, true, x + y)
      EW_CASE(sub, true, x - y)
      EW_CASE(mul, true, x * y)
      EW_CASE(div, false, x / y)
      EW_CASE(pow, false, power_f32(x, y))
      EW_CASE(minimum, true, m::min_nan(Vec{x}, Vec{y}).v)
      EW_CASE(maximum, true, m::max_nan(Vec{x}, Vec{y}).v)
      EW_CASE(mod, false, modulo_f32(x, y))
      EW_CASE(eq, true, x == y ? 1.0f : 0.0f)
      EW_CASE(ne, true, x != y ? 1.0f : 0.0f)
      EW_CASE(lt, true, x < y ? 1.0f : 0.0f)
      EW_CASE(le, true, x <= y ? 1.0f : 0.0f)
      EW_CASE(gt, true, x > y ? 1.0f : 0.0f)
      EW_CASE(ge, true, x >= y ? 1.0f : 0.0f)
      EW_CASE(logical_and, true, x != 0.0f && y != 0.0f ? 1.0f : 0.0f)
      EW_CASE(logical_or, true, x != 0.0f || y != 0.0f ? 1.0f : 0.0f)
      EW_CASE(logical_xor, true, (x != 0.0f) != (y != 0.0f) ? 1.0f : 0.0f)
      EW_CASE(relu_grad, true, y <= 0.0f ? 0.0f : x)
      EW_CASE(tanh_grad, true, x * fmaf(-y, y, 1.0f))
      EW_CASE(sigmoid_grad, true, x * y * (1.0f - y))
      EW_CASE(gelu_grad, false, m::gelu_grad(Vec{x}, Vec{y}).v)
      EW_CASE(gelu_tanh_grad, false, m::gelu_tanh_grad(Vec{x}, Vec{y}).v)
      EW_CASE(silu_grad, false, m::silu_grad(Vec{x}, Vec{y}).v)
      EW_CASE(add_relu, true, 0.0f > x + y ? 0.0f : x + y)
      EW_CASE(where, true, x != 0.0f ? y : z)
      EW_CASE(fma, true, fmaf(x, y, z))
#define EW_OP(name, inputs, types, part) EW_REST_##types##_##part(name)
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
      return;
    }
  }
};

ATHANOR_DEVICE std::uint32_t word(std::int32_t x) { return static_cast<std::uint32_t>(x); }
ATHANOR_DEVICE std::int32_t wrapped(std::uint32_t x) { return static_cast<std::int32_t>(x); }
ATHANOR_DEVICE std::int32_t divide_i32(std::int32_t x, std::int32_t y) {
  if (y == 0) return 0;
  return y == -1 ? wrapped(0u - word(x)) : x / y;
}
ATHANOR_DEVICE std::int32_t modulo_i32(std::int32_t x, std::int32_t y) {
  if (y == 0 || y == -1) return 0;
  const std::int32_t r = x % y;
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
ATHANOR_DEVICE std::int32_t power_i32(std::int32_t x, std::int32_t y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 == 0 ? 1 : -1) : 0;
  std::uint32_t result = 1;
  for (std::uint32_t base = word(x), k = word(y); k != 0; k >>= 1, base *= base)
    if (k & 1) result *= base;
  return wrapped(result);
}

#undef EW_REST_floats_function
#undef EW_REST_floats_sum
#define EW_REST_floats_function(name) case EwOp::name:
#define EW_REST_floats_sum(name) case EwOp::name:
template <>
struct EwFunctions<std::int32_t> {
  using T = std::int32_t;
  template <class Visit>
  static ATHANOR_DEVICE void of(EwOp op, const Visit& visit) {
    switch (op) {
      EW_CASE(copy, true, x)
      EW_CASE(floor, true, x)
      EW_CASE(ceil, true, x)
      EW_CASE(trunc, true, x)
      EW_CASE(round, true, x)
      EW_CASE(is_finite, true, 1)
      EW_CASE(is_nan, true, 0)
      EW_CASE(sign, true, (x > 0) - (x < 0))
      EW_CASE(neg, true, wrapped(0u - word(x)))
      EW_CASE(abs, true, wrapped(x < 0 ? 0u - word(x) : word(x)))
      EW_CASE(square, true, wrapped(word(x) * word(x)))
      EW_CASE(relu, true, x < 0 ? 0 : x)
      EW_CASE(add, true, wrapped(word(x) + word(y)))
      EW_CASE(sub, true, wrapped(word(x) - word(y)))
      EW_CASE(mul, true, wrapped(word(x) * word(y)))
      EW_CASE(div, false, divide_i32(x, y))
      EW_CASE(pow, false, power_i32(x, y))
      EW_CASE(mod, false, modulo_i32(x, y))
      EW_CASE(minimum, true, x < y ? x : y)
      EW_CASE(maximum, true, x > y ? x : y)
      EW_CASE(add_relu, true, wrapped(word(x) + word(y)) < 0 ? 0 : wrapped(word(x) + word(y)))
      EW_CASE(fma, true, wrapped(word(x) * word(y) + word(z)))
      EW_CASE(logical_not, true, x == 0)
      EW_CASE(eq, true, x == y)
      EW_CASE(ne, true, x != y)
      EW_CASE(lt, true, x < y)
      EW_CASE(le, true, x <= y)
      EW_CASE(gt, true, x > y)
      EW_CASE(ge, true, x >= y)
      EW_CASE(logical_and, true, x != 0 && y != 0)
      EW_CASE(logical_or, true, x != 0 || y != 0)
      EW_CASE(logical_xor, true, (x != 0) != (y != 0))
      EW_CASE(relu_grad, true, y <= 0 ? 0 : x)
      EW_CASE(where, true, x != 0 ? y : z)
#define EW_OP(name, inputs, types, part) EW_REST_##types##_##part(name)
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
      return;
    }
  }
};
#undef EW_REST_floats_function
#undef EW_REST_floats_sum
#define EW_REST_floats_function(name)
#define EW_REST_floats_sum(name)

}  // namespace athanor::cuda
