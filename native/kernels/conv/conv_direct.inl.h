// Forward convolution with few input channels (a first layer: 1 x 3 x 3), stride 1: k is too short for the tile of
// conv_micro.inl.h to pay for transposing its sums. Here lanes are neighbouring pixels of a row and four channels share each
// load: 4 x 3 vectors of sums, stored where they belong. The order of k and so the bits are those of the tile.
#pragma once
#include "kernels/conv/conv_plan.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr Index kConvDirectDepth = 32;  // longest k of this path

// y[c * plane + i] = sum over k of x[offset[k] + i] * w[k * width + c], for C channels and V vectors of pixels.
template <int C, int V>
void conv_direct_strip(const float* x, const std::int32_t* offset, const float* w, Index width, Index K, float* y,
                       Index plane) {
  Vec acc[C][V];
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[c][v] = Vec::zero();
  for (Index k = 0; k < K; ++k, w += width) {
    const float* xk = x + offset[k];
    Vec xv[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) xv[v] = Vec::load(xk + v * kLanes);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const Vec wc = Vec::broadcast(w[c]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[c][v] = fma(xv[v], wc, acc[c][v]);
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[c][v].store(y + c * plane + v * kLanes);
}

// One row of cols >= kLanes pixels; the last vectors overlap those before them.
template <int C>
void conv_direct_row(const float* x, const std::int32_t* offset, const float* w, Index width, Index K, Index cols,
                     float* y, Index plane) {
  for (Index next = 0; next < cols;) {
    const Index vecs = conv_min(conv_min(3, conv_ceil(cols - next, kLanes)), cols / kLanes);
    const Index i = conv_min(next, cols - vecs * kLanes);
    switch (vecs) {
      case 1: conv_direct_strip<C, 1>(x + i, offset, w, width, K, y + i, plane); break;
      case 2: conv_direct_strip<C, 2>(x + i, offset, w, width, K, y + i, plane); break;
      default: conv_direct_strip<C, 3>(x + i, offset, w, width, K, y + i, plane); break;
    }
    next = i + vecs * kLanes;
  }
}

// The first `channels` lanes of a panel of weights (K, width) for one row of pixels.
inline void conv_direct_channels(const float* x, const std::int32_t* offset, const float* w, Index width, Index K,
                                 Index cols, Index channels, float* y, Index plane) {
  Index c = 0;
  for (; c + 4 <= channels; c += 4) conv_direct_row<4>(x, offset, w + c, width, K, cols, y + c * plane, plane);
  for (; c < channels; ++c) conv_direct_row<1>(x, offset, w + c, width, K, cols, y + c * plane, plane);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
