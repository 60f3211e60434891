// Rows of x as integers: one pass for the step, one to round. Groups of k are padded with zeros as the panels are.
#pragma once
#include "kernels/quant/quant.h"
#include "kernels/quant/quant_half.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

constexpr Index up(Index value, Index to) { return (value + to - 1) / to * to; }
constexpr Index parts_of(Index value, Index part) { return (value + part - 1) / part; }

struct ActivationStep {
  float step, low, high;  // integers are clamped to [low, high]
  bool dynamic;           // step is 1 / 127 of the largest magnitude
};

inline constexpr float kNaN = __builtin_nanf("");

// A NaN anywhere becomes the result: it is what max_nan passes on. Four maxima, for one waits for itself.
inline float largest_magnitude(const float* x, Index n) {
  constexpr int kMaxima = 4;
  Vec most[kMaxima] = {Vec::zero(), Vec::zero(), Vec::zero(), Vec::zero()};
  Index k = 0;
  for (; k + kMaxima * kLanes <= n; k += kMaxima * kLanes) {
    ATHANOR_UNROLL
    for (int i = 0; i < kMaxima; ++i) most[i] = max_nan(most[i], abs(Vec::load(x + k + i * kLanes)));
  }
  for (; k + kLanes <= n; k += kLanes) most[0] = max_nan(most[0], abs(Vec::load(x + k)));
  if (k < n) most[1] = max_nan(most[1], abs(Vec::load(x + k, n - k)));
  const Vec all = max_nan(max_nan(most[0], most[1]), max_nan(most[2], most[3]));
  return any(all != all) ? kNaN : reduce_max(all);
}

inline ActivationStep activation_step(const float* x, Index n, const float* act) {
  const float most = largest_magnitude(x, n);
  if (act != nullptr) return {most != most ? kNaN : act[0], -act[1], 255.0f - act[1], false};
  const float step = most / 127.0f;
  if (!(step < __builtin_inff())) return {kNaN, -127.0f, 127.0f, true};
  return {step > 0 ? step : 1.0f, -127.0f, 127.0f, true};
}

// x / step to the nearest whole number, clamped. A division takes as long as all the rest, so the quotient is that by the
// reciprocal, put right by what it leaves of x (P. Markstein, Computation of elementary functions on the IBM RISC System/6000
// processor, IBM J. Res. Dev. 34, 1990): the same float. Not for steps whose reciprocal or remainders are out of range.
class Rounding {
 public:
  explicit Rounding(const ActivationStep& s)
      : step_(Vec::broadcast(s.step)),
        reciprocal_(Vec::broadcast(1.0f / s.step)),
        low_(Vec::broadcast(s.low)),
        high_(Vec::broadcast(s.high)),
        divides_(!(s.step > 0x1p-90f && s.step < 0x1p90f)),
        bounded_(s.dynamic && !divides_) {}

  ATHANOR_INLINE Vec whole(Vec x) const { return round_even(clamped(x)); }
  ATHANOR_INLINE IVec operator()(Vec x) const { return to_int_even(clamped(x)); }

 private:
  ATHANOR_INLINE Vec clamped(Vec x) const {
    if (bounded_) return quotient(x, x * reciprocal_);
    const Vec far = Vec::broadcast(1024.0f);  // beyond all integers, and finite
    return max(min(quotient(x, max(min(x * reciprocal_, far), -far)), high_), low_);
  }
  ATHANOR_INLINE Vec quotient(Vec x, [[maybe_unused]] Vec about) const {
#if !defined(ATHANOR_ISA_SCALAR)  // whose fma rounds twice
    if (!divides_) return fma(fnma(about, step_, x), reciprocal_, about);
#endif
    return x / step_;
  }

  Vec step_, reciprocal_, low_, high_;
  bool divides_;
  bool bounded_;  // no quotient is beyond the integers
};

ATHANOR_INLINE void store_narrow(std::int16_t* to, IVec x) { store_s16(to, x); }
ATHANOR_INLINE void store_narrow(std::int8_t* to, IVec x) { store_s8(to, x); }

// One row, `shift` added to its integers; returns the factor of its row of y.
template <class X>
inline float quantize_row(const QuantMatmulArgs& a, const float* x, float unit, std::int32_t shift, X* to) {
  const ActivationStep s = activation_step(x, a.w.K, a.act);
  const Rounding rounding(s);
  const auto round = [&](Vec v) __attribute__((always_inline)) { return rounding(v) + IVec::broadcast(shift); };
  for (Index g = 0; g < a.w.groups; ++g) {
    const Index n = g + 1 < a.w.groups ? a.w.group : a.w.K - g * a.w.group;
    const float* from = x + g * a.w.group;
    X* row = to + g * a.w.padded_group;
    Index k = 0;
    for (; k + kLanes <= n; k += kLanes) store_narrow(row + k, round(Vec::load(from + k)));
    if (k < n) {
      X last[kLanes];
      store_narrow(last, round(Vec::load(from + k, n - k)));
      std::memcpy(row + k, last, static_cast<std::size_t>(n - k) * sizeof(X));
    }
    std::memset(row + n, 0, static_cast<std::size_t>(a.w.padded_group - n) * sizeof(X));
  }
  return s.step * unit;
}

inline void round_rows(const QuantRoundArgs& a, Parallel& parallel) {
  const Index at_once = parts_of(Index{1} << 14, a.length + 1);
  parallel.run(static_cast<int>(parts_of(a.rows, at_once)), [&](int task, int) {
    const Index end = (task + 1) * at_once < a.rows ? (task + 1) * at_once : a.rows;
    for (Index row = task * at_once; row < end; ++row) {
      const float* x = a.x + row * a.length;
      float* to = a.to + row * a.length;
      const ActivationStep s = activation_step(x, a.length, a.act);
      const Rounding rounding(s);
      Index i = 0;
      for (; i + kLanes <= a.length; i += kLanes) rounding.whole(Vec::load(x + i)).store(to + i);
      if (i < a.length) rounding.whole(Vec::load(x + i, a.length - i)).store(to + i, a.length - i);
      a.factors[row] = s.step * a.unit;
    }
  });
}

inline void scale(float* c, Index count, float scale, float factor) {
  const Vec s = Vec::broadcast(scale), f = Vec::broadcast(factor);
  Index i = 0;
  for (; i + kLanes <= count; i += kLanes) (Vec::load(c + i) * s * f).store(c + i);
  if (i < count) (Vec::load(c + i, count - i) * s * f).store(c + i, count - i);
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
