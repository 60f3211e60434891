// Depthwise convolution (one input channel a group, a few output channels): no sum over channels to make a tile of, so lanes
// are neighbouring pixels of a row instead. Each plane is copied once, padded and with its columns sorted by their residue
// modulo the stride, so that every tap of a row of outputs is one contiguous load whatever stride and dilation are.
// The gradient to the data is the same row kernel over dy spread out by the stride, with the weights reversed.
#pragma once
#include "kernels/conv/conv_plan.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline bool conv_is_depthwise(const ConvShape& s) {
  return s.groups > 1 && s.c_in == s.groups && s.c_out <= 4 * s.groups;
}

struct DepthwisePlane {
  Index rows, cols;           // of the padded plane
  Index residues, lane_cols;  // columns of one residue, with slack for a whole vector beyond the last
  Index pitch() const { return residues * lane_cols; }
  Index size() const { return rows * pitch(); }
  Index column(Index c) const { return c % residues * lane_cols + c / residues; }
};

inline DepthwisePlane depthwise_plane(Index rows, Index cols, Index residues) {
  return {rows, cols, residues, conv_ceil(cols, residues) + kLanes};
}
inline DepthwisePlane depthwise_forward_plane(const ConvShape& s) {
  return depthwise_plane(conv_max(0, (s.out_h() - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1),
                         conv_max(0, (s.out_w() - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1), s.stride_w);
}
inline DepthwisePlane depthwise_backward_plane(const ConvShape& s) {
  return depthwise_plane(s.h + (s.kh - 1) * s.dilation_h, s.w + (s.kw - 1) * s.dilation_w, 1);
}

// Copies a plane (H, W) so that its pixel (0, 0) comes to (pad_h, pad_w) of the padded one.
inline void depthwise_fill(const DepthwisePlane& p, const float* src, Index H, Index W, Index pad_h, Index pad_w,
                           float* dst) {
  conv_zero(dst, p.size());
  for (Index r = conv_max(0, pad_h); r < conv_min(p.rows, pad_h + H); ++r) {
    float* to = dst + r * p.pitch();
    const float* from = src + (r - pad_h) * W;
    const Index c0 = conv_max(0, pad_w), c1 = conv_min(p.cols, pad_w + W);
    if (c1 <= c0) continue;
    if (p.residues == 1) {
      conv_copy(from + c0 - pad_w, c1 - c0, to + c0);
    } else {
      for (Index q = 0; q < p.residues; ++q) {
        Index c = c0 + (q + p.residues - c0 % p.residues) % p.residues;
        for (float* at = to + p.column(c); c < c1; c += p.residues) *at++ = from[c - pad_w];
      }
    }
  }
}

// Spreads dy (OH, OW) out: its pixel (r, c) comes to (r * stride_h + row0, c * stride_w + col0), zeros between.
inline void depthwise_spread(const DepthwisePlane& p, const ConvShape& s, const float* dy, float* dst) {
  const Index row0 = (s.kh - 1) * s.dilation_h - s.pad_top, col0 = (s.kw - 1) * s.dilation_w - s.pad_left;
  const Index OH = s.out_h(), OW = s.out_w();
  conv_zero(dst, p.size());
  for (Index r = 0; r < OH; ++r) {
    const Index row = r * s.stride_h + row0;
    if (row < 0 || row >= p.rows) continue;
    const Index c0 = col0 >= 0 ? 0 : conv_ceil(-col0, s.stride_w);
    const Index c1 = col0 >= p.cols ? 0 : conv_min(OW, (p.cols - 1 - col0) / s.stride_w + 1);
    float* to = dst + row * p.pitch() + c0 * s.stride_w + col0;
    if (s.stride_w == 1 && c1 > c0)
      conv_copy(dy + r * OW + c0, c1 - c0, to);
    else
      for (Index c = c0; c < c1; ++c, to += s.stride_w) *to = dy[r * OW + c];
  }
}

// y[i] (+)= sum over taps of w[a, b] * x[a, i + b]: one row of n outputs. offset has one entry a tap.
template <int V>
ATHANOR_INLINE void depthwise_strip(const float* x, const std::int32_t* offset, const float* w, Index taps, Index n,
                                    bool accumulate, float* y) {
  Vec acc[V];
  const bool full = n >= V * kLanes;
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    acc[v] = Vec::zero();
    if (accumulate)
      acc[v] = full ? Vec::load(y + v * kLanes) : Vec::load(y + v * kLanes, conv_min(kLanes, n - v * kLanes));
  }
  for (Index t = 0; t < taps; ++t) {
    const Vec wt = Vec::broadcast(w[t]);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[v] = fma(wt, Vec::load(x + offset[t] + v * kLanes), acc[v]);
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v)
    full ? acc[v].store(y + v * kLanes) : acc[v].store(y + v * kLanes, conv_min(kLanes, n - v * kLanes));
}
inline void depthwise_row(const float* x, const std::int32_t* offset, const float* w, Index taps, Index n,
                          bool accumulate, float* y) {
  Index i = 0;
  for (; n - i > 3 * kLanes; i += 4 * kLanes)
    depthwise_strip<4>(x + i, offset, w, taps, conv_min(n - i, 4 * kLanes), accumulate, y + i);
  for (; n - i > kLanes; i += 2 * kLanes)
    depthwise_strip<2>(x + i, offset, w, taps, conv_min(n - i, 2 * kLanes), accumulate, y + i);
  if (i < n) depthwise_strip<1>(x + i, offset, w, taps, n - i, accumulate, y + i);
}

struct DepthwiseMemory {
  std::int32_t *forward_offset, *backward_offset;  // (KH * KW)
  float* reversed;                                 // (C_out, KH * KW)
};
inline DepthwiseMemory depthwise_memory(const ConvShape& s, ConvArena& arena) {
  DepthwiseMemory m;
  m.forward_offset = arena.take<std::int32_t>(s.kh * s.kw);
  m.backward_offset = arena.take<std::int32_t>(s.kh * s.kw);
  m.reversed = arena.take<float>(s.c_out * s.kh * s.kw);
  return m;
}
inline Index depthwise_plane_floats(const ConvShape& s) {
  return conv_round(conv_max(depthwise_forward_plane(s).size(), depthwise_backward_plane(s).size()), 16);
}
inline Index depthwise_workspace(const ConvShape& s, int workers) {
  ConvArena arena;
  depthwise_memory(s, arena);
  arena.take<float>(workers * depthwise_plane_floats(s));
  return arena.used;
}
inline double depthwise_flops(const ConvShape& s) {
  return 4.0 * double(s.n * s.c_out) * double(conv_max(s.out_h() * s.out_w(), s.h * s.w)) * double(s.kh * s.kw);
}
inline void depthwise_offsets(const DepthwisePlane& p, const ConvShape& s, std::int32_t* offset) {
  for (Index a = 0; a < s.kh; ++a)
    for (Index b = 0; b < s.kw; ++b)
      *offset++ = static_cast<std::int32_t>(a * s.dilation_h * p.pitch() + p.column(b * s.dilation_w));
}

inline void depthwise_forward(const ConvForwardArgs& args, Parallel& parallel, void* workspace) {
  const ConvShape& s = args.shape;
  const Index OH = s.out_h(), OW = s.out_w(), taps = s.kh * s.kw, multiple = s.c_out / s.groups;
  if (OH * OW * multiple == 0) return;
  ConvArena arena{static_cast<char*>(workspace)};
  const DepthwiseMemory m = depthwise_memory(s, arena);
  float* scratch = arena.take<float>(0);
  const DepthwisePlane p = depthwise_forward_plane(s);
  depthwise_offsets(p, s, m.forward_offset);
  conv_run(parallel, s.n * s.groups, depthwise_flops(s), [&](int plane, int worker) {
    const Index n = plane / s.groups, c = plane % s.groups;
    float* x = scratch + worker * depthwise_plane_floats(s);
    depthwise_fill(p, args.x + plane * s.h * s.w, s.h, s.w, s.pad_top, s.pad_left, x);
    for (Index co = c * multiple; co < (c + 1) * multiple; ++co) {
      float* y = args.y + (n * s.c_out + co) * OH * OW;
      for (Index r = 0; r < OH; ++r)
        depthwise_row(x + r * s.stride_h * p.pitch(), m.forward_offset, args.w + co * taps, taps, OW, false,
                      y + r * OW);
      if (args.epilogue) args.epilogue(args.epilogue_self, y, co, 0, OH * OW, n);
    }
  });
}

inline void depthwise_backward_data(const ConvBackwardDataArgs& args, Parallel& parallel, void* workspace) {
  const ConvShape& s = args.shape;
  const Index pixels = s.out_h() * s.out_w(), taps = s.kh * s.kw, multiple = s.c_out / s.groups;
  if (s.h * s.w == 0) return;
  ConvArena arena{static_cast<char*>(workspace)};
  const DepthwiseMemory m = depthwise_memory(s, arena);
  float* scratch = arena.take<float>(0);
  const DepthwisePlane p = depthwise_backward_plane(s);
  depthwise_offsets(p, s, m.backward_offset);
  for (Index co = 0; co < s.c_out; ++co)
    for (Index t = 0; t < taps; ++t) m.reversed[co * taps + t] = args.w[co * taps + taps - 1 - t];
  conv_run(parallel, s.n * s.groups, depthwise_flops(s), [&](int plane, int worker) {
    const Index n = plane / s.groups, c = plane % s.groups;
    float *dy = scratch + worker * depthwise_plane_floats(s), *dx = args.dx + plane * s.h * s.w;
    if (multiple == 0) conv_zero(dx, s.h * s.w);
    for (Index i = 0; i < multiple; ++i) {
      const Index co = c * multiple + i;
      depthwise_spread(p, s, args.dy + (n * s.c_out + co) * pixels, dy);
      for (Index r = 0; r < s.h; ++r)
        depthwise_row(dy + r * p.pitch(), m.backward_offset, m.reversed + co * taps, taps, s.w, i > 0, dx + r * s.w);
    }
    if (args.epilogue) args.epilogue(args.epilogue_self, dx, c, 0, s.h * s.w, n);
  });
}

// sum[b] = the dot product of dy (OH, OW) with the plane read from x + offset[b], for B taps at once.
template <int B>
void depthwise_dots(const float* dy, Index OH, Index OW, const float* x, Index pitch, const std::int32_t* offset,
                    float* sum) {
  Vec acc[B];
  ATHANOR_UNROLL
  for (int b = 0; b < B; ++b) acc[b] = Vec::zero();
  for (Index r = 0; r < OH; ++r, dy += OW, x += pitch) {
    Index i = 0;
    for (; i + kLanes <= OW; i += kLanes) {
      const Vec d = Vec::load(dy + i);
      ATHANOR_UNROLL
      for (int b = 0; b < B; ++b) acc[b] = fma(d, Vec::load(x + offset[b] + i), acc[b]);
    }
    if (i == OW) continue;
    const Vec d =
        Vec::load(dy + i, OW - i);  // x beyond the row is another pixel, perhaps not finite: leave it out as well
    ATHANOR_UNROLL
    for (int b = 0; b < B; ++b) acc[b] = fma(d, Vec::load(x + offset[b] + i, OW - i), acc[b]);
  }
  ATHANOR_UNROLL
  for (int b = 0; b < B; ++b) sum[b] += reduce_add(acc[b]);
}

inline Index depthwise_weights_workspace(const ConvBackwardWeightsArgs& args, int workers) {
  ConvArena arena;
  arena.take<std::int32_t>(args.shape.kh * args.shape.kw);
  arena.take<float>(workers *
                    conv_round(depthwise_plane_floats(args.shape) + 16 + 4 * args.shape.kh * args.shape.kw, 16));
  return arena.used;
}

// One task a channel: all images in order.
inline void depthwise_backward_weights(const ConvBackwardWeightsArgs& args, Parallel& parallel, void* workspace) {
  const ConvShape& s = args.shape;
  const Index OH = s.out_h(), OW = s.out_w(), taps = s.kh * s.kw, multiple = s.c_out / s.groups;
  ConvArena arena{static_cast<char*>(workspace)};
  std::int32_t* offset = arena.take<std::int32_t>(taps);
  float* scratch = arena.take<float>(0);
  const DepthwisePlane p = depthwise_forward_plane(s);
  depthwise_offsets(p, s, offset);
  conv_run(parallel, s.groups, depthwise_flops(s), [&](int task, int worker) {
    const Index c = task;
    float* sums = scratch + worker * conv_round(depthwise_plane_floats(s) + 16 + 4 * taps, 16);
    float* x = sums + conv_round(4 * taps, 16);
    float bias[4] = {0, 0, 0, 0};
    conv_zero(sums, multiple * taps);
    for (Index n = 0; n < s.n && OH * OW > 0; ++n) {
      depthwise_fill(p, args.x + (n * s.c_in + c) * s.h * s.w, s.h, s.w, s.pad_top, s.pad_left, x);
      for (Index i = 0; i < multiple; ++i) {
        const float* dy = args.dy + (n * s.c_out + c * multiple + i) * OH * OW;
        for (Index t = 0; t < taps;) {
          float* to = sums + i * taps + t;
          const Index pitch = s.stride_h * p.pitch();
          switch (conv_min(4, taps - t)) {
            case 1: depthwise_dots<1>(dy, OH, OW, x, pitch, offset + t, to), t += 1; break;
            case 2: depthwise_dots<2>(dy, OH, OW, x, pitch, offset + t, to), t += 2; break;
            case 3: depthwise_dots<3>(dy, OH, OW, x, pitch, offset + t, to), t += 3; break;
            default: depthwise_dots<4>(dy, OH, OW, x, pitch, offset + t, to), t += 4; break;
          }
        }
        if (!args.db) continue;
        Vec sum = Vec::zero();
        for (Index k = 0; k < OH * OW; k += kLanes) sum = sum + Vec::load(dy + k, conv_min(kLanes, OH * OW - k));
        bias[i] += reduce_add(sum);
      }
    }
    for (Index i = 0; i < multiple; ++i) {
      const Index co = c * multiple + i;
      for (Index t = 0; t < taps; ++t)
        args.dw[co * taps + t] = (args.accumulate ? args.dw[co * taps + t] : 0.0f) + sums[i * taps + t];
      if (args.db) args.db[co] = (args.accumulate ? args.db[co] : 0.0f) + bias[i];
    }
  });
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
