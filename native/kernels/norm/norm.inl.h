// Layer norm and RMS norm; the formulas are in norm.h. With h = (x - mean) rstd and g = dy gamma:
//   dx = rstd (g - mean(g) - h mean(g h)),  dgamma = sum over rows of dy h,  dbeta = sum over rows of dy
// (RMS norm: without mean(g), and h = x rstd.)
#pragma once
#include "kernels/norm/norm.h"
#include "kernels/reduce/sums.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

ATHANOR_INLINE Vec gamma_at(const float* gamma, Index i, Index width) {
  return gamma != nullptr ? load_width(gamma + i, width) : Vec::broadcast(1.0f);
}

struct NormMoments {
  float mean, rstd;
};

ATHANOR_INLINE NormMoments moments_of(const float* x, Index n, bool rms, float eps) {
  const double count = static_cast<double>(n);
  double mean = 0, square;
  if (rms) {
    square = sum_of(x, n, [](Vec v) { return v * v; });
  } else {
    const auto squares = [&] { return sum_shifted(x, n, static_cast<float>(mean), [](auto v) { return v * v; }); };
    mean = sum_of(x, n, [](Vec v) { return v; }) / count;
    square = squares();
    if (is_far(mean, square / count, eps)) {
      const float first = static_cast<float>(mean);
      mean = static_cast<double>(first) + sum_shifted(x, n, first, [](auto v) { return v; }) / count;
      square = squares();
    }
  }
  return {static_cast<float>(mean),
          static_cast<float>(1.0 / __builtin_sqrt(square / count + static_cast<double>(eps)))};
}

void norm_forward_rows(const NormArgs& args, Index begin, Index end) {
  const Index n = args.cols;
  for (Index r = begin; r < end; ++r) {
    const float* x = args.x + r * n;
    float* y = args.y + r * n;
    const NormMoments moments = moments_of(x, n, args.kind == NormKind::rms, args.eps);
    if (args.mean != nullptr && args.kind == NormKind::layer) args.mean[r] = moments.mean;
    if (args.rstd != nullptr) args.rstd[r] = moments.rstd;
    const Vec mean = Vec::broadcast(moments.mean), rstd = Vec::broadcast(moments.rstd);
    for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED {
      const Vec h = (load_width(x + i, width) - mean) * rstd;
      const Vec beta = args.beta != nullptr ? load_width(args.beta + i, width) : Vec::zero();
      store_width(y + i, fma(h, gamma_at(args.gamma, i, width), beta), width);
    });
  }
}

void norm_forward(const NormArgs& args, Parallel& parallel) {
  constexpr Index kTask = 16384;  // elements
  const Index each = args.cols >= kTask ? 1 : kTask / (args.cols > 0 ? args.cols : 1);
  const Index tasks = (args.rows + each - 1) / each;
  if (tasks <= 1) return norm_forward_rows(args, 0, args.rows);
  parallel.run(static_cast<int>(tasks), [&](int task, int) {
    const Index begin = task * each;
    norm_forward_rows(args, begin, begin + each < args.rows ? begin + each : args.rows);
  });
}

// Backward works on chunks of rows, each with its own sums for dgamma and dbeta: at most 256 chunks, of 32 rows or more.
struct NormChunks {
  Index rows, count;
};

NormChunks norm_chunks(Index rows) {
  const Index each = (rows + 255) / 256 > 32 ? (rows + 255) / 256 : 32;
  return {each, (rows + each - 1) / each};
}

Index norm_backward_workspace(const NormBackwardArgs& args) {
  if (args.dgamma == nullptr && args.dbeta == nullptr) return 0;
  return norm_chunks(args.rows).count * args.cols * 2 * static_cast<Index>(sizeof(float));
}

struct NormRow {
  const float *x, *dy, *gamma;
  Vec mean, rstd;
};

ATHANOR_INLINE Vec normalized(const NormRow& row, Index i, Index width) {
  return (load_width(row.x + i, width) - row.mean) * row.rstd;
}

ATHANOR_INLINE void norm_backward_row(const NormRow& row, float* dx, Index n, bool rms) {
  const double count = static_cast<double>(n);
  double sum_g = 0, sum_gh = 0;
  Vec block_g = Vec::zero(), block_gh = Vec::zero();
  Index rounds = 0;
  const auto flush = [&] {
    sum_g += static_cast<double>(reduce_add(block_g));
    sum_gh += static_cast<double>(reduce_add(block_gh));
    block_g = block_gh = Vec::zero();
    rounds = 0;
  };
  for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED {
    const Vec g = load_width(row.dy + i, width) * gamma_at(row.gamma, i, width);  // zero beyond the end
    block_g = block_g + g;
    block_gh = fma(g, normalized(row, i, width), block_gh);
    if (++rounds == kSumBlock) flush();
  });
  flush();
  const Vec mean_g = Vec::broadcast(rms ? 0.0f : static_cast<float>(sum_g / count));
  const Vec mean_gh = Vec::broadcast(static_cast<float>(sum_gh / count));
  for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED {
    const Vec g = load_width(row.dy + i, width) * gamma_at(row.gamma, i, width);
    store_width(dx + i, row.rstd * fnma(normalized(row, i, width), mean_gh, g - mean_g), width);
  });
}

// Rows [begin, end): dx, and the sums of dy h and dy into dgamma and dbeta, which start at zero.
void norm_backward_rows(const NormBackwardArgs& args, Index begin, Index end, float* dgamma, float* dbeta) {
  const Index n = args.cols;
  const bool rms = args.kind == NormKind::rms;
  for (Index r = begin; r < end; ++r) {
    const NormRow row{args.x + r * n, args.dy + r * n, args.gamma, Vec::broadcast(rms ? 0.0f : args.mean[r]),
                      Vec::broadcast(args.rstd[r])};
    if (dgamma != nullptr) {
      for_each_vector(n, [&](Index i, Index width) ATHANOR_INLINED {
        const Vec dy = load_width(row.dy + i, width);
        store_width(dgamma + i, fma(dy, normalized(row, i, width), load_width(dgamma + i, width)), width);
        store_width(dbeta + i, load_width(dbeta + i, width) + dy, width);
      });
    }
    if (args.dx != nullptr) norm_backward_row(row, args.dx + r * n, n, rms);
  }
}

// out[i] = the sum over k of partial[k * stride + i], in order and in f64.
void sum_chunks(const float* partial, Index count, Index stride, Index n, float* out) {
  constexpr Index kSumStrip = 64;
  for (Index begin = 0; begin < n; begin += kSumStrip) {
    const Index width = n - begin < kSumStrip ? n - begin : kSumStrip;
    double total[kSumStrip] = {};
    for (Index k = 0; k < count; ++k)
      for (Index i = 0; i < width; ++i) total[i] += static_cast<double>(partial[k * stride + begin + i]);
    for (Index i = 0; i < width; ++i) out[begin + i] = static_cast<float>(total[i]);
  }
}

void norm_backward(const NormBackwardArgs& args, Parallel& parallel, void* workspace) {
  const NormChunks chunks = norm_chunks(args.rows);
  const Index n = args.cols;
  const bool sums = args.dgamma != nullptr || args.dbeta != nullptr;
  float* partial = static_cast<float*>(workspace);  // (chunks, 2, cols)
  parallel.run(static_cast<int>(chunks.count), [&](int task, int) {
    const Index begin = task * chunks.rows;
    const Index end = begin + chunks.rows < args.rows ? begin + chunks.rows : args.rows;
    float* own = sums ? partial + task * 2 * n : nullptr;
    for (Index i = 0; sums && i < 2 * n; ++i) own[i] = 0;
    norm_backward_rows(args, begin, end, own, sums ? own + n : nullptr);
  });
  if (args.dgamma != nullptr) sum_chunks(partial, chunks.count, 2 * n, n, args.dgamma);
  if (args.dbeta != nullptr) sum_chunks(partial + n, chunks.count, 2 * n, n, args.dbeta);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
