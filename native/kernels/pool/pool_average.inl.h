// Average pooling and its gradient.
#pragma once
#include "kernels/pool/pool_lanes.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// 1 / (the taps that an average counts).
inline float pool_share(const PoolShape& s, bool count_padding, Index rows, Index cols) {
  const Index count = count_padding ? s.kh * s.kw : rows * cols;
  return count == 0 ? 0.0f : 1.0f / static_cast<float>(count);
}

template <int KW, int SW>
void average_pool_plane(const PoolShape& s, bool count_padding, const float* x, float* y) {
  const Index OH = s.out_h(), OW = s.out_w(), stride = SW ? SW : s.stride_w, kw = KW ? KW : s.kw;
  const Index dilation = KW ? 1 : s.dilation_w;
  const PoolRange inside = pool_inside(s);
  for (Index oh = 0; oh < OH; ++oh, y += OW) {
    const Index start_h = oh * s.stride_h - s.pad_top;
    const PoolRange rows = pool_range(start_h, s.kh, s.dilation_h, s.h);
    const auto one = [&](Index ow) {
      const Index start_w = ow * s.stride_w - s.pad_left;
      const PoolRange cols = pool_range(start_w, s.kw, s.dilation_w, s.w);
      float sum = 0;
      for (Index a = rows.begin; a < rows.end; ++a)
        for (Index b = cols.begin; b < cols.end; ++b)
          sum += x[(start_h + a * s.dilation_h) * s.w + start_w + b * s.dilation_w];
      y[ow] = sum * pool_share(s, count_padding, rows.end - rows.begin, cols.end - cols.begin);
    };
    const auto lanes = [&](Index ow, Index n) {
      Vec sum = Vec::zero();
      for (Index a = rows.begin; a < rows.end; ++a)
        for (Index b = 0; b < kw; ++b)
          sum = sum + pool_load(x + (start_h + a * s.dilation_h) * s.w + ow * stride - s.pad_left + b * dilation,
                                stride, n, b > 0, KW >= 2);
      sum = sum * Vec::broadcast(pool_share(s, count_padding, rows.end - rows.begin, s.kw));
      n == kLanes ? sum.store(y + ow) : sum.store(y + ow, n);
    };
    for (Index ow = 0; ow < inside.begin; ++ow) one(ow);
    Index ow = inside.begin;
    for (; ow + kLanes <= inside.end; ow += kLanes) lanes(ow, kLanes);
    if (ow < inside.end) {
      const Index n = conv_min(kLanes, inside.end - inside.begin);
      lanes(inside.end - n, n);
    }
    for (ow = inside.end; ow < OW; ++ow) one(ow);
  }
}

inline void average_pool(const AveragePoolArgs& args, Parallel& parallel) {
  const PoolShape& s = args.shape;
  const Index in = s.h * s.w, out = s.out_h() * s.out_w();
  if (out == 0) return;
  pool_planes(s, parallel, [&](Index plane) {
    float* y = args.y + plane * out;
    if (s.dilation_w == 1 && s.stride_w == 2 && s.kw == 2)
      average_pool_plane<2, 2>(s, args.count_padding, args.x + plane * in, y);
    else
      average_pool_plane<0, 0>(s, args.count_padding, args.x + plane * in, y);
    if (args.epilogue) args.epilogue(args.epilogue_self, y, plane % s.c, 0, out, plane / s.c);
  });
}

inline void average_pool_backward_plane(const PoolShape& s, bool count_padding, const float* dy, float* dx) {
  if (pool_tiles_by_two(s))
    return pool_backward_by_two(s, dx, [&](Index i, Index n) {
      const Vec d = (n == kLanes ? Vec::load(dy + i) : Vec::load(dy + i, n)) * Vec::broadcast(0.25f);
      return [d](int) { return d; };
    });
  conv_zero(dx, s.h * s.w);
  const Index OH = s.out_h(), OW = s.out_w();
  for (Index oh = 0; oh < OH; ++oh) {
    const Index start_h = oh * s.stride_h - s.pad_top;
    const PoolRange rows = pool_range(start_h, s.kh, s.dilation_h, s.h);
    for (Index ow = 0; ow < OW; ++ow, ++dy) {
      const Index start_w = ow * s.stride_w - s.pad_left;
      const PoolRange cols = pool_range(start_w, s.kw, s.dilation_w, s.w);
      const float share = *dy * pool_share(s, count_padding, rows.end - rows.begin, cols.end - cols.begin);
      for (Index a = rows.begin; a < rows.end; ++a)
        for (Index b = cols.begin; b < cols.end; ++b)
          dx[(start_h + a * s.dilation_h) * s.w + start_w + b * s.dilation_w] += share;
    }
  }
}

inline void average_pool_backward(const AveragePoolBackwardArgs& args, Parallel& parallel) {
  const PoolShape& s = args.shape;
  const Index in = s.h * s.w, out = conv_max(0, s.out_h() * s.out_w());
  if (in == 0) return;
  pool_planes(s, parallel, [&](Index plane) {
    float* dx = args.dx + plane * in;
    average_pool_backward_plane(s, args.count_padding, args.dy + plane * out, dx);
    if (args.epilogue) args.epilogue(args.epilogue_self, dx, plane % s.c, 0, in, plane / s.c);
  });
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
