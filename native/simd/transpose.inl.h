// transpose(r): kLanes registers of kLanes f32 lanes, as a square matrix, transposed in registers: lane j of r[i] becomes
// lane i of r[j]. Unpacks within 128-bit lanes first, then moves whole 128-bit lanes: 24 shuffles for 8 x 8, 64 for 16 x 16.
#pragma once
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

#if defined(ATHANOR_ISA_AVX512)

// 128-bit lanes k & 3 and k >> 2 & 3 of a, then k >> 4 & 3 and k >> 6 of b.
template <int k>
ATHANOR_INLINE __m512 shuffle_lanes(__m512 a, __m512 b) {
#if defined(ATHANOR_SIMDE)  // not in SIMDe 0.7
  float x[32], y[16];
  _mm512_storeu_ps(x, a);
  _mm512_storeu_ps(x + 16, b);
  for (int i = 0; i < 16; ++i) y[i] = x[i / 8 * 16 + (k >> i / 4 * 2 & 3) * 4 + i % 4];
  return _mm512_loadu_ps(y);
#else
  return _mm512_shuffle_f32x4(a, b, k);
#endif
}

ATHANOR_INLINE void transpose(Vec (&r)[16]) {
  __m512 t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  __m512 u[16];  // u[4g + c]: in its 128-bit lane l, rows 4g .. 4g+3 of column 4l + c
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512d t0 = _mm512_castps_pd(t[i]), t1 = _mm512_castps_pd(t[i + 1]);
    const __m512d t2 = _mm512_castps_pd(t[i + 2]), t3 = _mm512_castps_pd(t[i + 3]);
    u[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(t0, t2));
    u[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(t0, t2));
    u[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(t1, t3));
    u[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(t1, t3));
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 low01 = shuffle_lanes<0x88>(u[c], u[4 + c]);       // lanes 0 2 of rows 0-3, of rows 4-7
    const __m512 high01 = shuffle_lanes<0xdd>(u[c], u[4 + c]);      // lanes 1 3
    const __m512 low23 = shuffle_lanes<0x88>(u[8 + c], u[12 + c]);  // the same of rows 8-15
    const __m512 high23 = shuffle_lanes<0xdd>(u[8 + c], u[12 + c]);
    r[c].v = shuffle_lanes<0x88>(low01, low23);
    r[4 + c].v = shuffle_lanes<0x88>(high01, high23);
    r[8 + c].v = shuffle_lanes<0xdd>(low01, low23);
    r[12 + c].v = shuffle_lanes<0xdd>(high01, high23);
  }
}

#elif defined(ATHANOR_ISA_AVX2)

ATHANOR_INLINE void transpose(Vec (&r)[8]) {
  __m256 t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm256_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  __m256 u[8];  // u[4g + c]: in its 128-bit lane l, rows 4g .. 4g+3 of column 4l + c
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    const __m256d t0 = _mm256_castps_pd(t[i]), t1 = _mm256_castps_pd(t[i + 1]);
    const __m256d t2 = _mm256_castps_pd(t[i + 2]), t3 = _mm256_castps_pd(t[i + 3]);
    u[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(t0, t2));
    u[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(t0, t2));
    u[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(t1, t3));
    u[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(t1, t3));
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    r[c].v = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
    r[4 + c].v = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
  }
}

#elif defined(ATHANOR_ISA_NEON)

ATHANOR_INLINE void transpose(Vec (&r)[4]) {
  const float32x4x2_t low = vtrnq_f32(r[0].v, r[1].v);   // 00 10 02 12 | 01 11 03 13
  const float32x4x2_t high = vtrnq_f32(r[2].v, r[3].v);  // 20 30 22 32 | 21 31 23 33
  r[0].v = vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0]));
  r[1].v = vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1]));
  r[2].v = vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0]));
  r[3].v = vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1]));
}

#else

ATHANOR_INLINE void transpose(Vec (&r)[4]) {
  const Float4 a = r[0].v, b = r[1].v, c = r[2].v, d = r[3].v;
  r[0].v = Float4{a[0], b[0], c[0], d[0]};
  r[1].v = Float4{a[1], b[1], c[1], d[1]};
  r[2].v = Float4{a[2], b[2], c[2], d[2]};
  r[3].v = Float4{a[3], b[3], c[3], d[3]};
}

#endif

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
