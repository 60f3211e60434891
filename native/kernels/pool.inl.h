// Max and average pooling. Lanes are neighbouring outputs of a row wherever the window lies inside the image from left to right;
// the borders go one by one. Stride 2, the usual one, separates even and odd columns in registers.
// Windows that tile the image 2 x 2 have a backward pass of their own, which writes every dx once; the others scatter in order.
#pragma once
#include <cstdint>

#include "kernels/conv_plan.inl.h"
#include "kernels/pool.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

struct VecPair {
  Vec a, b;
};

// The even and the odd elements of the 2 * kLanes elements (a, b); and back.
#if defined(ATHANOR_ISA_AVX512)
ATHANOR_INLINE __m512i pool_index(int first, int step) {
  return _mm512_add_epi32(_mm512_set1_epi32(first),
                          _mm512_mullo_epi32(_mm512_set1_epi32(step), _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5,
                                                                                       4, 3, 2, 1, 0)));
}
ATHANOR_INLINE Vec evens(VecPair p) { return {_mm512_permutex2var_ps(p.a.v, pool_index(0, 2), p.b.v)}; }
ATHANOR_INLINE Vec odds(VecPair p) { return {_mm512_permutex2var_ps(p.a.v, pool_index(1, 2), p.b.v)}; }
ATHANOR_INLINE VecPair interleave(Vec even, Vec odd) {
  const __m512 low = _mm512_unpacklo_ps(even.v, odd.v), high = _mm512_unpackhi_ps(even.v, odd.v);
  const __m512i first = _mm512_set_epi32(23, 22, 21, 20, 7, 6, 5, 4, 19, 18, 17, 16, 3, 2, 1, 0);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  return {{_mm512_permutex2var_ps(low, first, high)}, {_mm512_permutex2var_ps(low, second, high)}};
}
#elif defined(ATHANOR_ISA_AVX2)
ATHANOR_INLINE Vec pool_order(__m256 x) {
  return {_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8))};
}
ATHANOR_INLINE Vec evens(VecPair p) { return pool_order(_mm256_shuffle_ps(p.a.v, p.b.v, 0x88)); }
ATHANOR_INLINE Vec odds(VecPair p) { return pool_order(_mm256_shuffle_ps(p.a.v, p.b.v, 0xdd)); }
ATHANOR_INLINE VecPair interleave(Vec even, Vec odd) {
  const __m256 low = _mm256_unpacklo_ps(even.v, odd.v), high = _mm256_unpackhi_ps(even.v, odd.v);
  return {{_mm256_permute2f128_ps(low, high, 0x20)}, {_mm256_permute2f128_ps(low, high, 0x31)}};
}
#elif defined(ATHANOR_ISA_NEON)
ATHANOR_INLINE Vec evens(VecPair p) { return {vuzp1q_f32(p.a.v, p.b.v)}; }
ATHANOR_INLINE Vec odds(VecPair p) { return {vuzp2q_f32(p.a.v, p.b.v)}; }
ATHANOR_INLINE VecPair interleave(Vec even, Vec odd) {
  return {{vzip1q_f32(even.v, odd.v)}, {vzip2q_f32(even.v, odd.v)}};
}
#else
ATHANOR_INLINE Vec evens(VecPair p) { return {Float4{p.a.v[0], p.a.v[2], p.b.v[0], p.b.v[2]}}; }
ATHANOR_INLINE Vec odds(VecPair p) { return {Float4{p.a.v[1], p.a.v[3], p.b.v[1], p.b.v[3]}}; }
ATHANOR_INLINE VecPair interleave(Vec even, Vec odd) {
  return {{Float4{even.v[0], odd.v[0], even.v[1], odd.v[1]}}, {Float4{even.v[2], odd.v[2], even.v[3], odd.v[3]}}};
}
#endif

// The first `count` of 2 * kLanes elements.
ATHANOR_INLINE VecPair pool_load_pair(const float* p, Index count) {
  if (count >= 2 * kLanes) return {Vec::load(p), Vec::load(p + kLanes)};
  return {Vec::load(p, conv_min(count, kLanes)), count > kLanes ? Vec::load(p + kLanes, count - kLanes) : Vec::zero()};
}

// Lanes p[i * stride], i < n. It reads nothing past p[(n - 1) * stride]; but with `before`, p[-1] belongs to the first window,
// and with `after`, p[1] to every one, and may be read too.
ATHANOR_INLINE Vec pool_load(const float* p, Index stride, Index n, bool before, bool after) {
  if (stride == 1) return n == kLanes ? Vec::load(p) : Vec::load(p, n);
  if (stride == 2) return before ? odds(pool_load_pair(p - 1, 2 * n)) : evens(pool_load_pair(p, after ? 2 * n : 2 * n - 1));
  float lanes[kLanes] = {};
  for (Index i = 0; i < n; ++i) lanes[i] = p[i * stride];
  return Vec::load(lanes);
}

// The taps [begin, end) of a window whose tap 0 lies at `start` that are inside [0, extent).
struct PoolRange {
  Index begin, end;
};
inline PoolRange pool_range(Index start, Index taps, Index dilation, Index extent) {
  if (start >= 0 && start + (taps - 1) * dilation < extent) return {0, taps};  // nearly always, and without a division
  PoolRange r = {start >= 0 ? 0 : conv_min(taps, conv_ceil(-start, dilation)), 0};
  r.end = start >= extent ? 0 : conv_min(taps, (extent - 1 - start) / dilation + 1);
  r.end = conv_max(r.begin, r.end);
  return r;
}
// The outputs of a row whose windows lie inside the image from left to right.
inline PoolRange pool_inside(const PoolShape& s) {
  const Index OW = s.out_w(), last = s.w - 1 - (s.kw - 1) * s.dilation_w + s.pad_left;
  PoolRange r = {conv_min(OW, conv_ceil(s.pad_left, s.stride_w)), last < 0 ? 0 : conv_min(OW, last / s.stride_w + 1)};
  r.end = conv_max(r.begin, r.end);
  return r;
}

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
void max_pool_one(const PoolShape& s, const float* x, PoolRange rows, Index start_h, Index ow, float* y, PoolTapStore<Tap> taps) {
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
ATHANOR_INLINE void max_pool_lanes(const PoolShape& s, const float* x, PoolRange rows, Index start_h, Index ow, Index n, float* y,
                                   PoolTapStore<Tap> taps) {
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
      const Index n = conv_min(kLanes, middle.end - middle.begin);  // overlaps the lanes before it where there are enough
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

// Calls body(plane) for every plane, several small planes a task.
template <class Body>
void pool_planes(const PoolShape& s, Parallel& parallel, const Body& body) {
  const Index planes = s.n * s.c, work = conv_max(1, conv_max(s.h * s.w, s.out_h() * s.out_w() * s.kh * s.kw / 4));
  const Index each = conv_max(1, conv_min(16384 / work, conv_ceil(planes, 16)));
  conv_run(parallel, conv_ceil(planes, each), 8.0 * double(work) * double(planes), [&](int task, int) {
    for (Index plane = task * each; plane < conv_min(planes, (task + 1) * each); ++plane) body(plane);
  });
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

inline bool pool_tiles_by_two(const PoolShape& s) {
  return s.kh == 2 && s.kw == 2 && s.stride_h == 2 && s.stride_w == 2 && s.dilation_h == 1 && s.dilation_w == 1 &&
         s.pad_top == 0 && s.pad_left == 0 && 2 * s.out_h() <= s.h && 2 * s.out_w() <= s.w;
}

ATHANOR_INLINE void pool_store_pair(float* p, VecPair pair, Index n) {
  if (n == kLanes) {
    pair.a.store(p), pair.b.store(p + kLanes);
  } else {
    2 * n >= kLanes ? pair.a.store(p) : pair.a.store(p, 2 * n);
    if (2 * n > kLanes) pair.b.store(p + kLanes, 2 * n - kLanes);
  }
}

// dx of windows that tile the plane: value(i, n, t) is what tap t of outputs i .. i + n gives.
template <class Value>
ATHANOR_INLINE void pool_backward_by_two(const PoolShape& s, float* dx, const Value& value) {
  const Index OH = s.out_h(), OW = s.out_w();
  for (Index oh = 0; oh < OH; ++oh) {
    float *top = dx + 2 * oh * s.w, *bottom = top + s.w;
    for (Index next = 0; next < OW; next += kLanes) {
      const Index n = conv_min(kLanes, OW), ow = conv_min(next, OW - n);  // the last lanes overlap those before them
      const auto tap = value(oh * OW + ow, n);
      pool_store_pair(top + 2 * ow, interleave(tap(0), tap(1)), n);
      pool_store_pair(bottom + 2 * ow, interleave(tap(2), tap(3)), n);
    }
    conv_zero(top + 2 * OW, s.w - 2 * OW);
    conv_zero(bottom + 2 * OW, s.w - 2 * OW);
  }
  conv_zero(dx + 2 * OH * s.w, (s.h - 2 * OH) * s.w);
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
      dx[(oh * s.stride_h - s.pad_top + a * s.dilation_h) * s.w + ow * s.stride_w - s.pad_left + b * s.dilation_w] += *dy;
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
          sum = sum + pool_load(x + (start_h + a * s.dilation_h) * s.w + ow * stride - s.pad_left + b * dilation, stride, n,
                                b > 0, KW >= 2);
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

constexpr PoolKernels pool_kernels() { return {max_pool, max_pool_backward, average_pool, average_pool_backward}; }

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
