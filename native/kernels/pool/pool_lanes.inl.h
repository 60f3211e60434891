// What all pooling shares: loads and stores of lanes that lie a stride apart in the image, which windows lie inside, planes as
// tasks, and the gradient of windows that tile the image two by two.
#pragma once
#include "kernels/conv/conv_plan.inl.h"
#include "kernels/pool/pool.h"
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
                          _mm512_mullo_epi32(_mm512_set1_epi32(step),
                                             _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));
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
ATHANOR_INLINE Vec pool_order(__m256 x) { return {_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8))}; }
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
  if (stride == 2)
    return before ? odds(pool_load_pair(p - 1, 2 * n)) : evens(pool_load_pair(p, after ? 2 * n : 2 * n - 1));
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

// Calls body(plane) for every plane, several small planes a task.
template <class Body>
void pool_planes(const PoolShape& s, Parallel& parallel, const Body& body) {
  const Index planes = s.n * s.c, work = conv_max(1, conv_max(s.h * s.w, s.out_h() * s.out_w() * s.kh * s.kw / 4));
  const Index each = conv_max(1, conv_min(16384 / work, conv_ceil(planes, 16)));
  conv_run(parallel, conv_ceil(planes, each), 8.0 * double(work) * double(planes), [&](int task, int) {
    for (Index plane = task * each; plane < conv_min(planes, (task + 1) * each); ++plane) body(plane);
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

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
