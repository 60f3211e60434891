// Vec: a register of f32 lanes, IVec: as many i32 lanes, Mask: as many truth values, over AVX-512, AVX2+FMA, NEON or the
// compiler's portable vectors. All of it lives in the namespace of the instruction set that the unit is compiled for.
//
//   Vec::kLanes; zero() broadcast(x) load(p) load(p, n) .store(p) .store(p, n) .stream(p)   (unaligned, but for stream)
//   + - * / and unary -; fma(a, b, c) = a*b + c; fnma(a, b, c) = c - a*b; sqrt abs floor ceil trunc round_even
//   min(a, b) = a < b ? a : b, max(a, b) = a > b ? a : b: the SECOND operand where either is NaN, on every instruction set
//   min_nan, max_nan: NaN where either is NaN; == != < <= > >= give a Mask (ordered; != is true for NaN)
//   select(m, a, b) = m ? a : b; Mask::first(n); & | ^ ~; any all bits (lane i is bit i)
//   reduce_add (fixed tree: halves are folded onto each other), reduce_max, reduce_min (NaN rule of max and min)
//   IVec: + - * (low half) mulhi_u32 & | ^ shl<k> shr<k> (logical) sra<k>; == and > (signed); as_int, as_float (bits);
//   to_float (nearest), to_int (truncated; out of range unspecified), to_int_even (nearest even; the same)
//   load_u8 load_s8: bytes to i32 lanes
//   load and store of Bf16, u8 and i32 elements as f32 lanes: load_as(p), load_as(p, n), store_as(p, v), store_as(p, v, n)
//
// In load(p, n) and store(p, n) only the first n lanes, 0 <= n <= kLanes, touch memory; the other lanes load as zero.
#pragma once
#include <cstdint>

#include "base/half.h"
#include "base/index.h"
#include "simd/isa.h"

#if defined(__CUDACC__)
#define ATHANOR_INLINE __host__ __device__ __forceinline__
#else
#define ATHANOR_INLINE inline __attribute__((always_inline))
#endif
// After a lambda's parameters: it is inlined wherever it is called.
#define ATHANOR_INLINED __attribute__((always_inline))
// Before a loop over registers: unrolled before GCC decides what lives in memory.
#if defined(__clang__)
#define ATHANOR_UNROLL _Pragma("unroll")
#else
#define ATHANOR_UNROLL _Pragma("GCC unroll 32")
#endif

#if defined(ATHANOR_ISA_AVX512)
#include "simd/vec_avx512.inl.h"
#elif defined(ATHANOR_ISA_AVX2)
#include "simd/vec_avx2.inl.h"
#elif defined(ATHANOR_ISA_NEON)
#include "simd/vec_neon.inl.h"
#elif defined(ATHANOR_ISA_LANE)
#include <math.h>

#include "simd/vec_lane.inl.h"
#else
#include "simd/vec_portable.inl.h"
#endif

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr int kLanes = Vec::kLanes;

ATHANOR_INLINE Vec min_nan(Vec a, Vec b) { return select(a != a, a, min(a, b)); }
ATHANOR_INLINE Vec max_nan(Vec a, Vec b) { return select(a != a, a, max(a, b)); }
ATHANOR_INLINE Vec copysign(Vec magnitude, Vec sign) {
  const IVec top = IVec::broadcast(INT32_MIN);
  return as_float((as_int(sign) & top) | (as_int(magnitude) & ~top));
}

// f32 to i32, towards zero, saturated; NaN becomes 0.
ATHANOR_INLINE IVec to_int_saturated(Vec x) {
  const Vec limit = Vec::broadcast(2147483648.0f);
  const IVec inside = to_int(max(x, -limit));
  return select(x != x, IVec::broadcast(0), select(x >= limit, IVec::broadcast(INT32_MAX), inside));
}

ATHANOR_INLINE Vec load_as(const float* p) { return Vec::load(p); }
ATHANOR_INLINE Vec load_as(const std::int32_t* p) { return to_float(IVec::load(p)); }
ATHANOR_INLINE void store_as(float* p, Vec x) { x.store(p); }
ATHANOR_INLINE void store_as(std::int32_t* p, Vec x) { to_int_saturated(x).store(p); }
ATHANOR_INLINE void store_as(std::uint8_t* p, Vec x) {  // towards zero, saturated to [0, 255]; NaN becomes 0
  store_low_u8(p, to_int(min(max(x, Vec::zero()), Vec::broadcast(255.0f))));
}
ATHANOR_INLINE void store_as(Bf16* p, Vec x) {
  const IVec bits = as_int(x);
  const IVec rounded = (bits + IVec::broadcast(0x7fff) + (shr<16>(bits) & IVec::broadcast(1)));
  store_low_u16(&p->bits, shr<16>(select(x != x, bits | IVec::broadcast(0x400000), rounded)));
}
ATHANOR_INLINE Vec load_as(const std::uint8_t* p) { return to_float(load_u8(p)); }
ATHANOR_INLINE Vec load_as(const Bf16* p) { return as_float(shl<16>(load_u16(&p->bits))); }

template <class T>
ATHANOR_INLINE Vec load_as(const T* p, Index n) {
  T lanes[kLanes] = {};
  for (Index i = 0; i < n; ++i) lanes[i] = p[i];
  return load_as(lanes);
}
template <class T>
ATHANOR_INLINE void store_as(T* p, Vec x, Index n) {
  T lanes[kLanes];
  store_as(lanes, x);
  for (Index i = 0; i < n; ++i) p[i] = lanes[i];
}
ATHANOR_INLINE Vec load_as(const float* p, Index n) { return Vec::load(p, n); }
ATHANOR_INLINE void store_as(float* p, Vec x, Index n) { x.store(p, n); }

template <class T>
ATHANOR_INLINE void prefetch(const T* p) {
  __builtin_prefetch(p);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
