// Sums of f32 runs: four vectors of accumulators, at most kSumBlock additions a lane in f32, the blocks in f64.
#pragma once
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr Index kSumBlock = 32;  // rounds of four vectors

// Sum of f(Vec of p, Vec of q) over n elements; f of zeros must be zero for the lanes beyond the end.
template <class F>
ATHANOR_INLINE double sum_of(const float* p, const float* q, Index n, F f) {
  constexpr Index kStep = 4 * kLanes;
  double total = 0;
  Index i = 0;
  while (i < n) {
    const Index end = i + kSumBlock * kStep < n ? i + kSumBlock * kStep : n;
    Vec s0 = Vec::zero(), s1 = s0, s2 = s0, s3 = s0;
    for (; i + kStep <= end; i += kStep) {
      s0 = s0 + f(Vec::load(p + i), Vec::load(q + i));
      s1 = s1 + f(Vec::load(p + i + kLanes), Vec::load(q + i + kLanes));
      s2 = s2 + f(Vec::load(p + i + 2 * kLanes), Vec::load(q + i + 2 * kLanes));
      s3 = s3 + f(Vec::load(p + i + 3 * kLanes), Vec::load(q + i + 3 * kLanes));
    }
    for (; i + kLanes <= end; i += kLanes) s0 = s0 + f(Vec::load(p + i), Vec::load(q + i));
    if (i < end) {
      s1 = s1 + f(Vec::load(p + i, end - i), Vec::load(q + i, end - i));
      i = end;
    }
    total += static_cast<double>(reduce_add((s0 + s1) + (s2 + s3)));
  }
  return total;
}

template <class F>
ATHANOR_INLINE double sum_of(const float* p, Index n, F f) {
  return sum_of(p, p, n, [f](Vec x, Vec) { return f(x); });
}

// Whether a mean is so far from zero that its own rounding would be seen in (x - mean) rstd: then it is taken again, of the
// distances from itself, which are exact. A constant run has just its value as mean.
ATHANOR_INLINE bool is_far(double mean, double var, float eps) {
  constexpr double kFar = 256;  // (16 deviations)^2: below, the error of an f32 mean is less than 2^-19 of a deviation
  return mean * mean > kFar * (var + static_cast<double>(eps));
}

// Sum of f(p - shift) over n elements, for any f.
template <class F>
ATHANOR_INLINE double sum_shifted(const float* p, Index n, float shift, F f) {
  const Vec by = Vec::broadcast(shift);
  const Index whole = n - n % kLanes;  // zeros beyond the end would not be zero once shifted
  double total = sum_of(p, whole, [=](Vec v) { return f(v - by); });
  for (Index i = whole; i < n; ++i) total += f(static_cast<double>(p[i] - shift));
  return total;
}

// The largest element; NaNs are passed over, -inf where there is nothing else.
ATHANOR_INLINE float max_of(const float* p, Index n) {
  const Vec lowest = Vec::broadcast(-__builtin_inff());
  Vec m0 = lowest, m1 = lowest;
  Index i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    m0 = max(Vec::load(p + i), m0);
    m1 = max(Vec::load(p + i + kLanes), m1);
  }
  for (; i + kLanes <= n; i += kLanes) m0 = max(Vec::load(p + i), m0);
  float best = reduce_max(max(m0, m1));
  for (; i < n; ++i) best = p[i] > best ? p[i] : best;
  return best;
}

// Calls f(at, width) for every whole vector of a row and, with a width below kLanes, for the rest.
template <class F>
ATHANOR_INLINE void for_each_vector(Index n, F f) {
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, Index{kLanes});
  if (i < n) f(i, n - i);
}

// Whole vectors take the plain load and store; the compiler sees the constant width once f is inlined.
ATHANOR_INLINE Vec load_width(const float* p, Index width) {
  return width == kLanes ? Vec::load(p) : Vec::load(p, width);
}
ATHANOR_INLINE void store_width(float* p, Vec x, Index width) {
  if (width == kLanes) {
    x.store(p);
  } else {
    x.store(p, width);
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
