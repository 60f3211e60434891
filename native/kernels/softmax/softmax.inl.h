// Softmax, log-softmax and cross-entropy; the formulas are in softmax.h. A row is read two or three times, from cache.
#pragma once
#include "kernels/reduce/sums.inl.h"
#include "kernels/softmax/softmax.h"
#include "simd/math.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// Rows in tasks of about 16 Ki elements.
template <class F>
void for_row_ranges(Index rows, Index cols, Parallel& parallel, F body) {
  constexpr Index kTask = 16384;
  const Index each = cols >= kTask ? 1 : kTask / (cols > 0 ? cols : 1);
  const Index tasks = (rows + each - 1) / each;
  if (tasks <= 1) return body(Index{0}, rows);
  parallel.run(static_cast<int>(tasks), [&](int task, int) {
    const Index begin = task * each;
    body(begin, begin + each < rows ? begin + each : rows);
  });
}

ATHANOR_INLINE double sum_of_exp(const float* x, Index n, float m) {
  const Vec shift = Vec::broadcast(m);
  const Index whole = n - n % kLanes;
  double total = sum_of(x, whole, [=](Vec v) { return exp_nonpositive(v - shift); });
  if (whole < n) {
    const Mask inside = Mask::first(n - whole);
    const Vec e = exp_nonpositive(Vec::load(x + whole, n - whole) - shift);
    total += static_cast<double>(reduce_add(select(inside, e, Vec::zero())));
  }
  return total;
}

inline void softmax_row(const float* x, float* y, Index n) {
  const Vec shift = Vec::broadcast(max_of(x, n));
  for_each_vector(
      n, [&](Index i, Index width) { store_width(y + i, exp_nonpositive(load_width(x + i, width) - shift), width); });
  const Vec scale = Vec::broadcast(static_cast<float>(1.0 / sum_of(y, n, [](Vec v) { return v; })));
  for_each_vector(
      n, [&](Index i, Index width) ATHANOR_INLINED { store_width(y + i, load_width(y + i, width) * scale, width); });
}

inline void log_softmax_row(const float* x, float* y, Index n) {
  const float m = max_of(x, n);
  const Vec shift = Vec::broadcast(m), log_sum = Vec::broadcast(static_cast<float>(__builtin_log(sum_of_exp(x, n, m))));
  for_each_vector(n,
                  [&](Index i, Index width) { store_width(y + i, load_width(x + i, width) - shift - log_sum, width); });
}

void softmax_forward(const SoftmaxArgs& args, Parallel& parallel) {
  for_row_ranges(args.rows, args.cols, parallel, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r)
      (args.log ? log_softmax_row : softmax_row)(args.x + r * args.cols, args.y + r * args.cols, args.cols);
  });
}

inline void softmax_backward_row(const float* y, const float* dy, float* dx, Index n, bool log) {
  if (log) {
    const Vec total = Vec::broadcast(static_cast<float>(sum_of(dy, n, [](Vec g) { return g; })));
    return for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED {
      store_width(dx + i, fnma(exp_nonpositive(load_width(y + i, width)), total, load_width(dy + i, width)), width);
    });
  }
  const Vec dot = Vec::broadcast(static_cast<float>(sum_of(y, dy, n, [](Vec v, Vec g) { return v * g; })));
  for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED {
    store_width(dx + i, load_width(y + i, width) * (load_width(dy + i, width) - dot), width);
  });
}

void softmax_backward(const SoftmaxBackwardArgs& args, Parallel& parallel) {
  for_row_ranges(args.rows, args.cols, parallel, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Index at = r * args.cols;
      softmax_backward_row(args.y + at, args.dy + at, args.dx + at, args.cols, args.log);
    }
  });
}

enum class Label : std::uint8_t { good, ignored, bad };

ATHANOR_INLINE Label label_of(const CrossEntropyArgs& args, Index row, Index& label) {
  label = args.label_dtype == DType::u8 ? static_cast<Index>(static_cast<const std::uint8_t*>(args.labels)[row])
                                        : static_cast<Index>(static_cast<const std::int32_t*>(args.labels)[row]);
  if (args.has_ignore_index && label == args.ignore_index) return Label::ignored;
  return label >= 0 && label < args.classes ? Label::good : Label::bad;
}

inline float cross_entropy_row(const float* x, Index classes, Index label, float smoothing, float& lse) {
  const float m = max_of(x, classes);
  const double log_sum = __builtin_log(sum_of_exp(x, classes, m));
  lse = static_cast<float>(static_cast<double>(m) + log_sum);
  if (label < 0) return 0;
  const auto below = [&](double v) { return static_cast<double>(m) - v + log_sum; };  // lse - v without rounding lse
  double loss = below(static_cast<double>(x[label]));
  if (smoothing != 0) {
    const double mean = sum_of(x, classes, [](Vec v) { return v; }) / static_cast<double>(classes);
    loss += static_cast<double>(smoothing) * (below(mean) - loss);
  }
  return static_cast<float>(loss);
}

CrossEntropyCounts cross_entropy(const CrossEntropyArgs& args, float* loss, float* lse, Parallel& parallel) {
  CrossEntropyCounts counts{0, 0, args.rows};
  for_row_ranges(args.rows, args.classes, parallel, [&](Index begin, Index end) {
    Index counted = 0, bad = 0, first_bad = args.rows;
    for (Index r = begin; r < end; ++r) {
      Index label;
      const Label kind = label_of(args, r, label);
      loss[r] = cross_entropy_row(args.x + r * args.classes, args.classes, kind == Label::good ? label : -1,
                                  args.smoothing, lse[r]);
      if (kind == Label::good) ++counted;
      if (kind != Label::bad) continue;
      loss[r] = __builtin_nanf("");
      if (bad++ == 0) first_bad = r;
    }
    __atomic_fetch_add(&counts.counted, counted, __ATOMIC_RELAXED);
    if (bad == 0) return;
    __atomic_fetch_add(&counts.bad, bad, __ATOMIC_RELAXED);
    Index seen = __atomic_load_n(&counts.first_bad, __ATOMIC_RELAXED);
    while (first_bad < seen && !__atomic_compare_exchange_n(&counts.first_bad, &seen, first_bad, true, __ATOMIC_RELAXED,
                                                            __ATOMIC_RELAXED)) {
    }
  });
  return counts;
}

// What is taken off the logits for their probabilities: the log-sum-exp, or, where its rounding would be seen in them, the largest logit
// and then the rest.
struct LogSum {
  float shift, rest;
};

ATHANOR_INLINE LogSum log_sum_of(const float* x, Index n, float lse) {
  constexpr float kFar = 64;  // below, an f32 errs by 2^-19 at most
  if (!(__builtin_fabsf(lse) >= kFar)) return {lse, 0};
  const float m = max_of(x, n);
  return {m, static_cast<float>(__builtin_log(sum_of_exp(x, n, m)))};
}

void cross_entropy_backward(const CrossEntropyArgs& args, const float* lse, const float* dloss, Index dloss_stride,
                            float* dx, Parallel& parallel) {
  const Index n = args.classes;
  const float uniform = n > 0 ? args.smoothing / static_cast<float>(n) : 0.0f;
  for_row_ranges(args.rows, n, parallel, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      Index label;
      const float* x = args.x + r * n;
      float* d = dx + r * n;
      if (label_of(args, r, label) != Label::good) {
        for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED { store_width(d + i, Vec::zero(), width); });
        continue;
      }
      const float g = dloss[r * dloss_stride];
      const LogSum log_sum = log_sum_of(x, n, lse[r]);
      const Vec scale = Vec::broadcast(g), other = Vec::broadcast(uniform);
      const Vec shift = Vec::broadcast(log_sum.shift), rest = Vec::broadcast(log_sum.rest);
      for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED {
        store_width(d + i, scale * (exp_nonpositive(load_width(x + i, width) - shift - rest) - other), width);
      });
      d[label] -= g * (1.0f - args.smoothing);
    }
  });
}

constexpr SoftmaxKernels softmax_kernels() {
  return {softmax_forward, softmax_backward, cross_entropy, cross_entropy_backward};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
