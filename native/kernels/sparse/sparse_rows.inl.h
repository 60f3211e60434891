// The inner kernels of the sparse product: the rows of one piece of W by one tile of xᵀ, sums of a row in registers.
//
// R == 1: T vectors of sums; few vectors are split into several chains, which the latency of the multiply-add would bind.
// R == 4: 4 × V sums, V of 1 or 2 vectors at a time, each load of x used four times.
// Loads bind 1 × 1: T of x, the weight and its column, for T multiply-adds.
#pragma once
#include "kernels/sparse/sparse.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace sparse {

struct Rows {
  const SparseRow *row, *end;
  const std::uint16_t* column;
  const float* value;
  const float* x;  // of the piece's first column
  Index ldx;       // floats from a column to the next
  float* c;        // of the panel's first row
  Index ldc;       // floats from a row to the next
  bool first;      // c = … instead of c += …
};

template <int T, int C>
void rows_1(const Rows& p) {
  constexpr int kChains = T <= 2 ? 4 : T <= 4 ? 2 : kLanes == 16 ? 2 : 1;
  const std::uint16_t* column = p.column;
  const float* value = p.value;
  for (const SparseRow* row = p.row; row < p.end; ++row) {
    float* c = p.c + row->row * p.ldc;
    Vec acc[kChains][T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      acc[0][t] = p.first ? Vec::zero() : Vec::load(c + t * kLanes);
#pragma GCC unroll 4
      for (int q = 1; q < kChains; ++q) acc[q][t] = Vec::zero();
    }
    const auto entry = [&](int i, int chain) __attribute__((always_inline)) {
      const float* x = p.x + column[i] * p.ldx;
#pragma GCC unroll 4
      for (int k = 0; k < C; ++k, x += p.ldx) {
        const Vec w = Vec::broadcast(value[i * C + k]);
        const int q = (chain + k) % kChains;
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t) acc[q][t] = fma(w, Vec::load(x + t * kLanes), acc[q][t]);
      }
    };
    const int count = row->count;
    int i = 0;
    if constexpr (kChains > 1 && C == 1) {
      for (; i + kChains <= count; i += kChains) {
#pragma GCC unroll 4
        for (int q = 0; q < kChains; ++q) entry(i + q, q);
      }
    }
    for (; i < count; ++i) entry(i, 0);
    column += count;
    value += count * C;
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      if constexpr (kChains == 4) acc[0][t] = (acc[0][t] + acc[1][t]) + (acc[2][t] + acc[3][t]);
      if constexpr (kChains == 2) acc[0][t] = acc[0][t] + acc[1][t];
      acc[0][t].store(c + t * kLanes);
    }
  }
}

template <int V, int C>
void rows_4(const Rows& p) {
  const std::uint16_t* column = p.column;
  const float* value = p.value;
  for (const SparseRow* row = p.row; row < p.end; ++row) {
    float* c = p.c + row->row * p.ldc;
    Vec acc[4][V];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v] = p.first ? Vec::zero() : Vec::load(c + r * p.ldc + v * kLanes);
    }
    for (int i = 0; i < row->count; ++i) {
      const float* x = p.x + *column++ * p.ldx;
#pragma GCC unroll 4
      for (int k = 0; k < C; ++k) {
        Vec xv[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) xv[v] = Vec::load(x + k * p.ldx + v * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) {
          const Vec w = Vec::broadcast(value[k * 4 + r]);
#pragma GCC unroll 2
          for (int v = 0; v < V; ++v) acc[r][v] = fma(w, xv[v], acc[r][v]);
        }
      }
      value += 4 * C;
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v].store(c + r * p.ldc + v * kLanes);
    }
  }
}

using RowsKernel = void (*)(const Rows&);

template <int C>
struct RowsTable {
  RowsKernel kernels[kSparseTileVectors] = {rows_1<1, C>, rows_1<2, C>, rows_1<3, C>, rows_1<4, C>,
                                            rows_1<5, C>, rows_1<6, C>, rows_1<7, C>, rows_1<8, C>};
};
constexpr RowsTable<1> kRows1{};
constexpr RowsTable<4> kRows4{};

// Entries of kSparseShapes[shape] by a tile of `vectors` vectors.
inline void run_rows(Rows p, int shape, int vectors) {
  switch (shape) {
    case 0: return kRows1.kernels[vectors - 1](p);
    case 1: return kRows4.kernels[vectors - 1](p);
    default: break;
  }
  for (int v = 0; v < vectors; v += 2, p.x += 2 * kLanes, p.c += 2 * kLanes) {
    const bool two = vectors - v > 1;
    if (shape == 2)
      two ? rows_4<2, 1>(p) : rows_4<1, 1>(p);
    else
      two ? rows_4<2, 4>(p) : rows_4<1, 4>(p);
  }
}

}  // namespace sparse
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
