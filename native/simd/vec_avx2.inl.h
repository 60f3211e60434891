// Vec over AVX2 with FMA: 8 lanes, a Mask is a register of all-ones and all-zeros lanes.
#pragma once
#include <immintrin.h>

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr std::int32_t kFirstLanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

ATHANOR_INLINE __m256i first_lanes(Index n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirstLanes + 8 - n));
}

struct Mask {
  __m256 v;
  static ATHANOR_INLINE Mask first(Index n) { return {_mm256_castsi256_ps(first_lanes(n))}; }
  ATHANOR_INLINE std::uint32_t bits() const { return static_cast<std::uint32_t>(_mm256_movemask_ps(v)); }
};
ATHANOR_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
ATHANOR_INLINE Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.v, b.v)}; }
ATHANOR_INLINE Mask operator^(Mask a, Mask b) { return {_mm256_xor_ps(a.v, b.v)}; }
ATHANOR_INLINE Mask operator~(Mask a) { return {_mm256_xor_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))}; }
ATHANOR_INLINE bool any(Mask a) { return _mm256_movemask_ps(a.v) != 0; }
ATHANOR_INLINE bool all(Mask a) { return _mm256_movemask_ps(a.v) == 0xff; }

struct Vec {
  static constexpr int kLanes = 8;
  __m256 v;
  static ATHANOR_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
  static ATHANOR_INLINE Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static ATHANOR_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static ATHANOR_INLINE Vec load(const float* p, Index n) { return {_mm256_maskload_ps(p, first_lanes(n))}; }
  ATHANOR_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  ATHANOR_INLINE void store(float* p, Index n) const { _mm256_maskstore_ps(p, first_lanes(n), v); }
  ATHANOR_INLINE void stream(float* p) const { _mm256_stream_ps(p, v); }  // p aligned to 32 bytes; then stream_fence()
};
ATHANOR_INLINE void stream_fence() { _mm_sfence(); }

ATHANOR_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec operator-(Vec a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
ATHANOR_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
ATHANOR_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
ATHANOR_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
ATHANOR_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
ATHANOR_INLINE Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
ATHANOR_INLINE Vec floor(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
ATHANOR_INLINE Vec ceil(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
ATHANOR_INLINE Vec trunc(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }
ATHANOR_INLINE Vec round_even(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
ATHANOR_INLINE Mask operator==(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
ATHANOR_INLINE Mask operator!=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
ATHANOR_INLINE Mask operator<(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
ATHANOR_INLINE Mask operator<=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
ATHANOR_INLINE Mask operator>(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
ATHANOR_INLINE Mask operator>=(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
ATHANOR_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, m.v)}; }

#define ATHANOR_FOLD_LANES(name, op)                                                      \
  ATHANOR_INLINE float name(Vec a) {                                                      \
    __m128 q = _mm_##op##_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1)); \
    q = _mm_##op##_ps(q, _mm_movehl_ps(q, q));                                            \
    return _mm_cvtss_f32(_mm_##op##_ss(q, _mm_movehdup_ps(q)));                           \
  }
ATHANOR_FOLD_LANES(reduce_add, add)
ATHANOR_FOLD_LANES(reduce_max, max)
ATHANOR_FOLD_LANES(reduce_min, min)
#undef ATHANOR_FOLD_LANES

struct IVec {
  __m256i v;
  static ATHANOR_INLINE IVec broadcast(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
  static ATHANOR_INLINE IVec iota() { return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)}; }
  static ATHANOR_INLINE IVec load(const std::int32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  static ATHANOR_INLINE IVec load(const std::int32_t* p, Index n) { return {_mm256_maskload_epi32(p, first_lanes(n))}; }
  ATHANOR_INLINE void store(std::int32_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  ATHANOR_INLINE void store(std::int32_t* p, Index n) const { _mm256_maskstore_epi32(p, first_lanes(n), v); }
};
ATHANOR_INLINE IVec operator+(IVec a, IVec b) { return {_mm256_add_epi32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator-(IVec a, IVec b) { return {_mm256_sub_epi32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator*(IVec a, IVec b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator&(IVec a, IVec b) { return {_mm256_and_si256(a.v, b.v)}; }
ATHANOR_INLINE IVec operator|(IVec a, IVec b) { return {_mm256_or_si256(a.v, b.v)}; }
ATHANOR_INLINE IVec operator^(IVec a, IVec b) { return {_mm256_xor_si256(a.v, b.v)}; }
ATHANOR_INLINE IVec operator~(IVec a) { return {_mm256_xor_si256(a.v, _mm256_set1_epi32(-1))}; }
template <int k>
ATHANOR_INLINE IVec shl(IVec a) {
  return {_mm256_slli_epi32(a.v, k)};
}
template <int k>
ATHANOR_INLINE IVec shr(IVec a) {
  return {_mm256_srli_epi32(a.v, k)};
}
template <int k>
ATHANOR_INLINE IVec sra(IVec a) {
  return {_mm256_srai_epi32(a.v, k)};
}
ATHANOR_INLINE Mask operator==(IVec a, IVec b) { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))}; }
ATHANOR_INLINE Mask operator>(IVec a, IVec b) { return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v, b.v))}; }
ATHANOR_INLINE IVec as_int(Vec a) { return {_mm256_castps_si256(a.v)}; }
ATHANOR_INLINE Vec as_float(IVec a) { return {_mm256_castsi256_ps(a.v)}; }
ATHANOR_INLINE IVec select(Mask m, IVec a, IVec b) { return as_int(select(m, as_float(a), as_float(b))); }
ATHANOR_INLINE IVec mulhi_u32(IVec a, IVec b) {
  const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(a.v, b.v), 32);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v, 32), _mm256_srli_epi64(b.v, 32));
  return {_mm256_blend_epi32(even, odd, 0xaa)};
}
ATHANOR_INLINE Vec to_float(IVec a) { return {_mm256_cvtepi32_ps(a.v)}; }
ATHANOR_INLINE IVec to_int(Vec a) { return {_mm256_cvttps_epi32(a.v)}; }
ATHANOR_INLINE IVec to_int_even(Vec a) { return {_mm256_cvtps_epi32(a.v)}; }

ATHANOR_INLINE IVec load_u8(const std::uint8_t* p) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
ATHANOR_INLINE IVec load_s8(const std::uint8_t* p) {
  return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
ATHANOR_INLINE IVec load_u16(const std::uint16_t* p) {
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
// Both take lanes that already fit, so the saturation of the pack instructions never acts.
ATHANOR_INLINE void store_low_u16(std::uint16_t* p, IVec a) {
  const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}
ATHANOR_INLINE void store_low_u8(std::uint8_t* p, IVec a) {
  const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(packed, packed));
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
