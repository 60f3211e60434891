// The register tile of the matrix product: C[R, V lanes] (+)= A[R, kc] · B[kc, V lanes], all of C in registers.
//
// Registers: R × V accumulators, V for the row of B, and one broadcast of A (AVX-512 folds it into the FMA as a memory
// operand): 14 × 2 + 2 of 32 for AVX-512, 6 × 2 + 2 + 1 of 16 for AVX2, 8 × 2 + 2 + 1 of 32 for NEON, 4 × 2 + 2 + 1 portable.
// A comes in one of two orders: k major (packed panels, or a transposed matrix in place) or row major (in place).
// Every order and every R and V sums an element of C over k in the same sequence, so the choice never shows in the result.
#pragma once
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace gemm {

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kMr = 14;
#elif defined(ATHANOR_ISA_AVX2)
inline constexpr int kMr = 6;
#elif defined(ATHANOR_ISA_NEON)
inline constexpr int kMr = 8;
#else
inline constexpr int kMr = 4;
#endif
inline constexpr int kNv = 2;             // vectors in a row of the tile
inline constexpr int kNr = kNv * kLanes;  // columns of the tile, and of a packed B panel

enum class GemmOrder { k_major, row_major };

struct GemmTile {
  Index kc;        // may be 0
  const float* a;  // k major: a[k * lda + r]; row major: a[r * lda + k]
  Index lda;
  const float* b;  // b[k * ldb + column]
  Index ldb;
  float* c;
  Index ldc;
  int tail;         // columns stored in the last vector, 1 to kLanes
  bool accumulate;  // C += instead of C =
};

// Rows of B fetched ahead: a panel is read first from where it was packed or lies, L2 or L3, at one cache line a step.
inline constexpr Index kAhead = 12;
inline constexpr int kLineVectors = 16 / kLanes;  // vectors in a cache line

template <int R, int V, GemmOrder order>
void gemm_tile(const GemmTile& t) {
  Vec acc[R][V];
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    __builtin_prefetch(t.c + r * t.ldc, 1);
    ATHANOR_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v] = Vec::zero();
  }
  const Index lda = t.lda, ldb = t.ldb;
  const float* a = t.a;
  const float* b = t.b;
  for (Index k = 0; k < t.kc; ++k) {
    Vec bv[V];
    ATHANOR_UNROLL
    for (int v = 0; v < V; v += kLineVectors) __builtin_prefetch(b + kAhead * ldb + v * kLanes);
    ATHANOR_UNROLL
    for (int v = 0; v < V; ++v) bv[v] = Vec::load(b + v * kLanes);
    if constexpr (order == GemmOrder::k_major) {
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vec av = Vec::broadcast(a[r]);
        ATHANOR_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = fma(av, bv[v], acc[r][v]);
      }
      a += lda;
    } else {
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vec av = Vec::broadcast(a[r * lda]);
        ATHANOR_UNROLL
        for (int v = 0; v < V; ++v) acc[r][v] = fma(av, bv[v], acc[r][v]);
      }
      a += 1;
    }
    b += ldb;
  }
  ATHANOR_UNROLL
  for (int r = 0; r < R; ++r) {
    float* c = t.c + r * t.ldc;
    ATHANOR_UNROLL
    for (int v = 0; v < V; ++v) {
      float* p = c + v * kLanes;
      if (v == V - 1 && t.tail != kLanes) {
        if (t.accumulate) acc[r][v] = acc[r][v] + Vec::load(p, t.tail);
        acc[r][v].store(p, t.tail);
      } else {
        if (t.accumulate) acc[r][v] = acc[r][v] + Vec::load(p);
        acc[r][v].store(p);
      }
    }
  }
}

using GemmTileKernel = void (*)(const GemmTile&);

template <GemmOrder order, int V, int... R>
struct GemmTileRow {
  GemmTileKernel kernels[kMr] = {gemm_tile<R, V, order>...};
};

#if defined(ATHANOR_ISA_AVX512)
template <GemmOrder order, int V>
using GemmTileRows = GemmTileRow<order, V, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>;
#elif defined(ATHANOR_ISA_AVX2)
template <GemmOrder order, int V>
using GemmTileRows = GemmTileRow<order, V, 1, 2, 3, 4, 5, 6>;
#elif defined(ATHANOR_ISA_NEON)
template <GemmOrder order, int V>
using GemmTileRows = GemmTileRow<order, V, 1, 2, 3, 4, 5, 6, 7, 8>;
#else
template <GemmOrder order, int V>
using GemmTileRows = GemmTileRow<order, V, 1, 2, 3, 4>;
#endif

struct GemmTileTable {
  GemmTileRows<GemmOrder::k_major, 1> k_major_1;
  GemmTileRows<GemmOrder::k_major, 2> k_major_2;
  GemmTileRows<GemmOrder::row_major, 1> row_major_1;
  GemmTileRows<GemmOrder::row_major, 2> row_major_2;
};
constexpr GemmTileTable kGemmTiles{};

// Runs the tile of `rows` rows (1 to kMr) and `cols` columns (1 to kNr); t.tail is set here. B must be readable for a whole
// vector past the last one of its columns, which packed panels are.
ATHANOR_INLINE void run_gemm_tile(GemmTile& t, int rows, int cols, GemmOrder order) {
  const bool two = cols > kLanes;
  t.tail = two ? cols - kLanes : cols;
  const GemmTileKernel* row;
  if (order == GemmOrder::k_major) {
    row = two ? kGemmTiles.k_major_2.kernels : kGemmTiles.k_major_1.kernels;
  } else {
    row = two ? kGemmTiles.row_major_2.kernels : kGemmTiles.row_major_1.kernels;
  }
  row[rows - 1](t);
}

}  // namespace gemm
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
