// Reductions of one contiguous run, and how the results of runs combine.
#pragma once
#include "kernels/reduce/reduce.h"
#include "kernels/reduce/sums.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// A partial result: i32 values and indices up to 2^53 are exact in a double.
struct ReducePartial {
  double value;
  double index;  // argmax, argmin
};

constexpr bool is_sum(ReduceOp op) { return op <= ReduceOp::sum_squares; }
constexpr bool wants_least(ReduceOp op) { return op == ReduceOp::min || op == ReduceOp::argmin; }
constexpr bool is_arg(ReduceOp op) { return op == ReduceOp::argmax || op == ReduceOp::argmin; }

// Whether candidate x takes the place of a: strictly better, or the first NaN.
template <class T>
ATHANOR_INLINE bool beats(ReduceOp op, T x, T a) {
  return (wants_least(op) ? x < a : x > a) || (x != x && a == a);
}

// i32 sums and products wrap.
template <class T>
ATHANOR_INLINE T add_wrapping(T a, T b) {
  if constexpr (T(0.5) != T(0)) {
    return a + b;
  } else {
    return static_cast<T>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
  }
}
template <class T>
ATHANOR_INLINE T mul_wrapping(T a, T b) {
  if constexpr (T(0.5) != T(0)) {
    return a * b;
  } else {
    return static_cast<T>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
  }
}

template <class T>
ATHANOR_INLINE T term(ReduceOp op, T x) {
  if (op == ReduceOp::sum_squares) return mul_wrapping(x, x);
  return op == ReduceOp::sum_abs && x < 0 ? mul_wrapping(x, static_cast<T>(-1)) : x;
}

// `earlier` comes before `later` in the order of the elements.
template <class T>
ATHANOR_INLINE ReducePartial combine(ReduceOp op, ReducePartial earlier, ReducePartial later) {
  constexpr bool wraps = T(0.5) == T(0);
  const auto narrow = [](double x) { return static_cast<T>(x); };
  if (is_sum(op)) {
    if constexpr (wraps) return {static_cast<double>(add_wrapping(narrow(earlier.value), narrow(later.value))), 0};
    return {earlier.value + later.value, 0};
  }
  if (op == ReduceOp::prod) {
    if constexpr (wraps) return {static_cast<double>(mul_wrapping(narrow(earlier.value), narrow(later.value))), 0};
    return {earlier.value * later.value, 0};
  }
  return beats(op, later.value, earlier.value) ? later : earlier;
}

template <class T>
ReducePartial sum_run(ReduceOp op, const T* x, Index n) {
  T lanes[8] = {};
  Index i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; ++k) lanes[k] = add_wrapping(lanes[k], term(op, x[i + k]));
  for (; i < n; ++i) lanes[0] = add_wrapping(lanes[0], term(op, x[i]));
  for (int k = 4; k > 0; k /= 2)
    for (int j = 0; j < k; ++j) lanes[j] = add_wrapping(lanes[j], lanes[j + k]);
  return {static_cast<double>(lanes[0]), 0};
}

inline ReducePartial sum_run(ReduceOp op, const float* x, Index n) {
  if (op == ReduceOp::sum_squares) return {sum_of(x, n, [](Vec v) { return v * v; }), 0};
  if (op == ReduceOp::sum_abs) return {sum_of(x, n, [](Vec v) { return abs(v); }), 0};
  return {sum_of(x, n, [](Vec v) { return v; }), 0};
}

template <class T>
ReducePartial product_run(const T* x, Index n) {
  if constexpr (T(0.5) != T(0)) {
    double lanes[4] = {1, 1, 1, 1};
    for (Index i = 0; i < n; ++i) lanes[i % 4] *= static_cast<double>(x[i]);
    return {(lanes[0] * lanes[2]) * (lanes[1] * lanes[3]), 0};
  } else {
    T result = 1;
    for (Index i = 0; i < n; ++i) result = mul_wrapping(result, x[i]);
    return {static_cast<double>(result), 0};
  }
}

// n > 0.
template <class T>
T extreme_run(ReduceOp op, const T* x, Index n) {
  T best = x[0];
  for (Index i = 1; i < n; ++i) best = beats(op, x[i], best) ? x[i] : best;
  return best;
}

inline float extreme_run(ReduceOp op, const float* x, Index n) {
  if (n < 2 * kLanes) return extreme_run<float>(op, x, n);
  const auto better = [=](Vec v, Vec best) {
    const Mask strictly = wants_least(op) ? v < best : v > best;
    return select(strictly | (v != v), v, best);
  };
  Vec b0 = Vec::load(x), b1 = Vec::load(x + kLanes);
  Index i = 2 * kLanes;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    b0 = better(Vec::load(x + i), b0);
    b1 = better(Vec::load(x + i + kLanes), b1);
  }
  // The rest: a last pair of vectors that overlaps what was seen.
  b0 = better(Vec::load(x + n - 2 * kLanes), b0);
  b1 = better(Vec::load(x + n - kLanes), b1);
  float lanes[kLanes];
  better(b1, b0).store(lanes);
  return extreme_run<float>(op, lanes, kLanes);
}

// The run's elements are numbered from `first`.
template <class T>
ReducePartial reduce_run(ReduceOp op, const T* x, Index n, Index first) {
  if (is_sum(op)) return sum_run(op, x, n);
  if (op == ReduceOp::prod) return product_run(x, n);
  const T best = extreme_run(op, x, n);
  Index at = 0;
  if (is_arg(op)) {
    while (!(x[at] == best || best != best) || (best != best && x[at] == x[at])) ++at;
  }
  return {static_cast<double>(best), static_cast<double>(first + at)};
}

template <class T>
ATHANOR_INLINE void write_result(const ReduceArgs& args, Index at, ReducePartial result) {
  if (is_arg(args.op)) {
    static_cast<std::int32_t*>(args.y)[at] = static_cast<std::int32_t>(result.index);
  } else {
    if (args.op == ReduceOp::mean) result.value /= static_cast<double>(args.reduced * args.tail);
    static_cast<T*>(args.y)[at] = static_cast<T>(result.value);
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
