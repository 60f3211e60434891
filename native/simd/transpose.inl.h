// transpose(r): kLanes registers of kLanes f32 lanes, as a square matrix, transposed in registers: lane j of r[i] becomes
// lane i of r[j]. Unpacks within 128-bit lanes first, then moves whole 128-bit lanes: 24 shuffles for 8 x 8, 64 for 16 x 16.
#pragma once
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

#if defined(ATHANOR_ISA_AVX512)

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
    const __m512 low01 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88);       // lanes 0 2 of rows 0-3, of rows 4-7
    const __m512 high01 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xdd);      // lanes 1 3
    const __m512 low23 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);  // the same of rows 8-15
    const __m512 high23 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xdd);
    r[c].v = _mm512_shuffle_f32x4(low01, low23, 0x88);
    r[4 + c].v = _mm512_shuffle_f32x4(high01, high23, 0x88);
    r[8 + c].v = _mm512_shuffle_f32x4(low01, low23, 0xdd);
    r[12 + c].v = _mm512_shuffle_f32x4(high01, high23, 0xdd);
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
