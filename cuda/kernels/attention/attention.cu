// Fused attention in f32 (kernels/attention/attention.h), forward: a block keeps 16 queries of a head and goes over the keys 32 at a time, softmax on
// the way (Dao 2023, FlashAttention-2). A lane has one key of the tile for its warp's four queries; for the sum over values
// it has every 32nd column instead. A head is at most 256 wide.
#include "cuda/kernels/attention/attention.cuh"
#include "cuda/kernels/attention/attention_launch.h"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

template <int kWide>  // columns of a lane: D <= 32 kWide
ATHANOR_KERNEL(kAttentionThreads) attention_kernel(ATHANOR_PARAM(AttentionParams) p) {
  DYNAMIC_SHARED(float, room);
  SHARED(float, weights, [kOwned][kTile]);
  const int depth = static_cast<int>(p.s.depth), pitch = depth + 1;
  float *q_rows = room, *k_rows = q_rows + kOwned * depth, *v_rows = k_rows + kTile * pitch;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize, warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const Index tiles = (p.s.queries + kOwned - 1) / kOwned;
  const Index head = blockIdx.x / tiles, begin = (blockIdx.x - head * tiles) * kOwned;
  const Index b = head / p.s.heads, h = head - b * p.s.heads, hk = h / (p.s.heads / p.s.kv_heads);
  stage_rows(q_rows, depth, p.q.data + b * p.q.batch + h * p.q.head + begin * p.q.row, p.q.row, p.s.queries - begin,
             kOwned, depth);

  float acc[kOwn][kWide], max[kOwn], sum[kOwn];
#pragma unroll
  for (int o = 0; o < kOwn; ++o) {
    max[o] = -infinity();
    sum[o] = 0;
#pragma unroll
    for (int w = 0; w < kWide; ++w) acc[o][w] = 0;
  }
  const Index end = keys_end(p, begin);
  for (Index j0 = 0; j0 < end; j0 += kTile) {
    __syncthreads();
    stage_rows(k_rows, pitch, p.k.data + b * p.k.batch + hk * p.k.head + j0 * p.k.row, p.k.row, p.s.keys - j0, kTile,
               depth);
    stage_rows(v_rows, depth, p.v.data + b * p.v.batch + hk * p.v.head + j0 * p.v.row, p.v.row, p.s.keys - j0, kTile,
               depth);
    __syncthreads();
    const Index j = j0 + lane;
#pragma unroll
    for (int o = 0; o < kOwn; ++o) {
      const Index i = begin + warp * kOwn + o;
      float logit = -infinity();
      if (i < p.s.queries && j < end)
        logit = masked_logit(p, dot_rows(q_rows + (warp * kOwn + o) * depth, k_rows + lane * pitch, depth), b, h, i, j);
      const float now = MaxNan{}(max[o], warp_reduce(logit, MaxNan{}));
      const float weight = now == -infinity() ? 0.0f : exp_nonpositive(logit - now);
      const float scale = max[o] == -infinity() ? 0.0f : exp_nonpositive(max[o] - now);
      sum[o] = sum[o] * scale + warp_reduce(weight, Add{});
      max[o] = now;
      weights[warp * kOwn + o][lane] = weight;
#pragma unroll
      for (int w = 0; w < kWide; ++w) acc[o][w] *= scale;
    }
    __syncwarp();
    for (int t = 0; t < kTile; ++t) {
#pragma unroll
      for (int w = 0; w < kWide; ++w) {
        const int d = lane + w * kWarpSize;
        const float value = d < depth ? v_rows[t * depth + d] : 0.0f;
#pragma unroll
        for (int o = 0; o < kOwn; ++o) acc[o][w] = fmaf(weights[warp * kOwn + o][t], value, acc[o][w]);
      }
    }
    __syncwarp();
  }
#pragma unroll
  for (int o = 0; o < kOwn; ++o) {
    const Index i = begin + warp * kOwn + o;
    if (i >= p.s.queries) continue;
    float* y = p.out.data + b * p.out.batch + h * p.out.head + i * p.out.row;
    const float scale = sum[o] == 0.0f ? 0.0f : 1.0f / sum[o];
#pragma unroll
    for (int w = 0; w < kWide; ++w) {
      const int d = lane + w * kWarpSize;
      if (d < depth) y[d] = acc[o][w] * scale;
    }
    if (lane == 0 && p.lse != nullptr)
      p.lse[head * p.s.queries + i] = sum[o] == 0.0f ? -infinity() : max[o] + log_f32(sum[o]);
  }
}

device::Result run(device::Stream* stream, const device::Attention& given, void*) {
  const AttentionForward& a = given.args;
  AttentionParams p{};
  p.s = a.shape, p.q = a.q, p.k = a.k, p.v = a.v, p.out = a.y, p.mask = a.mask, p.lse = a.lse;
  const Index blocks = p.s.batch * p.s.heads * ((p.s.queries + kOwned - 1) / kOwned);
  if (blocks == 0) return device::Result::ok;
  const std::size_t shared = attention_shared_bytes(p.s.depth, 1, 2);
  return with_width(p.s.depth, [&](auto wide) {
    return LAUNCH((attention_kernel<decltype(wide)::value>), static_cast<std::uint32_t>(blocks), kAttentionThreads,
                  shared, stream, p);
  });
}

const char* refuses(const device::Attention& given) { return refuse_attention(given.args.shape); }

}  // namespace

const char* refuse_attention(const AttentionShape& shape) {
  if (shape.depth > 256) return "heads wider than 256";
  return shape.batch * shape.heads * ((shape.queries + kOwned - 1) / kOwned) > 0x7fffffff
             ? "more than 2^31 tiles of queries"
             : nullptr;
}

void fill_attention(device::Launchers& launch) {
  launch.attention = {refuses, no_workspace<device::Attention>, run};
  fill_attention_grad(launch);
}

}  // namespace athanor::cuda
