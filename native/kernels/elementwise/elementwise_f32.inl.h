// The instructions of f32 programs, a strip at a time.
#pragma once
#include "kernels/elementwise/elementwise_machine.inl.h"
#include "simd/math.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// kUnroll: see F32.
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

// The function of an instruction for a vector. kUnroll vectors are in flight in a strip of its own: the loop's own instructions would
// else cost as much as a cheap operation; one that is dear fills the processor alone.
template <EwOp op>
struct F32 {
  static_assert(
      part_of(op) == EwPart::machine,
      "an instruction of kernels/elementwise/elementwise.def has no f32 function: write its EW_F32 in this file");
};

#define EW_F32(name, unrolled, inputs, expression)             \
  template <>                                                  \
  struct F32<EwOp::name> {                                     \
    static constexpr int kUnroll = unrolled;                   \
    static ATHANOR_INLINE Vec of inputs { return expression; } \
  };

EW_F32(copy, 4, (Vec x), x)
EW_F32(neg, 4, (Vec x), -x)
EW_F32(abs, 4, (Vec x), abs(x))
EW_F32(sign, 1, (Vec x), select((x > Vec::zero()) | (x < Vec::zero()), copysign(Vec::broadcast(1.0f), x), x))
EW_F32(square, 4, (Vec x), x* x)
EW_F32(relu, 4, (Vec x), max(Vec::zero(), x))
EW_F32(logical_not, 1, (Vec x), truth(~is_true(x)))
EW_F32(exp, 2, (Vec x), exp(x))
EW_F32(expm1, 1, (Vec x), expm1(x))
EW_F32(log, 1, (Vec x), log(x))
EW_F32(log1p, 1, (Vec x), log1p(x))
EW_F32(sqrt, 4, (Vec x), sqrt(x))
EW_F32(rsqrt, 1, (Vec x), Vec::broadcast(1.0f) / sqrt(x))
EW_F32(reciprocal, 1, (Vec x), Vec::broadcast(1.0f) / x)
EW_F32(sin, 1, (Vec x), sin(x))
EW_F32(cos, 1, (Vec x), cos(x))
EW_F32(tanh, 1, (Vec x), tanh(x))
EW_F32(sigmoid, 1, (Vec x), sigmoid(x))
EW_F32(erf, 1, (Vec x), erf(x))
EW_F32(gelu, 2, (Vec x), gelu(x))
EW_F32(gelu_tanh, 1, (Vec x), gelu_tanh(x))
EW_F32(silu, 1, (Vec x), silu(x))
EW_F32(softplus, 1, (Vec x), softplus(x))
EW_F32(softsign, 1, (Vec x), softsign(x))
EW_F32(hardswish, 2, (Vec x), hardswish(x))
EW_F32(mish, 1, (Vec x), mish(x))
EW_F32(selu, 1, (Vec x), selu(x))
EW_F32(floor, 1, (Vec x), floor(x))
EW_F32(ceil, 1, (Vec x), ceil(x))
EW_F32(trunc, 1, (Vec x), trunc(x))
EW_F32(round, 1, (Vec x), round_even(x))
EW_F32(is_finite, 1, (Vec x), truth(abs(x) < Vec::broadcast(__builtin_inff())))
EW_F32(is_nan, 1, (Vec x), truth(x != x))
EW_F32(add, 4, (Vec x, Vec y), x + y)
EW_F32(sub, 4, (Vec x, Vec y), x - y)
EW_F32(mul, 4, (Vec x, Vec y), x* y)
EW_F32(div, 4, (Vec x, Vec y), x / y)
EW_F32(minimum, 1, (Vec x, Vec y), min_nan(x, y))
EW_F32(maximum, 1, (Vec x, Vec y), max_nan(x, y))
EW_F32(eq, 1, (Vec x, Vec y), truth(x == y))
EW_F32(ne, 1, (Vec x, Vec y), truth(x != y))
EW_F32(lt, 1, (Vec x, Vec y), truth(x < y))
EW_F32(le, 1, (Vec x, Vec y), truth(x <= y))
EW_F32(gt, 1, (Vec x, Vec y), truth(x > y))
EW_F32(ge, 1, (Vec x, Vec y), truth(x >= y))
EW_F32(logical_and, 1, (Vec x, Vec y), truth(is_true(x) & is_true(y)))
EW_F32(logical_or, 1, (Vec x, Vec y), truth(is_true(x) | is_true(y)))
EW_F32(logical_xor, 1, (Vec x, Vec y), truth(is_true(x) ^ is_true(y)))
EW_F32(relu_grad, 4, (Vec dy, Vec y), select(y <= Vec::zero(), Vec::zero(), dy))
EW_F32(tanh_grad, 1, (Vec dy, Vec y), dy* fnma(y, y, Vec::broadcast(1.0f)))
EW_F32(sigmoid_grad, 1, (Vec dy, Vec y), dy * y * (Vec::broadcast(1.0f) - y))
EW_F32(gelu_grad, 2, (Vec dy, Vec x), gelu_grad(dy, x))
EW_F32(gelu_tanh_grad, 1, (Vec dy, Vec x), gelu_tanh_grad(dy, x))
EW_F32(silu_grad, 1, (Vec dy, Vec x), silu_grad(dy, x))
EW_F32(add_relu, 4, (Vec x, Vec y), max(Vec::zero(), x + y))
EW_F32(where, 1, (Vec m, Vec x, Vec y), select(is_true(m), x, y))
EW_F32(fma, 1, (Vec x, Vec y, Vec z), fma(x, y, z))

#undef EW_F32

// Instructions that go over a strip in a way of their own.
template <>
struct F32<EwOp::pow> {
  static void strip(float* d, const EwInputs<float>& in, Index n) { pow_strip(d, in.a, in.b, n); }
};

template <>
struct F32<EwOp::mod> {
  static void strip(float* d, const EwInputs<float>& in, Index n) {
    for (Index i = 0; i < n; ++i) {
      const float b = in.b[i], r = __builtin_fmodf(in.a[i], b);
      d[i] = r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
    }
  }
};

template <EwOp op>
ATHANOR_INLINE void evaluate_strip(float* d, const EwInputs<float>& in, Index n) {
  if constexpr (part_of(op) == EwPart::machine) {
    return;
  } else if constexpr (requires { &F32<op>::strip; }) {
    F32<op>::strip(d, in, n);
  } else if constexpr (inputs_of(op) == 1) {
    map<F32<op>::kUnroll>(d, in.a, n, [](Vec x) { return F32<op>::of(x); });
  } else if constexpr (inputs_of(op) == 2) {
    map<F32<op>::kUnroll>(d, in.a, in.b, n, [](Vec x, Vec y) { return F32<op>::of(x, y); });
  } else {
    map(d, in.a, in.b, in.c, n, [](Vec x, Vec y, Vec z) { return F32<op>::of(x, y, z); });
  }
}

template <>
inline void evaluate<float>(EwOp op, float* d, const float* a, const float* b, const float* c, Index n) {
  const EwInputs<float> in{a, b, c};
  switch (op) {
#define EW_OP(name, ...) \
  case EwOp::name: return evaluate_strip<EwOp::name>(d, in, n);
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
