// Vec over AVX-512 (F, BW, DQ, VL): 16 lanes, masks in mask registers. ATHANOR_SIMDE swaps the intrinsics for SIMDe's
// emulation, so that a machine without AVX-512 can test this file.
#pragma once
#if defined(ATHANOR_SIMDE)
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#else
// g++ 12 takes the undefined pass-through operand of its own intrinsics (_mm512_undefined_ps) for a use (GCC bug 105593).
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

#if defined(ATHANOR_SIMDE)
// Not in SIMDe 0.7.
ATHANOR_INLINE __m512 load_lanes(const float* p, Index n) {
  float lanes[16] = {};
  for (Index i = 0; i < n; ++i) lanes[i] = p[i];
  return _mm512_loadu_ps(lanes);
}
ATHANOR_INLINE __m512i load_lanes(const std::int32_t* p, Index n) {
  std::int32_t lanes[16] = {};
  for (Index i = 0; i < n; ++i) lanes[i] = p[i];
  return _mm512_loadu_si512(lanes);
}
ATHANOR_INLINE void store_lanes(float* p, Index n, __m512 v) {
  float lanes[16];
  _mm512_storeu_ps(lanes, v);
  for (Index i = 0; i < n; ++i) p[i] = lanes[i];
}
ATHANOR_INLINE void store_lanes(std::int32_t* p, Index n, __m512i v) {
  std::int32_t lanes[16];
  _mm512_storeu_si512(lanes, v);
  for (Index i = 0; i < n; ++i) p[i] = lanes[i];
}
#else
ATHANOR_INLINE __mmask16 first_lanes(Index n) { return static_cast<__mmask16>((1u << n) - 1u); }
ATHANOR_INLINE __m512 load_lanes(const float* p, Index n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
ATHANOR_INLINE __m512i load_lanes(const std::int32_t* p, Index n) {
  return _mm512_maskz_loadu_epi32(first_lanes(n), p);
}
ATHANOR_INLINE void store_lanes(float* p, Index n, __m512 v) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
ATHANOR_INLINE void store_lanes(std::int32_t* p, Index n, __m512i v) { _mm512_mask_storeu_epi32(p, first_lanes(n), v); }
#endif

#if defined(ATHANOR_SIMDE)
// Not in SIMDe 0.7 either: the same, a lane at a time. In a namespace of their own, for immintrin.h declares the names too.
namespace simde_lanes {
template <class To, class From, class Register, class Source, class F>
ATHANOR_INLINE Register each(const Source& source, F f) {
  From in[16];
  To out[16];
  Register result;
  __builtin_memcpy(in, &source, sizeof in);
  for (int i = 0; i < 16; ++i) out[i] = f(in[i]);
  __builtin_memcpy(&result, out, sizeof out);
  return result;
}
ATHANOR_INLINE std::int32_t to_i32(float x) {
  return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<std::int32_t>(x) : INT32_MIN;
}
ATHANOR_INLINE __m512 cvtepi32_ps(__m512i a) {
  return each<float, std::int32_t, __m512>(a, [](std::int32_t x) { return static_cast<float>(x); });
}
ATHANOR_INLINE __m512i cvttps_epi32(__m512 a) { return each<std::int32_t, float, __m512i>(a, to_i32); }
ATHANOR_INLINE __m512i cvtps_epi32(__m512 a) {
  return each<std::int32_t, float, __m512i>(a, [](float x) { return to_i32(__builtin_rintf(x)); });
}
template <int k>
ATHANOR_INLINE __m512i srai_epi32(__m512i a) {
  return each<std::int32_t, std::int32_t, __m512i>(a, [](std::int32_t x) { return x >> k; });
}
ATHANOR_INLINE __m512i cvtepu8_epi32(__m128i a) {
  return each<std::int32_t, std::uint8_t, __m512i>(a, [](std::uint8_t x) { return std::int32_t{x}; });
}
ATHANOR_INLINE __m512i cvtepi8_epi32(__m128i a) {
  return each<std::int32_t, std::int8_t, __m512i>(a, [](std::int8_t x) { return std::int32_t{x}; });
}
ATHANOR_INLINE __m512i cvtepu16_epi32(__m256i a) {
  return each<std::int32_t, std::uint16_t, __m512i>(a, [](std::uint16_t x) { return std::int32_t{x}; });
}
ATHANOR_INLINE __m128i cvtepi32_epi8(__m512i a) {
  return each<std::uint8_t, std::int32_t, __m128i>(a, [](std::int32_t x) { return static_cast<std::uint8_t>(x); });
}
ATHANOR_INLINE __m256i cvtepi32_epi16(__m512i a) {
  return each<std::uint16_t, std::int32_t, __m256i>(a, [](std::int32_t x) { return static_cast<std::uint16_t>(x); });
}
// SIMDe 0.7's roundscale takes every mode for the nearest.
ATHANOR_INLINE __m512 floor_ps(__m512 a) {
  return each<float, float, __m512>(a, [](float x) { return __builtin_floorf(x); });
}
ATHANOR_INLINE __m512 ceil_ps(__m512 a) {
  return each<float, float, __m512>(a, [](float x) { return __builtin_ceilf(x); });
}
ATHANOR_INLINE __m512 trunc_ps(__m512 a) {
  return each<float, float, __m512>(a, [](float x) { return __builtin_truncf(x); });
}
}  // namespace simde_lanes
#define ATHANOR_MM512(name) simde_lanes::name
#define ATHANOR_SRAI_EPI32(a, k) simde_lanes::srai_epi32<k>(a)
#define ATHANOR_TRUNC_PS(a) simde_lanes::trunc_ps(a)
#else
#define ATHANOR_MM512(name) _mm512_##name
#define ATHANOR_SRAI_EPI32(a, k) _mm512_srai_epi32(a, k)
#define ATHANOR_TRUNC_PS(a) _mm512_roundscale_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
#endif

struct Mask {
  __mmask16 v;
  static ATHANOR_INLINE Mask first(Index n) { return {static_cast<__mmask16>((1u << n) - 1u)}; }
  ATHANOR_INLINE std::uint32_t bits() const { return v; }
};
ATHANOR_INLINE Mask mask_of(unsigned bits) { return {static_cast<__mmask16>(bits)}; }
ATHANOR_INLINE Mask operator&(Mask a, Mask b) { return mask_of(unsigned(a.v) & b.v); }
ATHANOR_INLINE Mask operator|(Mask a, Mask b) { return mask_of(unsigned(a.v) | b.v); }
ATHANOR_INLINE Mask operator^(Mask a, Mask b) { return mask_of(unsigned(a.v) ^ b.v); }
ATHANOR_INLINE Mask operator~(Mask a) { return mask_of(~unsigned(a.v)); }
ATHANOR_INLINE bool any(Mask a) { return a.v != 0; }
ATHANOR_INLINE bool all(Mask a) { return a.v == 0xffff; }

struct Vec {
  static constexpr int kLanes = 16;
  __m512 v;
  static ATHANOR_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  static ATHANOR_INLINE Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static ATHANOR_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static ATHANOR_INLINE Vec load(const float* p, Index n) { return {load_lanes(p, n)}; }
  ATHANOR_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  ATHANOR_INLINE void store(float* p, Index n) const { store_lanes(p, n, v); }
#if defined(ATHANOR_SIMDE)
  ATHANOR_INLINE void stream(float* p) const { store(p); }
#else
  ATHANOR_INLINE void stream(float* p) const { _mm512_stream_ps(p, v); }  // p aligned to 64 bytes; then stream_fence()
#endif
};
ATHANOR_INLINE void stream_fence() { _mm_sfence(); }

ATHANOR_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator-(Vec a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
ATHANOR_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
ATHANOR_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
ATHANOR_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
ATHANOR_INLINE Vec abs(Vec a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
ATHANOR_INLINE Vec floor(Vec a) { return {ATHANOR_MM512(floor_ps)(a.v)}; }
ATHANOR_INLINE Vec ceil(Vec a) { return {ATHANOR_MM512(ceil_ps)(a.v)}; }
ATHANOR_INLINE Vec trunc(Vec a) { return {ATHANOR_TRUNC_PS(a.v)}; }
ATHANOR_INLINE Vec round_even(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
ATHANOR_INLINE Mask operator==(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
ATHANOR_INLINE Mask operator!=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
ATHANOR_INLINE Mask operator<(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
ATHANOR_INLINE Mask operator<=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
ATHANOR_INLINE Mask operator>(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
ATHANOR_INLINE Mask operator>=(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
ATHANOR_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }

ATHANOR_INLINE __m256 upper_half(__m512 x) { return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)); }
ATHANOR_INLINE __m256 lower_half(__m512 x) { return _mm512_castps512_ps256(x); }

#define ATHANOR_FOLD_LANES(name, op)                                                  \
  ATHANOR_INLINE float name(Vec a) {                                                  \
    const __m256 h = _mm256_##op##_ps(lower_half(a.v), upper_half(a.v));              \
    __m128 q = _mm_##op##_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1)); \
    q = _mm_##op##_ps(q, _mm_movehl_ps(q, q));                                        \
    return _mm_cvtss_f32(_mm_##op##_ss(q, _mm_movehdup_ps(q)));                       \
  }
ATHANOR_FOLD_LANES(reduce_add, add)
ATHANOR_FOLD_LANES(reduce_max, max)
ATHANOR_FOLD_LANES(reduce_min, min)
#undef ATHANOR_FOLD_LANES

struct IVec {
  __m512i v;
  static ATHANOR_INLINE IVec broadcast(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
  static ATHANOR_INLINE IVec iota() {
    return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
  }
  static ATHANOR_INLINE IVec load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
  static ATHANOR_INLINE IVec load(const std::int32_t* p, Index n) { return {load_lanes(p, n)}; }
  ATHANOR_INLINE void store(std::int32_t* p) const { _mm512_storeu_si512(p, v); }
  ATHANOR_INLINE void store(std::int32_t* p, Index n) const { store_lanes(p, n, v); }
};
ATHANOR_INLINE IVec operator+(IVec a, IVec b) { return {_mm512_add_epi32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator-(IVec a, IVec b) { return {_mm512_sub_epi32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator*(IVec a, IVec b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator&(IVec a, IVec b) { return {_mm512_and_si512(a.v, b.v)}; }
ATHANOR_INLINE IVec operator|(IVec a, IVec b) { return {_mm512_or_si512(a.v, b.v)}; }
ATHANOR_INLINE IVec operator^(IVec a, IVec b) { return {_mm512_xor_si512(a.v, b.v)}; }
ATHANOR_INLINE IVec operator~(IVec a) { return {_mm512_xor_si512(a.v, _mm512_set1_epi32(-1))}; }
template <int k>
ATHANOR_INLINE IVec shl(IVec a) {
  return {_mm512_slli_epi32(a.v, k)};
}
template <int k>
ATHANOR_INLINE IVec shr(IVec a) {
  return {_mm512_srli_epi32(a.v, k)};
}
template <int k>
ATHANOR_INLINE IVec sra(IVec a) {
  return {ATHANOR_SRAI_EPI32(a.v, k)};
}
ATHANOR_INLINE Mask operator==(IVec a, IVec b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
ATHANOR_INLINE Mask operator>(IVec a, IVec b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }
ATHANOR_INLINE IVec select(Mask m, IVec a, IVec b) { return {_mm512_mask_blend_epi32(m.v, b.v, a.v)}; }
ATHANOR_INLINE IVec mulhi_u32(IVec a, IVec b) {
  const __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(a.v, b.v), 32);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), _mm512_srli_epi64(b.v, 32));
  return {_mm512_mask_blend_epi32(static_cast<__mmask16>(0xaaaa), even, odd)};
}
ATHANOR_INLINE IVec as_int(Vec a) { return {_mm512_castps_si512(a.v)}; }
ATHANOR_INLINE Vec as_float(IVec a) { return {_mm512_castsi512_ps(a.v)}; }
ATHANOR_INLINE Vec to_float(IVec a) { return {ATHANOR_MM512(cvtepi32_ps)(a.v)}; }
ATHANOR_INLINE IVec to_int(Vec a) { return {ATHANOR_MM512(cvttps_epi32)(a.v)}; }
ATHANOR_INLINE IVec to_int_even(Vec a) { return {ATHANOR_MM512(cvtps_epi32)(a.v)}; }

ATHANOR_INLINE IVec load_u8(const std::uint8_t* p) {
  return {ATHANOR_MM512(cvtepu8_epi32)(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
ATHANOR_INLINE IVec load_s8(const std::uint8_t* p) {
  return {ATHANOR_MM512(cvtepi8_epi32)(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
ATHANOR_INLINE IVec load_u16(const std::uint16_t* p) {
  return {ATHANOR_MM512(cvtepu16_epi32)(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
ATHANOR_INLINE void store_low_u8(std::uint8_t* p, IVec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), ATHANOR_MM512(cvtepi32_epi8)(a.v));
}
ATHANOR_INLINE void store_low_u16(std::uint16_t* p, IVec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), ATHANOR_MM512(cvtepi32_epi16)(a.v));
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
