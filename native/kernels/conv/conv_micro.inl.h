// The register tile of every convolution pass, and the transposition around it.
//
// Lanes are channels, read from a packed operand w[K][panel]; rows are scalars broadcast from wherever they lie in the image:
//
//   acc[row[j]][v] (+)= sum over k of x[base[j] + offset[k]] * w[k][v]
//
// so an image is never unfolded into a matrix (no im2col): forward has j = output pixel, k = (ci, kh, kw); the gradient to the
// weights has j = (ci, kh, kw), k = output pixel, w = dy transposed. Any stride and dilation is only another table. Per k the
// AVX2 tile of 6 x 2 vectors has 12 multiply-adds for 2 + 6 vector loads and one offset: bound by the multipliers.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "simd/transpose.inl.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kConvTile =
    8;  // rows; 8 x 2 accumulators hide the latency of 4 on two ports, 8 pointers fit beside them
inline constexpr int kConvVecs = 2;     // vectors of a panel
inline constexpr int kConvDepth = 288;  // longest block of k: its panel stays in L1 while the tiles pass by
#elif defined(ATHANOR_ISA_AVX2)
inline constexpr int kConvTile = 6;
inline constexpr int kConvVecs = 2;
inline constexpr int kConvDepth = 320;
#elif defined(ATHANOR_ISA_NEON)
inline constexpr int kConvTile = 6;
inline constexpr int kConvVecs = 4;
inline constexpr int kConvDepth = 320;
#else
inline constexpr int kConvTile = 4;
inline constexpr int kConvVecs = 2;
inline constexpr int kConvDepth = 320;
#endif
inline constexpr int kConvPanel = kConvVecs * kLanes;  // channels

struct ConvTile {
  const float* x;
  const std::int32_t* base;    // (J)
  const std::int32_t* offset;  // (K)
  const float* w;              // (K, panel)
  Index K;
  float* acc;               // (rows, panel)
  const std::int32_t* row;  // (J)
  bool accumulate;
};

template <int J, int V>
void conv_tile(const ConvTile& t) {
  const float* x[J];
  Vec acc[J][V];
  float* const sums = t.acc;
  const std::int32_t* const row = t.row;
#pragma GCC unroll 8
  for (int j = 0; j < J; ++j) x[j] = t.x + t.base[j];
#pragma GCC unroll 8
  for (int j = 0; j < J; ++j) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      acc[j][v] = t.accumulate ? Vec::load(sums + Index{row[j]} * (V * kLanes) + v * kLanes) : Vec::zero();
  }
  const float* w = t.w;
  for (const std::int32_t *offset = t.offset, *end = offset + t.K; offset != end; ++offset, w += V * kLanes) {
    const Index o = *offset;
    Vec wv[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) wv[v] = Vec::load(w + v * kLanes);
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const Vec xj = Vec::broadcast(x[j][o]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[j][v] = fma(xj, wv[v], acc[j][v]);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < J; ++j) {
    float* to = sums + Index{row[j]} * (V * kLanes);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[j][v].store(to + v * kLanes);
  }
}

template <int V>
void conv_tile_rows(int rows, const ConvTile& t) {
  switch (rows) {
    case 1: return conv_tile<1, V>(t);
    case 2: return conv_tile<2, V>(t);
    case 3: return conv_tile<3, V>(t);
    case 4: return conv_tile<4, V>(t);
#if !defined(ATHANOR_ISA_SCALAR)
    case 5: return conv_tile<5, V>(t);
    case 6: return conv_tile<6, V>(t);
#endif
#if defined(ATHANOR_ISA_AVX512)
    case 7: return conv_tile<7, V>(t);
    case 8: return conv_tile<8, V>(t);
#endif
    default: return;
  }
}

// Vectors of the panel that holds `channels` channels (of the full kConvVecs, or fewer in the last panel).
ATHANOR_INLINE int conv_panel_vecs(Index channels) {
  int vecs = 1;
  while (vecs < kConvVecs && vecs * kLanes < channels) vecs *= 2;
  return vecs;
}

// All tiles of one panel: `count` rows in the tables base and row. A remainder is shared by the last two tiles, because a tile
// of one or two rows waits for its own sums.
inline void conv_tiles(ConvTile t, Index count, int vecs) {
  while (count > 0) {
    const Index rows = count <= kConvTile ? count : count < 2 * kConvTile ? (count + 1) / 2 : kConvTile;
    switch (vecs) {
      case 1: conv_tile_rows<1>(static_cast<int>(rows), t); break;
      case 2: conv_tile_rows<2>(static_cast<int>(rows), t); break;
#if defined(ATHANOR_ISA_NEON)
      case 4: conv_tile_rows<4>(static_cast<int>(rows), t); break;
#endif
      default: return;
    }
    t.base += rows;
    t.row += rows;
    count -= rows;
  }
}

// dst[j * ldd + i] = src[i * lds + j] (or += with Add), in square register blocks.
template <bool Add>
ATHANOR_INLINE void conv_transpose_block(const float* src, Index lds, float* dst, Index ldd) {
  Vec r[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) r[i] = Vec::load(src + i * lds);
  transpose(r);
#pragma GCC unroll 16
  for (int j = 0; j < kLanes; ++j) {
    if constexpr (Add) r[j] = r[j] + Vec::load(dst + j * ldd);
    r[j].store(dst + j * ldd);
  }
}

template <bool Add = false>
void conv_transpose(const float* src, Index lds, Index rows, Index cols, float* dst, Index ldd) {
  const Index row_blocks = rows - rows % kLanes, col_blocks = cols - cols % kLanes;
  const auto one = [&](Index i, Index j) {
    dst[j * ldd + i] = Add ? dst[j * ldd + i] + src[i * lds + j] : src[i * lds + j];
  };
  for (Index j = 0; j < col_blocks; j += kLanes) {
    for (Index i = 0; i < row_blocks; i += kLanes)
      conv_transpose_block<Add>(src + i * lds + j, lds, dst + j * ldd + i, ldd);
    for (Index jj = j; jj < j + kLanes; ++jj)
      for (Index i = row_blocks; i < rows; ++i) one(i, jj);
  }
  for (Index j = col_blocks; j < cols; ++j)
    for (Index i = 0; i < rows; ++i) one(i, j);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
