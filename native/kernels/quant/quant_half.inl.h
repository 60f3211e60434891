// Half: 16-bit integers, kQuantDepth of them for each of kLanes columns, and their dot product with as many of x into 32 bits.
// Two side by side are a step of a panel. Products of [-255, 255] by [-255, 255] are exact.
//   AVX2, AVX-512   vpmaddwd: two k a column          NEON   smlal: one k a column          portable   one k a column
#pragma once
#include <cstring>

#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr int kQuantColumns = 2 * kLanes;  // of a panel

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kQuantDepth = 2;
struct Half {
  __m512i v;
};
ATHANOR_INLINE Half half_load(const std::int16_t* p) { return {_mm512_loadu_si512(p)}; }
ATHANOR_INLINE void half_store(std::int16_t* p, Half a) { _mm512_storeu_si512(p, a.v); }
ATHANOR_INLINE Half half_broadcast(const std::int16_t* x) {
  std::int32_t pair;
  std::memcpy(&pair, x, 4);
  return {_mm512_set1_epi32(pair)};
}
ATHANOR_INLINE IVec half_dot(IVec acc, Half w, Half x) {
#if defined(ATHANOR_SIMDE)  // 0.7 names its masked form so
  return {_mm512_add_epi32(acc.v, simde_mm512_madd_epi16(w.v, x.v))};
#else
  return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(w.v, x.v))};
#endif
}
ATHANOR_INLINE Half operator-(Half a, Half b) { return {_mm512_sub_epi16(a.v, b.v)}; }
ATHANOR_INLINE void store_s16(std::int16_t* p, IVec a) {
#if defined(ATHANOR_SIMDE)  // not in 0.7
  std::int32_t wide[16];
  a.store(wide);
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int16_t>(wide[i]);
#else
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.v));
#endif
}
#if !defined(ATHANOR_SIMDE)
ATHANOR_INLINE void store_s8(std::int8_t* p, IVec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
#define ATHANOR_STORES_S8
#endif

// The cells of a step, and the two steps of a step's worth of nibbles.
struct CellBytes {
  __m512i v;
};
ATHANOR_INLINE CellBytes cells_load(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
ATHANOR_INLINE void cells_signed(CellBytes c, Half out[2]) {
  out[0].v = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(c.v));
  out[1].v = _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(c.v, 1));
}
ATHANOR_INLINE void cells_unsigned(CellBytes c, Half out[2]) {
#if defined(ATHANOR_SIMDE)  // not in 0.7
  cells_signed(c, out);
  for (int v = 0; v < 2; ++v) out[v].v = _mm512_and_si512(out[v].v, _mm512_set1_epi16(255));
#else
  out[0].v = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(c.v));
  out[1].v = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(c.v, 1));
#endif
}
ATHANOR_INLINE void cells_signed_at(const std::uint8_t* p, Half out[2]) { cells_signed(cells_load(p), out); }
struct CellTable {
  __m512i v;
};
ATHANOR_INLINE CellTable table_load(const std::byte* p) {
  return {_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
ATHANOR_INLINE void cells_split(CellBytes c, CellTable table, CellBytes out[2]) {
  const __m512i low = _mm512_set1_epi8(15);
  out[0].v = _mm512_shuffle_epi8(table.v, _mm512_and_si512(c.v, low));
  out[1].v = _mm512_shuffle_epi8(table.v, _mm512_and_si512(_mm512_srli_epi16(c.v, 4), low));
}
#elif defined(ATHANOR_ISA_AVX2)
inline constexpr int kQuantDepth = 2;
struct Half {
  __m256i v;
};
ATHANOR_INLINE Half half_load(const std::int16_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
ATHANOR_INLINE void half_store(std::int16_t* p, Half a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
ATHANOR_INLINE Half half_broadcast(const std::int16_t* x) {
  std::int32_t pair;
  std::memcpy(&pair, x, 4);
  return {_mm256_set1_epi32(pair)};
}
ATHANOR_INLINE IVec half_dot(IVec acc, Half w, Half x) {
  acc.v = _mm256_add_epi32(acc.v, _mm256_madd_epi16(w.v, x.v));
  asm("" : "+x"(acc.v));  // GCC would add the products of several steps first, and spill every sum for it
  return acc;
}
ATHANOR_INLINE Half operator-(Half a, Half b) { return {_mm256_sub_epi16(a.v, b.v)}; }
ATHANOR_INLINE void store_s16(std::int16_t* p, IVec a) {
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}

#define ATHANOR_STORES_S8
ATHANOR_INLINE void store_s8(std::int8_t* p, IVec a) {
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}

struct CellBytes {
  __m256i v;
};
ATHANOR_INLINE CellBytes cells_load(const std::uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
ATHANOR_INLINE void cells_signed(CellBytes c, Half out[2]) {
  out[0].v = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(c.v));
  out[1].v = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(c.v, 1));
}
ATHANOR_INLINE void cells_unsigned(CellBytes c, Half out[2]) {
  out[0].v = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(c.v));
  out[1].v = _mm256_cvtepu8_epi16(_mm256_extracti128_si256(c.v, 1));
}
ATHANOR_INLINE void cells_signed_at(const std::uint8_t* p, Half out[2]) {  // widens as it loads
  for (int v = 0; v < 2; ++v)
    out[v].v = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * v)));
}
struct CellTable {
  __m256i v;
};
ATHANOR_INLINE CellTable table_load(const std::byte* p) {
  return {_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
ATHANOR_INLINE void cells_split(CellBytes c, CellTable table, CellBytes out[2]) {
  const __m256i low = _mm256_set1_epi8(15);
  out[0].v = _mm256_shuffle_epi8(table.v, _mm256_and_si256(c.v, low));
  out[1].v = _mm256_shuffle_epi8(table.v, _mm256_and_si256(_mm256_srli_epi16(c.v, 4), low));
}
#elif defined(ATHANOR_ISA_NEON)
inline constexpr int kQuantDepth = 1;
struct Half {
  int16x4_t v;
};
ATHANOR_INLINE Half half_load(const std::int16_t* p) { return {vld1_s16(p)}; }
ATHANOR_INLINE void half_store(std::int16_t* p, Half a) { vst1_s16(p, a.v); }
ATHANOR_INLINE Half half_broadcast(const std::int16_t* x) { return {vld1_dup_s16(x)}; }
ATHANOR_INLINE IVec half_dot(IVec acc, Half w, Half x) { return {vmlal_s16(acc.v, w.v, x.v)}; }
ATHANOR_INLINE Half operator-(Half a, Half b) { return {vsub_s16(a.v, b.v)}; }
ATHANOR_INLINE void store_s16(std::int16_t* p, IVec a) { vst1_s16(p, vmovn_s32(a.v)); }

struct CellBytes {
  uint8x8_t v;
};
ATHANOR_INLINE CellBytes cells_load(const std::uint8_t* p) { return {vld1_u8(p)}; }
ATHANOR_INLINE void cells_signed(CellBytes c, Half out[2]) {
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_u8(c.v));
  out[0].v = vget_low_s16(wide), out[1].v = vget_high_s16(wide);
}
ATHANOR_INLINE void cells_unsigned(CellBytes c, Half out[2]) {
  const int16x8_t wide = vreinterpretq_s16_u16(vmovl_u8(c.v));
  out[0].v = vget_low_s16(wide), out[1].v = vget_high_s16(wide);
}
ATHANOR_INLINE void cells_signed_at(const std::uint8_t* p, Half out[2]) { cells_signed(cells_load(p), out); }
struct CellTable {
  uint8x16_t v;
};
ATHANOR_INLINE CellTable table_load(const std::byte* p) { return {vld1q_u8(reinterpret_cast<const std::uint8_t*>(p))}; }
ATHANOR_INLINE void cells_split(CellBytes c, CellTable table, CellBytes out[2]) {
  out[0].v = vqtbl1_u8(table.v, vand_u8(c.v, vdup_n_u8(15)));
  out[1].v = vqtbl1_u8(table.v, vshr_n_u8(c.v, 4));
}
#else
inline constexpr int kQuantDepth = 1;
struct Half {
  Int4 v;
};
ATHANOR_INLINE Half half_load(const std::int16_t* p) { return {Int4{p[0], p[1], p[2], p[3]}}; }
ATHANOR_INLINE void half_store(std::int16_t* p, Half a) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<std::int16_t>(a.v[i]);
}
ATHANOR_INLINE Half half_broadcast(const std::int16_t* x) { return {Int4{*x, *x, *x, *x}}; }
ATHANOR_INLINE IVec half_dot(IVec acc, Half w, Half x) { return {acc.v + w.v * x.v}; }
ATHANOR_INLINE Half operator-(Half a, Half b) { return {a.v - b.v}; }
ATHANOR_INLINE void store_s16(std::int16_t* p, IVec a) { half_store(p, {a.v}); }

struct CellBytes {
  std::uint8_t v[8];
};
ATHANOR_INLINE CellBytes cells_load(const std::uint8_t* p) {
  CellBytes c;
  std::memcpy(c.v, p, 8);
  return c;
}
ATHANOR_INLINE void cells_signed(CellBytes c, Half out[2]) {
  for (int i = 0; i < 8; ++i) out[i / 4].v[i % 4] = static_cast<std::int8_t>(c.v[i]);
}
ATHANOR_INLINE void cells_unsigned(CellBytes c, Half out[2]) {
  for (int i = 0; i < 8; ++i) out[i / 4].v[i % 4] = c.v[i];
}
ATHANOR_INLINE void cells_signed_at(const std::uint8_t* p, Half out[2]) { cells_signed(cells_load(p), out); }
struct CellTable {
  const std::uint8_t* v;
};
ATHANOR_INLINE CellTable table_load(const std::byte* p) { return {reinterpret_cast<const std::uint8_t*>(p)}; }
ATHANOR_INLINE void cells_split(CellBytes c, CellTable table, CellBytes out[2]) {
  for (int i = 0; i < 8; ++i) {
    out[0].v[i] = table.v[c.v[i] & 15];
    out[1].v[i] = table.v[c.v[i] >> 4];
  }
}
#endif

// The low bytes of lanes in [-128, 127].
#if !defined(ATHANOR_STORES_S8)
ATHANOR_INLINE void store_s8(std::int8_t* p, IVec a) {
  std::int16_t wide[kLanes];
  store_s16(wide, a);
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(wide[i]);
}
#endif

inline constexpr Index kStepCells = kQuantColumns * kQuantDepth;

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
