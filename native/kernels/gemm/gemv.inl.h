// The product with one to four rows, or columns: each element of the large operand is read once, so the pace is that of
// memory and nothing is packed. Two shapes, by the order of the large operand W in memory:
//   dot    W[n][k], k contiguous: y[r][n] = Σ_k x[r][k] · W[n][k], several n at a time, lanes over k
//   axpy   W[k][n], n contiguous: y[r][n] += Σ_q x[r][k + q] · W[k + q][n], several k at a time, lanes over n
// A column vector on the right is the same with the roles of rows and columns exchanged. Tasks are strips of n.
#pragma once
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_plan.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace gemm {

inline constexpr int kGemvRows = kGemmFewRows;
inline constexpr Index kGemvTask = 1 << 17;  // elements of W in a task: 512 KiB, some 15 µs

struct Gemv {
  Index R, N, K;  // rows of x and y (1 to kGemvRows), columns of y, depth
  const float* x;
  Index x_row, x_k;  // x_k == 1 for dot
  const float* w;
  Index ldw;  // dot: from column n to n + 1 of y; axpy: from k to k + 1
  float* y;
  Index y_row, y_col;  // y_col == 1 for axpy
  bool accumulate;
};

// S columns of y by R rows from column n on.
template <int R, int S>
ATHANOR_INLINE void gemv_dot_block(const Gemv& g, Index n) {
  Vec acc[R][S];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int s = 0; s < S; ++s) acc[r][s] = Vec::zero();
  }
  const float* w = g.w + n * g.ldw;
  const auto step = [&](Index k, auto load) __attribute__((always_inline)) {
    Vec xv[R];
    ATHANOR_UNROLL
    for (int r = 0; r < R; ++r) xv[r] = load(g.x + r * g.x_row + k);
    ATHANOR_UNROLL
    for (int s = 0; s < S; ++s) {
      const Vec wv = load(w + s * g.ldw + k);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) acc[r][s] = fma(xv[r], wv, acc[r][s]);
    }
  };
  Index k = 0;
  for (; k + kLanes <= g.K; k += kLanes)
    step(k, [](const float* p) __attribute__((always_inline)) { return Vec::load(p); });
  if (k < g.K) {
    const Index rest = g.K - k;
    step(k, [rest](const float* p) __attribute__((always_inline)) { return Vec::load(p, rest); });
  }
  for (int r = 0; r < R; ++r)
    for (int s = 0; s < S; ++s) {
      float* y = g.y + r * g.y_row + (n + s) * g.y_col;
      const float sum = reduce_add(acc[r][s]);
      *y = g.accumulate ? *y + sum : sum;
    }
}

template <int R>
void gemv_dot(const Gemv& g) {
  constexpr int kColumns = R == 1 ? 8 : R == 4 ? 2 : 4;
  Index n = 0;
  for (; n + kColumns <= g.N; n += kColumns) gemv_dot_block<R, kColumns>(g, n);
  for (; n < g.N; ++n) gemv_dot_block<R, 1>(g, n);
}

// Q rows of W from row k on, added to all of y (or, for `first`, making it).
template <int R, int Q>
ATHANOR_INLINE void gemv_axpy_rows(const Gemv& g, Index k, bool first) {
  Vec xv[R][Q];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    ATHANOR_UNROLL
    for (int q = 0; q < Q; ++q) xv[r][q] = Vec::broadcast(g.x[r * g.x_row + (k + q) * g.x_k]);
  }
  const float* w = g.w + k * g.ldw;
  const auto step = [&](Index n, auto load, auto store) __attribute__((always_inline)) {
    Vec yv[R];
    ATHANOR_UNROLL
    for (int r = 0; r < R; ++r) yv[r] = first ? Vec::zero() : load(g.y + r * g.y_row + n);
    ATHANOR_UNROLL
    for (int q = 0; q < Q; ++q) {
      // The next rows of W; for one row of x the prefetchers do as well.
      if constexpr (R > 1) __builtin_prefetch(w + (q + Q) * g.ldw + n);
      const Vec wv = load(w + q * g.ldw + n);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) yv[r] = fma(xv[r][q], wv, yv[r]);
    }
    ATHANOR_UNROLL
    for (int r = 0; r < R; ++r) store(yv[r], g.y + r * g.y_row + n);
  };
  Index n = 0;
  for (; n + kLanes <= g.N; n += kLanes)
    step(
        n, [](const float* p) __attribute__((always_inline)) { return Vec::load(p); },
        [](Vec v, float* p) __attribute__((always_inline)) { v.store(p); });
  if (n < g.N) {
    const Index rest = g.N - n;
    step(
        n, [rest](const float* p) __attribute__((always_inline)) { return Vec::load(p, rest); },
        [rest](Vec v, float* p) __attribute__((always_inline)) { v.store(p, rest); });
  }
}

template <int R>
void gemv_axpy(const Gemv& g) {
  constexpr int kDepth = R == 1 ? 8 : R == 2 ? 4 : 2;
  Index k = 0;
  for (; k + kDepth <= g.K; k += kDepth) gemv_axpy_rows<R, kDepth>(g, k, k == 0 && !g.accumulate);
  for (; k < g.K; ++k) gemv_axpy_rows<R, 1>(g, k, k == 0 && !g.accumulate);
}

using GemvKernel = void (*)(const Gemv&);
constexpr GemvKernel kGemvDot[kGemvRows] = {gemv_dot<1>, gemv_dot<2>, gemv_dot<3>, gemv_dot<4>};
constexpr GemvKernel kGemvAxpy[kGemvRows] = {gemv_axpy<1>, gemv_axpy<2>, gemv_axpy<3>, gemv_axpy<4>};

// How the product maps onto Gemv, if it does: x is the small operand, w the large one.
struct GemvRoles {
  GemvKernel kernel;  // null: not a shape for these kernels
  bool dot;
  bool exchanged;  // the rows of W are rows of C
};

inline GemvRoles gemv_roles(const GemmArgs& g) {
  const GemvRoles none{nullptr, false, false};
  if (g.b_packed || g.a.pack || g.b.pack) return none;
  if (g.M <= kGemvRows) {
    if (g.b.row == 1 && g.a.col == 1) return {kGemvDot[g.M - 1], true, false};
    if (g.b.col == 1) return {kGemvAxpy[g.M - 1], false, false};
  }
  if (g.N <= kGemvRows && g.b.row == 1 && g.a.col == 1) return {kGemvDot[g.N - 1], true, true};
  if (g.N == 1 && g.a.row == 1 && g.ldc == 1) return {kGemvAxpy[0], false, true};
  return none;
}

inline void run_gemv_strip(const GemmArgs& g, const GemvRoles& roles, Index entry, Index n0, Index n1) {
  const Index b0 = entry / g.batch[1], b1 = entry % g.batch[1];
  const float* a = g.a.data + b0 * g.a.batch[0] + b1 * g.a.batch[1];
  const float* b = g.b.data + b0 * g.b.batch[0] + b1 * g.b.batch[1];
  float* c = g.c + b0 * g.c_batch[0] + b1 * g.c_batch[1];
  if (!roles.exchanged) {
    const Index ldw = roles.dot ? g.b.col : g.b.row;
    c += n0;
    roles.kernel({g.M, n1 - n0, g.K, a, g.a.row, g.a.col, b + n0 * g.b.col, ldw, c, g.ldc, 1, g.accumulate});
    if (g.epilogue)
      for (Index i = 0; i < g.M; ++i) g.epilogue(g.epilogue_self, c + i * g.ldc, i, n0, n1 - n0, entry);
  } else {
    const Index ldw = roles.dot ? g.a.row : g.a.col;
    c += n0 * g.ldc;
    roles.kernel({g.N, n1 - n0, g.K, b, g.b.col, g.b.row, a + n0 * g.a.row, ldw, c, 1, g.ldc, g.accumulate});
    if (g.epilogue)
      for (Index i = n0; i < n1; ++i) g.epilogue(g.epilogue_self, c + (i - n0) * g.ldc, i, 0, g.N, entry);
  }
}

// False where the shape is none for these kernels.
inline bool run_gemv(const GemmArgs& g, Parallel& parallel) {
  const GemvRoles roles = gemv_roles(g);
  if (!roles.kernel) return false;
  const Index entries = g.batch[0] * g.batch[1], n = roles.exchanged ? g.M : g.N;
  // An axpy strip keeps y in L1 and is wide enough for the prefetchers to follow its pieces of rows.
  const Index narrowest = n * g.K < Index{1} << 20 ? 1024 : 512;
  const Index width = round_up(kGemvTask / g.K + 1, 64);
  const Index strip = roles.dot ? width : most(narrowest, least(width, 2048));
  const Index strips = ceil_div(n, strip);
  parallel.run(static_cast<int>(entries * strips), [&](int task, int) {
    const Index i = task % strips;
    run_gemv_strip(g, roles, task / strips, part_start(i, strips, n), part_start(i + 1, strips, n));
  });
  return true;
}

}  // namespace gemm
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
