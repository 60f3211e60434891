// Max pooling and its gradient. Lanes are neighbouring outputs of a row wherever the window lies inside the image from left to
// right; the borders go one by one.
#pragma once
#include <cstdint>

#include "kernels/pool/pool_lanes.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

template <class Tap>
struct PoolTapStore {
  Tap* to;
  ATHANOR_INLINE void one(Index i, std::int32_t tap) const {
    if (to) to[i] = static_cast<Tap>(tap);
  }
  ATHANOR_INLINE void lanes(Index i, IVec tap, Index n) const {
    if (!to) return;
    std::int32_t each[kLanes];
    if constexpr (sizeof(Tap) == 1) {
      if (n == kLanes) return store_low_u8(to + i, tap);
    } else {
      if (n == kLanes) return tap.store(to + i);
    }
    tap.store(each);
    for (Index k = 0; k < n; ++k) to[i + k] = static_cast<Tap>(each[k]);
  }
};

inline bool pool_beats(float v, float best) { return !(v <= best) && best == best; }

template <class Tap>
void max_pool_one(const PoolShape& s, const float* x, PoolRange rows, Index start_h, Index ow, float* y,
                  PoolTapStore<Tap> taps) {
  const Index start_w = ow * s.stride_w - s.pad_left;
  const PoolRange cols = pool_range(start_w, s.kw, s.dilation_w, s.w);
  float best = -__builtin_inff();
  std::int32_t tap = -1;
  for (Index a = rows.begin; a < rows.end; ++a)
    for (Index b = cols.begin; b < cols.end; ++b) {
      const float v = x[(start_h + a * s.dilation_h) * s.w + start_w + b * s.dilation_w];
      if (tap < 0 || pool_beats(v, best)) best = v, tap = static_cast<std::int32_t>(a * s.kw + b);
    }
  y[ow] = best;
  taps.one(ow, tap);
}

// n outputs from ow on, all inside from left to right; rows is not empty. KW and SW are constants of a common shape, or 0.
template <int KW, int SW, class Tap>
ATHANOR_INLINE void max_pool_lanes(const PoolShape& s, const float* x, PoolRange rows, Index start_h, Index ow, Index n,
                                   float* y, PoolTapStore<Tap> taps) {
  const Index stride = SW ? SW : s.stride_w, kw = KW ? KW : s.kw, dilation = KW ? 1 : s.dilation_w;
  const float* corner = x + start_h * s.w + ow * stride - s.pad_left;
  Vec best = Vec::zero();
  IVec tap = IVec::broadcast(0);
  for (Index a = rows.begin; a < rows.end; ++a)
    for (Index b = 0; b < kw; ++b) {
      const Vec v = pool_load(corner + a * s.dilation_h * s.w + b * dilation, stride, n, b > 0, KW >= 2);
      const IVec index = IVec::broadcast(static_cast<std::int32_t>(a * s.kw + b));
      if (a == rows.begin && b == 0) {
        best = v, tap = index;
        continue;
      }
      const Mask wins = (best == best) & ~(v <= best);
      best = select(wins, v, best);
      if (taps.to) tap = select(wins, index, tap);
    }
  n == kLanes ? best.store(y + ow) : best.store(y + ow, n);
  taps.lanes(ow, tap, n);
}

template <int KW, int SW, class Tap>
void max_pool_plane(const PoolShape& s, const float* x, float* y, Tap* taps) {
  const Index OH = s.out_h(), OW = s.out_w();
  const PoolRange inside = pool_inside(s);
  for (Index oh = 0; oh < OH; ++oh, y += OW, taps = taps ? taps + OW : taps) {
    const PoolTapStore<Tap> store = {taps};
    const Index start_h = oh * s.stride_h - s.pad_top;
    const PoolRange rows = pool_range(start_h, s.kh, s.dilation_h, s.h);
    const PoolRange middle = rows.begin == rows.end ? PoolRange{0, 0} : inside;
    Index ow = 0;
    for (; ow < middle.begin; ++ow) max_pool_one(s, x, rows, start_h, ow, y, store);
    for (; ow + kLanes <= middle.end; ow += kLanes) max_pool_lanes<KW, SW>(s, x, rows, start_h, ow, kLanes, y, store);
    if (ow < middle.end) {
      const Index n =
          conv_min(kLanes, middle.end - middle.begin);  // overlaps the lanes before it where there are enough
      if (n == kLanes)
        max_pool_lanes<KW, SW>(s, x, rows, start_h, middle.end - kLanes, kLanes, y, store);
      else
        max_pool_lanes<KW, SW>(s, x, rows, start_h, middle.end - n, n, y, store);
    }
    for (ow = middle.end; ow < OW; ++ow) max_pool_one(s, x, rows, start_h, ow, y, store);
  }
}

template <class Tap>
void max_pool_plane_any(const PoolShape& s, const float* x, float* y, Tap* taps) {
  if (s.dilation_w == 1 && s.stride_w == 2 && s.kw == 2) return max_pool_plane<2, 2>(s, x, y, taps);
  if (s.dilation_w == 1 && s.stride_w == 2 && s.kw == 3) return max_pool_plane<3, 2>(s, x, y, taps);
  max_pool_plane<0, 0>(s, x, y, taps);
}

inline void max_pool(const MaxPoolArgs& args, Parallel& parallel) {
  const PoolShape& s = args.shape;
  const Index in = s.h * s.w, out = s.out_h() * s.out_w();
  if (out == 0) return;
  pool_planes(s, parallel, [&](Index plane) {
    const float* x = args.x + plane * in;
    float* y = args.y + plane * out;
    if (args.taps.i32)
      max_pool_plane_any(s, x, y, args.taps.i32 + plane * out);
    else
      max_pool_plane_any(s, x, y, args.taps.u8 ? args.taps.u8 + plane * out : nullptr);
    if (args.epilogue) args.epilogue(args.epilogue_self, y, plane % s.c, 0, out, plane / s.c);
  });
}

inline IVec pool_load_taps(const std::uint8_t* taps, Index n) {
  if (n == kLanes) return load_u8(taps);
  std::uint8_t each[kLanes] = {};
  for (Index i = 0; i < n; ++i) each[i] = taps[i];
  return load_u8(each);
}
inline IVec pool_load_taps(const std::int32_t* taps, Index n) {
  if (n == kLanes) return IVec::load(taps);
  std::int32_t each[kLanes] = {};
  for (Index i = 0; i < n; ++i) each[i] = taps[i];
  return IVec::load(each);
}

template <class Tap>
void max_pool_backward_plane(const PoolShape& s, const float* dy, const Tap* taps, float* dx) {
  if (pool_tiles_by_two(s))
    return pool_backward_by_two(s, dx, [&](Index i, Index n) {
      const Vec d = n == kLanes ? Vec::load(dy + i) : Vec::load(dy + i, n);
      const IVec which = pool_load_taps(taps + i, n);
      return [d, which](int t) { return select(which == IVec::broadcast(t), d, Vec::zero()); };
    });
  conv_zero(dx, s.h * s.w);
  const Index OH = s.out_h(), OW = s.out_w();
  for (Index oh = 0; oh < OH; ++oh)
    for (Index ow = 0; ow < OW; ++ow, ++dy, ++taps) {
      if (*taps == static_cast<Tap>(-1)) continue;
      const Index a = static_cast<Index>(*taps) / s.kw, b = static_cast<Index>(*taps) - a * s.kw;
      const Index h = oh * s.stride_h - s.pad_top + a * s.dilation_h,
                  w = ow * s.stride_w - s.pad_left + b * s.dilation_w;
      if (h >= 0 && h < s.h && w >= 0 && w < s.w) dx[h * s.w + w] += *dy;  // taps may come from anybody
    }
}

inline void max_pool_backward(const MaxPoolBackwardArgs& args, Parallel& parallel) {
  const PoolShape& s = args.shape;
  const Index in = s.h * s.w, out = conv_max(0, s.out_h() * s.out_w());
  if (in == 0) return;
  pool_planes(s, parallel, [&](Index plane) {
    const float* dy = args.dy + plane * out;
    float* dx = args.dx + plane * in;
    if (args.taps.i32)
      max_pool_backward_plane(s, dy, args.taps.i32 + plane * out, dx);
    else
      max_pool_backward_plane(s, dy, args.taps.u8 + plane * out, dx);
    if (args.epilogue) args.epilogue(args.epilogue_self, dx, plane % s.c, 0, in, plane / s.c);
  });
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
