// The matrix product in double precision: one row of C at a time, its columns in strips that stay in registers or L1, read
// in place through any strides. Meant for references and f64 graphs, where being right matters and the last factor does not.
#pragma once
#include "kernels/gemm/gemm_plan.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace gemm {

inline constexpr Index kStripF64 = 64;  // columns whose sums are kept on the stack

struct RowF64 {
  Index K;
  const double* a;
  Index a_col;
  const double* b;
  Index b_row, b_col;
  double* c;
  Index cols;  // at most kStripF64
  bool accumulate;
};

// Every element is summed over k in ascending order, in both loops below.
inline void gemm_f64_strip(const RowF64& s) {
  double sum[kStripF64] = {};
  if (s.b_col == 1) {
    for (Index k = 0; k < s.K; ++k) {
      const double x = s.a[k * s.a_col];
      const double* b = s.b + k * s.b_row;
      for (Index j = 0; j < s.cols; ++j) sum[j] += x * b[j];
    }
  } else {
    for (Index j = 0; j < s.cols; ++j) {
      const double* b = s.b + j * s.b_col;
      double total = 0;
      for (Index k = 0; k < s.K; ++k) total += s.a[k * s.a_col] * b[k * s.b_row];
      sum[j] = total;
    }
  }
  for (Index j = 0; j < s.cols; ++j) s.c[j] = s.accumulate ? s.c[j] + sum[j] : sum[j];
}

inline void gemm_f64_run(const GemmF64Args& g, Parallel& parallel) {
  const Index entries = g.batch[0] * g.batch[1];
  if (g.M <= 0 || g.N <= 0 || entries <= 0) return;
  const Index group = most(1, (Index{1} << 17) / most(1, g.N * g.K));  // rows in a task
  const Index groups = ceil_div(g.M, group);
  parallel.run(static_cast<int>(entries * groups), [&](int task, int) {
    const Index entry = task / groups, first = task % groups * group;
    const Index b0 = entry / g.batch[1], b1 = entry % g.batch[1];
    const double* a = g.a + b0 * g.a_batch[0] + b1 * g.a_batch[1];
    const double* b = g.b + b0 * g.b_batch[0] + b1 * g.b_batch[1];
    double* c = g.c + b0 * g.c_batch[0] + b1 * g.c_batch[1];
    for (Index j = 0; j < g.N; j += kStripF64)
      for (Index i = first; i < least(g.M, first + group); ++i)
        gemm_f64_strip({g.K, a + i * g.a_row, g.a_col, b + j * g.b_col, g.b_row, g.b_col, c + i * g.ldc + j,
                        least(kStripF64, g.N - j), g.accumulate});
  });
}

}  // namespace gemm
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
