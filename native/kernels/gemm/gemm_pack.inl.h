// Copies a piece of a matrix into a panel that the register tile reads in order: dst[k * ldd + i] = src[i * i_stride +
// k * k_stride] for k < kc, i < n. Both orders go through whole vectors: rows that are contiguous along i are copied, rows
// that are contiguous along k are transposed in square blocks. A narrow panel is written with stores wider than n, in
// ascending k, so that each overhang is overwritten by the row after it; the last rows, whose overhang would leave the
// panel, are written element by element. Neither reads nor writes ever leave the memory of the two pieces.
#pragma once
#include "kernels/gemm/gemm_micro.inl.h"
#include "simd/transpose.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace gemm {

// dst[k * ldd + i] = src[min(i, n - 1) * stride + k], kLanes × kLanes.
ATHANOR_INLINE void transpose_block(const float* src, Index stride, int n, float* dst, Index ldd) {
  Vec r[kLanes];
  ATHANOR_UNROLL
  for (int i = 0; i < kLanes; ++i) r[i] = Vec::load(src + (i < n ? i : n - 1) * stride);
  transpose(r);
  ATHANOR_UNROLL
  for (int k = 0; k < kLanes; ++k) r[k].store(dst + k * ldd);
}

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
  constexpr int kB = kLanes;
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
