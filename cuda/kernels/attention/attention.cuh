// What the attention kernels share: tiles of rows in shared memory, and which key a query sees.
#pragma once
#include "cuda/kernels/block_reduce.cuh"
#include "device/launch.h"

namespace athanor::cuda {

inline constexpr int kAttentionWarps = 4, kAttentionThreads = kAttentionWarps * kWarpSize;
inline constexpr int kOwn = 4;                         // rows of a warp
inline constexpr int kOwned = kOwn * kAttentionWarps;  // rows of a block
inline constexpr int kTile = kWarpSize;                // rows of the other side at a time: one a lane

struct AttentionParams {
  AttentionShape s;
  AttentionView<const float> q, k, v, y, dy;
  AttentionView<float> out, dq, dk, dv;
  AttentionMask mask;
  float* lse;
  float* delta;  // (B, H, Tq): the sum of dy y
};

// rows × D into shared memory, a row `pitch` apart; rows from `count` on become zero.
ATHANOR_DEVICE void stage_rows(float* to, int pitch, const float* from, Index row_stride, Index count, int rows,
                               int depth) {
  for (int e = static_cast<int>(threadIdx.x); e < rows * depth; e += kAttentionThreads) {
    const int r = e / depth, d = e - r * depth;
    to[r * pitch + d] = r < count ? from[r * row_stride + d] : 0.0f;
  }
}

// The scaled logit of query i and key j, -inf where the query does not see the key.
ATHANOR_DEVICE float masked_logit(const AttentionParams& p, float dot, Index b, Index h, Index i, Index j) {
  float logit = dot * p.s.scale;
  if (p.s.causal && j > i + p.s.causal_offset) return -infinity();
  if (p.mask.add != nullptr) logit += p.mask.add[b * p.mask.batch + h * p.mask.head + i * p.mask.row + j];
  if (p.mask.keep != nullptr && p.mask.keep[b * p.mask.batch + h * p.mask.head + i * p.mask.row + j] == 0)
    return -infinity();
  return logit;
}

// Σ a[d] b[d], in order.
ATHANOR_DEVICE float dot_rows(const float* a, const float* b, int depth) {
  float sum = 0;
  for (int d = 0; d < depth; ++d) sum = fmaf(a[d], b[d], sum);
  return sum;
}

// The first tile of keys that no query of [begin, begin + kOwned) sees, for a causal mask.
ATHANOR_DEVICE Index keys_end(const AttentionParams& p, Index begin) {
  if (!p.s.causal) return p.s.keys;
  const Index last = (begin + kOwned < p.s.queries ? begin + kOwned : p.s.queries) + p.s.causal_offset;
  return last < 0 ? 0 : last < p.s.keys ? last : p.s.keys;
}

}  // namespace athanor::cuda
