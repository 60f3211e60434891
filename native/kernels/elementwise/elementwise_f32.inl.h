// The instructions of f32 programs, a strip at a time.
#pragma once
#include "kernels/elementwise/elementwise_machine.inl.h"
#include "simd/math.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// Four vectors in flight: the loop's own instructions would else cost as much as a cheap operation.
template <int kUnroll, class F>
ATHANOR_INLINE void map(float* d, const float* a, Index n, F f) {
  Index i = 0;
  for (; i + kUnroll * kLanes <= n; i += kUnroll * kLanes) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) f(Vec::load(a + i + u * kLanes)).store(d + i + u * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) f(Vec::load(a + i)).store(d + i);
  if (i < n) f(Vec::load(a + i, n - i)).store(d + i, n - i);
}

template <int kUnroll, class F>
ATHANOR_INLINE void map(float* d, const float* a, const float* b, Index n, F f) {
  Index i = 0;
  for (; i + kUnroll * kLanes <= n; i += kUnroll * kLanes) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u)
      f(Vec::load(a + i + u * kLanes), Vec::load(b + i + u * kLanes)).store(d + i + u * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) f(Vec::load(a + i), Vec::load(b + i)).store(d + i);
  if (i < n) f(Vec::load(a + i, n - i), Vec::load(b + i, n - i)).store(d + i, n - i);
}

template <class F>
ATHANOR_INLINE void map(float* d, const float* a, const float* b, const float* c, Index n, F f) {
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) f(Vec::load(a + i), Vec::load(b + i), Vec::load(c + i)).store(d + i);
  if (i < n) f(Vec::load(a + i, n - i), Vec::load(b + i, n - i), Vec::load(c + i, n - i)).store(d + i, n - i);
}

inline void pow_strip(float* d, const float* a, const float* b, Index n) {
  constexpr Index kBlock = 64;
  for (Index begin = 0; begin < n; begin += kBlock) {
    const Index count = n - begin < kBlock ? n - begin : kBlock;
    float x[kBlock] = {}, y[kBlock] = {}, e[kBlock], m[kBlock], exponent[kBlock], whole[kBlock], p[kBlock];
    for (Index i = 0; i < count; ++i) x[i] = a[begin + i], y[i] = b[begin + i];
    for (Index i = 0; i < kBlock; i += kLanes) {
      const PowParts parts = split_pow(Vec::load(x + i));
      parts.e.store(e + i);
      parts.m.store(m + i);
      finite_exponent(Vec::load(y + i)).store(exponent + i);
    }
    for (Index i = 0; i < kBlock; ++i) pow_middle(e[i], m[i], exponent[i], whole[i], p[i]);
    for (Index i = 0; i < kBlock; i += kLanes)
      join_pow(Vec::load(x + i), Vec::load(y + i), Vec::load(whole + i), Vec::load(p + i)).store(p + i);
    for (Index i = 0; i < count; ++i) d[begin + i] = p[i];
  }
}

ATHANOR_INLINE Vec truth(Mask m) { return select(m, Vec::broadcast(1.0f), Vec::zero()); }
ATHANOR_INLINE Mask is_true(Vec x) { return x != Vec::zero(); }

// Everything but sources and sinks. d may be a, b or c.
inline void evaluate(EwOp op, float* d, const EwInputs<float>& in, Index n) {
  const float *a = in.a, *b = in.b, *c = in.c;
  const Vec zero = Vec::zero(), one = Vec::broadcast(1.0f);
  switch (op) {
    case EwOp::copy: return map<4>(d, a, n, [](Vec x) { return x; });
    case EwOp::neg: return map<4>(d, a, n, [](Vec x) { return -x; });
    case EwOp::abs: return map<4>(d, a, n, [](Vec x) { return abs(x); });
    case EwOp::sign:
      return map<1>(d, a, n, [=](Vec x) { return select((x > zero) | (x < zero), copysign(one, x), x); });
    case EwOp::square: return map<4>(d, a, n, [](Vec x) { return x * x; });
    case EwOp::relu: return map<4>(d, a, n, [=](Vec x) { return max(zero, x); });
    case EwOp::logical_not: return map<1>(d, a, n, [](Vec x) { return truth(~is_true(x)); });
    case EwOp::exp: return map<2>(d, a, n, [](Vec x) { return exp(x); });
    case EwOp::expm1: return map<1>(d, a, n, [](Vec x) { return expm1(x); });
    case EwOp::log: return map<1>(d, a, n, [](Vec x) { return log(x); });
    case EwOp::log1p: return map<1>(d, a, n, [](Vec x) { return log1p(x); });
    case EwOp::sqrt: return map<1>(d, a, n, [](Vec x) { return sqrt(x); });
    case EwOp::rsqrt: return map<1>(d, a, n, [=](Vec x) { return one / sqrt(x); });
    case EwOp::reciprocal: return map<1>(d, a, n, [=](Vec x) { return one / x; });
    case EwOp::sin: return map<1>(d, a, n, [](Vec x) { return sin(x); });
    case EwOp::cos: return map<1>(d, a, n, [](Vec x) { return cos(x); });
    case EwOp::tanh: return map<1>(d, a, n, [](Vec x) { return tanh(x); });
    case EwOp::sigmoid: return map<1>(d, a, n, [](Vec x) { return sigmoid(x); });
    case EwOp::erf: return map<1>(d, a, n, [](Vec x) { return erf(x); });
    case EwOp::gelu: return map<2>(d, a, n, [](Vec x) { return gelu(x); });
    case EwOp::gelu_tanh: return map<1>(d, a, n, [](Vec x) { return gelu_tanh(x); });
    case EwOp::silu: return map<1>(d, a, n, [](Vec x) { return silu(x); });
    case EwOp::softplus: return map<1>(d, a, n, [](Vec x) { return softplus(x); });
    case EwOp::floor: return map<1>(d, a, n, [](Vec x) { return floor(x); });
    case EwOp::ceil: return map<1>(d, a, n, [](Vec x) { return ceil(x); });
    case EwOp::trunc: return map<1>(d, a, n, [](Vec x) { return trunc(x); });
    case EwOp::round: return map<1>(d, a, n, [](Vec x) { return round_even(x); });
    case EwOp::is_finite:
      return map<1>(d, a, n, [](Vec x) { return truth(abs(x) < Vec::broadcast(__builtin_inff())); });
    case EwOp::is_nan: return map<1>(d, a, n, [](Vec x) { return truth(x != x); });

    case EwOp::add: return map<4>(d, a, b, n, [](Vec x, Vec y) { return x + y; });
    case EwOp::sub: return map<4>(d, a, b, n, [](Vec x, Vec y) { return x - y; });
    case EwOp::mul: return map<4>(d, a, b, n, [](Vec x, Vec y) { return x * y; });
    case EwOp::div: return map<1>(d, a, b, n, [](Vec x, Vec y) { return x / y; });
    case EwOp::pow: return pow_strip(d, a, b, n);
    case EwOp::minimum: return map<1>(d, a, b, n, [](Vec x, Vec y) { return min_nan(x, y); });
    case EwOp::maximum: return map<1>(d, a, b, n, [](Vec x, Vec y) { return max_nan(x, y); });
    case EwOp::mod:
      for (Index i = 0; i < n; ++i) {
        const float r = __builtin_fmodf(a[i], b[i]);
        d[i] = r != 0.0f && (r < 0.0f) != (b[i] < 0.0f) ? r + b[i] : r;
      }
      return;
    case EwOp::eq: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(x == y); });
    case EwOp::ne: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(x != y); });
    case EwOp::lt: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(x < y); });
    case EwOp::le: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(x <= y); });
    case EwOp::gt: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(x > y); });
    case EwOp::ge: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(x >= y); });
    case EwOp::logical_and: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(is_true(x) & is_true(y)); });
    case EwOp::logical_or: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(is_true(x) | is_true(y)); });
    case EwOp::logical_xor: return map<1>(d, a, b, n, [](Vec x, Vec y) { return truth(is_true(x) ^ is_true(y)); });

    case EwOp::relu_grad: return map<4>(d, a, b, n, [=](Vec dy, Vec y) { return select(y <= zero, zero, dy); });
    case EwOp::tanh_grad: return map<1>(d, a, b, n, [=](Vec dy, Vec y) { return dy * fnma(y, y, one); });
    case EwOp::sigmoid_grad: return map<1>(d, a, b, n, [=](Vec dy, Vec y) { return dy * y * (one - y); });
    case EwOp::gelu_grad: return map<2>(d, a, b, n, [](Vec dy, Vec x) { return gelu_grad(dy, x); });
    case EwOp::gelu_tanh_grad: return map<1>(d, a, b, n, [](Vec dy, Vec x) { return gelu_tanh_grad(dy, x); });
    case EwOp::silu_grad: return map<1>(d, a, b, n, [](Vec dy, Vec x) { return silu_grad(dy, x); });
    case EwOp::add_relu: return map<4>(d, a, b, n, [=](Vec x, Vec y) { return max(zero, x + y); });

    case EwOp::where: return map(d, a, b, c, n, [](Vec m, Vec x, Vec y) { return select(is_true(m), x, y); });
    case EwOp::fma: return map(d, a, b, c, n, [](Vec x, Vec y, Vec z) { return fma(x, y, z); });

    case EwOp::load:
    case EwOp::store:
    case EwOp::constant:
    case EwOp::iota:
    case EwOp::random_uniform: return;
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
