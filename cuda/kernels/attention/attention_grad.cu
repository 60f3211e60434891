// Fused attention in f32, backward. Probabilities are made again from the saved log-sum-exp:
//   p = exp(logit - lse)   dp = dy v^T   ds = p (dp - sum dy y)   dq = scale ds k   dk = scale ds^T q   dv = p^T dy
// dq: a block keeps 16 queries and goes over the keys. dk, dv: a block keeps 16 keys and goes over the queries of all heads that read
// them. No sum crosses blocks, so there is nothing to join.
#include "cuda/kernels/attention/attention.cuh"
#include "cuda/kernels/attention/attention_launch.h"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

// A warp a row.
ATHANOR_KERNEL(kAttentionThreads) delta_kernel(ATHANOR_PARAM(AttentionParams) p) {
  const Index row = static_cast<Index>(blockIdx.x) * kAttentionWarps + threadIdx.x / kWarpSize;
  if (row >= p.s.batch * p.s.heads * p.s.queries) return;
  const Index head = row / p.s.queries, i = row - head * p.s.queries, b = head / p.s.heads, h = head - b * p.s.heads;
  const float* y = p.y.data + b * p.y.batch + h * p.y.head + i * p.y.row;
  const float* dy = p.dy.data + b * p.dy.batch + h * p.dy.head + i * p.dy.row;
  float sum = 0;
  for (Index d = threadIdx.x % kWarpSize; d < p.s.depth; d += kWarpSize) sum = fmaf(y[d], dy[d], sum);
  sum = warp_reduce(sum, Add{});
  if (threadIdx.x % kWarpSize == 0) p.delta[row] = sum;
}

struct Probability {
  float p, ds;
};
// Of query i and key j from the two products; zero where the query does not see the key.
ATHANOR_DEVICE Probability probability(const AttentionParams& p, float qk, float dyv, Index b, Index h, Index i,
                                       Index j) {
  const Index row = (b * p.s.heads + h) * p.s.queries + i;
  const float logit = masked_logit(p, qk, b, h, i, j), lse = p.lse[row];
  if (logit == -infinity() || lse == -infinity()) return {0, 0};
  const float probability = exp_nonpositive(logit - lse);
  return {probability, probability * (dyv - p.delta[row])};
}

template <int kWide>
ATHANOR_KERNEL(kAttentionThreads)
attention_dq_kernel(ATHANOR_PARAM(AttentionParams) p) {
  DYNAMIC_SHARED(float, room);
  SHARED(float, slopes, [kOwned][kTile]);
  const int depth = static_cast<int>(p.s.depth), pitch = depth + 1;
  float *q_rows = room, *dy_rows = q_rows + kOwned * depth, *k_rows = dy_rows + kOwned * depth,
        *v_rows = k_rows + kTile * pitch;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize, warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const Index tiles = (p.s.queries + kOwned - 1) / kOwned;
  const Index head = blockIdx.x / tiles, begin = (blockIdx.x - head * tiles) * kOwned;
  const Index b = head / p.s.heads, h = head - b * p.s.heads, hk = h / (p.s.heads / p.s.kv_heads);
  stage_rows(q_rows, depth, p.q.data + b * p.q.batch + h * p.q.head + begin * p.q.row, p.q.row, p.s.queries - begin,
             kOwned, depth);
  stage_rows(dy_rows, depth, p.dy.data + b * p.dy.batch + h * p.dy.head + begin * p.dy.row, p.dy.row,
             p.s.queries - begin, kOwned, depth);
  float acc[kOwn][kWide];
#pragma unroll
  for (int o = 0; o < kOwn; ++o)
#pragma unroll
    for (int w = 0; w < kWide; ++w) acc[o][w] = 0;
  const Index end = keys_end(p, begin);
  for (Index j0 = 0; j0 < end; j0 += kTile) {
    __syncthreads();
    stage_rows(k_rows, pitch, p.k.data + b * p.k.batch + hk * p.k.head + j0 * p.k.row, p.k.row, p.s.keys - j0, kTile,
               depth);
    stage_rows(v_rows, pitch, p.v.data + b * p.v.batch + hk * p.v.head + j0 * p.v.row, p.v.row, p.s.keys - j0, kTile,
               depth);
    __syncthreads();
    const Index j = j0 + lane;
#pragma unroll
    for (int o = 0; o < kOwn; ++o) {
      const int own = warp * kOwn + o;
      const Index i = begin + own;
      Probability pair{0, 0};
      if (i < p.s.queries && j < end)
        pair = probability(p, dot_rows(q_rows + own * depth, k_rows + lane * pitch, depth),
                           dot_rows(dy_rows + own * depth, v_rows + lane * pitch, depth), b, h, i, j);
      slopes[own][lane] = pair.ds;
    }
    __syncwarp();
    for (int t = 0; t < kTile; ++t) {
#pragma unroll
      for (int w = 0; w < kWide; ++w) {
        const int d = lane + w * kWarpSize;
        const float key = d < depth ? k_rows[t * pitch + d] : 0.0f;
#pragma unroll
        for (int o = 0; o < kOwn; ++o) acc[o][w] = fmaf(slopes[warp * kOwn + o][t], key, acc[o][w]);
      }
    }
    __syncwarp();
  }
#pragma unroll
  for (int o = 0; o < kOwn; ++o) {
    const Index i = begin + warp * kOwn + o;
    if (i >= p.s.queries) continue;
    float* dq = p.dq.data + b * p.dq.batch + h * p.dq.head + i * p.dq.row;
#pragma unroll
    for (int w = 0; w < kWide; ++w) {
      const int d = lane + w * kWarpSize;
      if (d < depth) dq[d] = acc[o][w] * p.s.scale;
    }
  }
}

template <int kWide>
ATHANOR_KERNEL(kAttentionThreads)
attention_dkv_kernel(ATHANOR_PARAM(AttentionParams) p) {
  DYNAMIC_SHARED(float, room);
  SHARED(float, weights, [kOwned][kTile]);
  SHARED(float, slopes, [kOwned][kTile]);
  const int depth = static_cast<int>(p.s.depth), pitch = depth + 1;
  float *k_rows = room, *v_rows = k_rows + kOwned * depth, *q_rows = v_rows + kOwned * depth,
        *dy_rows = q_rows + kTile * pitch;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize, warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const Index tiles = (p.s.keys + kOwned - 1) / kOwned;
  const Index head = blockIdx.x / tiles, begin = (blockIdx.x - head * tiles) * kOwned;
  const Index b = head / p.s.kv_heads, hk = head - b * p.s.kv_heads, group = p.s.heads / p.s.kv_heads;
  stage_rows(k_rows, depth, p.k.data + b * p.k.batch + hk * p.k.head + begin * p.k.row, p.k.row, p.s.keys - begin,
             kOwned, depth);
  stage_rows(v_rows, depth, p.v.data + b * p.v.batch + hk * p.v.head + begin * p.v.row, p.v.row, p.s.keys - begin,
             kOwned, depth);
  float dk[kOwn][kWide], dv[kOwn][kWide];
#pragma unroll
  for (int o = 0; o < kOwn; ++o)
#pragma unroll
    for (int w = 0; w < kWide; ++w) dk[o][w] = dv[o][w] = 0;
  // The first query that sees one of these keys.
  Index first = p.s.causal ? begin - p.s.causal_offset : 0;
  first = first < 0 ? 0 : first / kTile * kTile;
  for (Index h = hk * group; h < (hk + 1) * group; ++h) {
    for (Index i0 = first; i0 < p.s.queries; i0 += kTile) {
      __syncthreads();
      stage_rows(q_rows, pitch, p.q.data + b * p.q.batch + h * p.q.head + i0 * p.q.row, p.q.row, p.s.queries - i0,
                 kTile, depth);
      stage_rows(dy_rows, pitch, p.dy.data + b * p.dy.batch + h * p.dy.head + i0 * p.dy.row, p.dy.row, p.s.queries - i0,
                 kTile, depth);
      __syncthreads();
      const Index i = i0 + lane;
#pragma unroll
      for (int o = 0; o < kOwn; ++o) {
        const int own = warp * kOwn + o;
        const Index j = begin + own;
        Probability pair{0, 0};
        if (i < p.s.queries && j < p.s.keys)
          pair = probability(p, dot_rows(q_rows + lane * pitch, k_rows + own * depth, depth),
                             dot_rows(dy_rows + lane * pitch, v_rows + own * depth, depth), b, h, i, j);
        weights[own][lane] = pair.p;
        slopes[own][lane] = pair.ds;
      }
      __syncwarp();
      for (int t = 0; t < kTile; ++t) {
#pragma unroll
        for (int w = 0; w < kWide; ++w) {
          const int d = lane + w * kWarpSize;
          const float query = d < depth ? q_rows[t * pitch + d] : 0.0f,
                      slope = d < depth ? dy_rows[t * pitch + d] : 0.0f;
#pragma unroll
          for (int o = 0; o < kOwn; ++o) {
            dk[o][w] = fmaf(slopes[warp * kOwn + o][t], query, dk[o][w]);
            dv[o][w] = fmaf(weights[warp * kOwn + o][t], slope, dv[o][w]);
          }
        }
      }
      __syncwarp();
    }
  }
#pragma unroll
  for (int o = 0; o < kOwn; ++o) {
    const Index j = begin + warp * kOwn + o;
    if (j >= p.s.keys) continue;
    float* to_k = p.dk.data + b * p.dk.batch + hk * p.dk.head + j * p.dk.row;
    float* to_v = p.dv.data + b * p.dv.batch + hk * p.dv.head + j * p.dv.row;
#pragma unroll
    for (int w = 0; w < kWide; ++w) {
      const int d = lane + w * kWarpSize;
      if (d < depth) {
        to_k[d] = dk[o][w] * p.s.scale;
        to_v[d] = dv[o][w];
      }
    }
  }
}

const char* refuses(const device::AttentionGrad& given) { return refuse_attention(given.args.shape); }

Index workspace(const device::AttentionGrad& given) {
  const AttentionShape& s = given.args.shape;
  return s.batch * s.heads * s.queries * 4;
}

device::Result run(device::Stream* stream, const device::AttentionGrad& given, void* workspace) {
  const AttentionBackward& a = given.args;
  AttentionParams p{};
  p.s = a.shape, p.q = a.q, p.k = a.k, p.v = a.v, p.y = a.y, p.dy = a.dy, p.dq = a.dq, p.dk = a.dk, p.dv = a.dv,
  p.mask = a.mask;
  p.lse = const_cast<float*>(a.lse);
  p.delta = static_cast<float*>(workspace);
  const Index rows = p.s.batch * p.s.heads * p.s.queries;
  const Index query_tiles = p.s.batch * p.s.heads * ((p.s.queries + kOwned - 1) / kOwned);
  const Index key_tiles = p.s.batch * p.s.kv_heads * ((p.s.keys + kOwned - 1) / kOwned);
  const std::size_t shared = attention_shared_bytes(p.s.depth, 2, 2);
  device::Result result = device::Result::ok;
  if (rows > 0) result = LAUNCH(delta_kernel, blocks_for(rows, kAttentionWarps), kAttentionThreads, 0, stream, p);
  if (result == device::Result::ok && query_tiles > 0)
    result = with_width(p.s.depth, [&](auto wide) {
      return LAUNCH((attention_dq_kernel<decltype(wide)::value>), static_cast<std::uint32_t>(query_tiles),
                    kAttentionThreads, shared, stream, p);
    });
  if (result == device::Result::ok && key_tiles > 0)
    result = with_width(p.s.depth, [&](auto wide) {
      return LAUNCH((attention_dkv_kernel<decltype(wide)::value>), static_cast<std::uint32_t>(key_tiles),
                    kAttentionThreads, shared, stream, p);
    });
  return result;
}

}  // namespace

void fill_attention_grad(device::Launchers& launch) { launch.attention_grad = {refuses, workspace, run}; }

}  // namespace athanor::cuda
