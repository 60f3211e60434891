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
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kConvTile = 8;  // rows; 8 x 2 accumulators hide the latency of 4 on two ports, 8 pointers fit beside them
inline constexpr int kConvVecs = 2;  // vectors of a panel
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

// dst[j * ldd + i] = src[i * lds + j] (or += with Add), in register blocks.
#if defined(ATHANOR_ISA_AVX2) || defined(ATHANOR_ISA_AVX512)
inline constexpr int kTransposeBlock = 8;
template <bool Add>
ATHANOR_INLINE void transpose_block(const float* src, Index lds, float* dst, Index ldd) {
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 4; ++i) {  // rows i and i + 4 share a register: the exchange of halves is done by the loads
    r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src + i * lds)), _mm_loadu_ps(src + (i + 4) * lds), 1);
    r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src + i * lds + 4)),
                                    _mm_loadu_ps(src + (i + 4) * lds + 4), 1);
  }
#pragma GCC unroll 2
  for (int h = 0; h < 8; h += 4) {
    t[h + 0] = _mm256_unpacklo_ps(r[h + 0], r[h + 1]);
    t[h + 1] = _mm256_unpackhi_ps(r[h + 0], r[h + 1]);
    t[h + 2] = _mm256_unpacklo_ps(r[h + 2], r[h + 3]);
    t[h + 3] = _mm256_unpackhi_ps(r[h + 2], r[h + 3]);
    r[h + 0] = _mm256_shuffle_ps(t[h + 0], t[h + 2], 0x44);
    r[h + 1] = _mm256_shuffle_ps(t[h + 0], t[h + 2], 0xee);
    r[h + 2] = _mm256_shuffle_ps(t[h + 1], t[h + 3], 0x44);
    r[h + 3] = _mm256_shuffle_ps(t[h + 1], t[h + 3], 0xee);
  }
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    if constexpr (Add) r[j] = _mm256_add_ps(r[j], _mm256_loadu_ps(dst + j * ldd));
    _mm256_storeu_ps(dst + j * ldd, r[j]);
  }
}
#else
inline constexpr int kTransposeBlock = 4;
template <bool Add>
ATHANOR_INLINE void transpose_block(const float* src, Index lds, float* dst, Index ldd) {
  float block[4][4];
  for (int i = 0; i < 4; ++i) __builtin_memcpy(block[i], src + i * lds, sizeof block[i]);
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < 4; ++i) dst[j * ldd + i] = Add ? dst[j * ldd + i] + block[i][j] : block[i][j];
}
#endif

template <bool Add = false>
void conv_transpose(const float* src, Index lds, Index rows, Index cols, float* dst, Index ldd) {
  const Index row_blocks = rows - rows % kTransposeBlock, col_blocks = cols - cols % kTransposeBlock;
  const auto one = [&](Index i, Index j) {
    dst[j * ldd + i] = Add ? dst[j * ldd + i] + src[i * lds + j] : src[i * lds + j];
  };
  for (Index j = 0; j < col_blocks; j += kTransposeBlock) {
    for (Index i = 0; i < row_blocks; i += kTransposeBlock)
      transpose_block<Add>(src + i * lds + j, lds, dst + j * ldd + i, ldd);
    for (Index jj = j; jj < j + kTransposeBlock; ++jj)
      for (Index i = row_blocks; i < rows; ++i) one(i, jj);
  }
  for (Index j = col_blocks; j < cols; ++j)
    for (Index i = 0; i < rows; ++i) one(i, j);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
