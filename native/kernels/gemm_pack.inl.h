// Copies a piece of a matrix into a panel that the register tile reads in order: dst[k * ldd + i] = src[i * i_stride +
// k * k_stride] for k < kc, i < n. Both orders go through whole vectors: rows that are contiguous along i are copied, rows
// that are contiguous along k are transposed in square blocks. A narrow panel is written with stores wider than n, in
// ascending k, so that each overhang is overwritten by the row after it; the last rows, whose overhang would leave the
// panel, are written element by element. Neither reads nor writes ever leave the memory of the two pieces.
#pragma once
#include "kernels/gemm_micro.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace gemm {

#if defined(ATHANOR_ISA_AVX512) || defined(ATHANOR_ISA_AVX2)
inline constexpr int kTransposeBlock = 8;

// dst[k * ldd + i] = src[min(i, n - 1) * stride + k], 8 × 8.
ATHANOR_INLINE void transpose_block(const float* src, Index stride, int n, float* dst, Index ldd) {
  __m256 r[8], t[8];
  ATHANOR_UNROLL
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(src + (i < n ? i : n - 1) * stride);
  ATHANOR_UNROLL
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  ATHANOR_UNROLL
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  ATHANOR_UNROLL
  for (int i = 0; i < 4; ++i) _mm256_storeu_ps(dst + i * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
  ATHANOR_UNROLL
  for (int i = 0; i < 4; ++i) _mm256_storeu_ps(dst + (i + 4) * ldd, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
}
#else
inline constexpr int kTransposeBlock = 4;

// dst[k * ldd + i] = src[min(i, n - 1) * stride + k], 4 × 4.
ATHANOR_INLINE void transpose_block(const float* src, Index stride, int n, float* dst, Index ldd) {
#if defined(ATHANOR_ISA_NEON)
  const float32x4_t r0 = vld1q_f32(src), r1 = vld1q_f32(src + (n > 1 ? 1 : n - 1) * stride);
  const float32x4_t r2 = vld1q_f32(src + (n > 2 ? 2 : n - 1) * stride);
  const float32x4_t r3 = vld1q_f32(src + (n > 3 ? 3 : n - 1) * stride);
  const float32x4x2_t t01 = vtrnq_f32(r0, r1), t23 = vtrnq_f32(r2, r3);
  vst1q_f32(dst, vcombine_f32(vget_low_f32(t01.val[0]), vget_low_f32(t23.val[0])));
  vst1q_f32(dst + ldd, vcombine_f32(vget_low_f32(t01.val[1]), vget_low_f32(t23.val[1])));
  vst1q_f32(dst + 2 * ldd, vcombine_f32(vget_high_f32(t01.val[0]), vget_high_f32(t23.val[0])));
  vst1q_f32(dst + 3 * ldd, vcombine_f32(vget_high_f32(t01.val[1]), vget_high_f32(t23.val[1])));
#else
  for (int k = 0; k < 4; ++k)
    for (int i = 0; i < 4; ++i) dst[k * ldd + i] = src[(i < n ? i : n - 1) * stride + k];
#endif
}
#endif

struct PackPiece {
  const float* src;
  Index i_stride, k_stride;
  Index kc;
  int n;  // n <= ldd
  float* dst;
  Index ldd;
};

inline void pack_elements(const PackPiece& p, Index k0) {
  for (Index k = k0; k < p.kc; ++k)
    for (int i = 0; i < p.n; ++i) p.dst[k * p.ldd + i] = p.src[i * p.i_stride + k * p.k_stride];
}

// i_stride == 1
inline void pack_copy(const PackPiece& p) {
  Index k = 0;
  if (p.n == kNr) {
    for (; k < p.kc; ++k) {
      const float* src = p.src + k * p.k_stride;
      float* dst = p.dst + k * p.ldd;
      __builtin_prefetch(src + 8 * p.k_stride);
      ATHANOR_UNROLL
      for (int v = 0; v < kNv; ++v) Vec::load(src + v * kLanes).store(dst + v * kLanes);
    }
  } else if (p.n >= kLanes) {
    for (; k < p.kc; ++k) {
      const float* src = p.src + k * p.k_stride;
      float* dst = p.dst + k * p.ldd;
      for (int i = 0; i + kLanes <= p.n; i += kLanes) Vec::load(src + i).store(dst + i);
      Vec::load(src + p.n - kLanes).store(dst + p.n - kLanes);
    }
  } else {
    const Index src_end = (p.kc - 1) * p.k_stride + p.n, dst_end = p.kc * p.ldd;
    for (; k * p.k_stride + kLanes <= src_end && k * p.ldd + kLanes <= dst_end; ++k)
      Vec::load(p.src + k * p.k_stride).store(p.dst + k * p.ldd);
    pack_elements(p, k);
  }
}

// k_stride == 1
inline void pack_transpose(const PackPiece& p) {
  constexpr int kB = kTransposeBlock;
  Index k = 0;
  if (p.n >= kB) {
    for (; k + kB <= p.kc; k += kB) {
      for (int i = 0; i + kB <= p.n; i += kB)
        transpose_block(p.src + i * p.i_stride + k, p.i_stride, kB, p.dst + k * p.ldd + i, p.ldd);
      const int i = p.n - kB;
      if (p.n % kB != 0) transpose_block(p.src + i * p.i_stride + k, p.i_stride, kB, p.dst + k * p.ldd + i, p.ldd);
    }
  } else {
    for (; k + kB <= p.kc && (k + kB - 1) * p.ldd + kB <= p.kc * p.ldd; k += kB)
      transpose_block(p.src + k, p.i_stride, p.n, p.dst + k * p.ldd, p.ldd);
  }
  pack_elements(p, k);
}

inline void pack_piece(const PackPiece& p) {
  if (p.kc <= 0) return;
  if (p.i_stride == 1)
    pack_copy(p);
  else if (p.k_stride == 1)
    pack_transpose(p);
  else
    pack_elements(p, 0);
}

}  // namespace gemm
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
