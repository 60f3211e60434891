// Cells of four k a column for the tiles in 8 bits: registers of them, what a tile works on, and the sources of a step's cells, from
// a panel as it lies or from a block of bytes that it was unfolded to in L1.
#pragma once
#include "kernels/quant/quant_wide.inl.h"

#if defined(ATHANOR_ISA_AVX2) || defined(ATHANOR_ISA_AVX512)
#define ATHANOR_QUANT_CODES

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

inline constexpr int kCodesDepth = 4;
inline constexpr Index kCodesStep = kQuantColumns * kCodesDepth;  // cells of a step
inline constexpr int kVectorCells = kCodesStep / 2;

#if defined(ATHANOR_ISA_AVX512)
inline constexpr Index kCodesAlign = 8;
inline constexpr Index kSumsBlock = 0;  // of x: a whole group
using Codes = __m512i;
using CodeAcc = __m512i;
ATHANOR_INLINE Codes codes_load(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
ATHANOR_INLINE void codes_store(std::uint8_t* p, Codes c) { _mm512_storeu_si512(p, c); }
ATHANOR_INLINE Codes codes_low(Codes c) { return _mm512_and_si512(c, _mm512_set1_epi8(15)); }
ATHANOR_INLINE Codes codes_high(Codes c) { return codes_low(_mm512_srli_epi16(c, 4)); }
ATHANOR_INLINE Codes codes_look_up(Codes table, Codes c) { return _mm512_shuffle_epi8(table, c); }
ATHANOR_INLINE Codes codes_table(const std::byte* p) { return table_load(p).v; }
ATHANOR_INLINE Codes x_broadcast(const std::int8_t* x) {
  std::int32_t four;
  std::memcpy(&four, x, 4);
  return _mm512_set1_epi32(four);
}
ATHANOR_INLINE CodeAcc codes_dot(CodeAcc acc, Codes c, Codes x) {
  acc = _mm512_dpbusd_epi32(acc, c, x);
#if !defined(ATHANOR_SIMDE)
  asm("" : "+v"(acc));  // as in quant_half.inl.h
#endif
  return acc;
}
ATHANOR_INLINE IVec codes_widen(CodeAcc acc) { return {acc}; }
ATHANOR_INLINE IVec codes_scale(IVec sums, IVec zero) { return sums * zero; }
#else
inline constexpr Index kCodesAlign = 32;
inline constexpr Index kSumsBlock = 32;
using Codes = __m256i;
using CodeAcc = __m256i;  // 16 bits
ATHANOR_INLINE Codes codes_load(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
ATHANOR_INLINE void codes_store(std::uint8_t* p, Codes c) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), c); }
ATHANOR_INLINE Codes codes_low(Codes c) { return _mm256_and_si256(c, _mm256_set1_epi8(15)); }
ATHANOR_INLINE Codes codes_high(Codes c) { return codes_low(_mm256_srli_epi16(c, 4)); }
ATHANOR_INLINE Codes codes_look_up(Codes table, Codes c) { return _mm256_shuffle_epi8(table, c); }
ATHANOR_INLINE Codes codes_table(const std::byte* p) { return table_load(p).v; }
ATHANOR_INLINE Codes x_broadcast(const std::int8_t* x) {
  std::int32_t four;
  std::memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}
ATHANOR_INLINE CodeAcc codes_dot(CodeAcc acc, Codes c, Codes x) {
  acc = _mm256_add_epi16(acc, _mm256_maddubs_epi16(c, x));
  asm("" : "+x"(acc));  // as in quant_half.inl.h
  return acc;
}
ATHANOR_INLINE IVec codes_widen(CodeAcc acc) { return {_mm256_madd_epi16(acc, _mm256_set1_epi16(1))}; }
ATHANOR_INLINE IVec codes_scale(IVec sums, IVec zero) { return {_mm256_mullo_epi16(sums.v, zero.v)}; }
#endif

struct CodesTile {
  const quant::Panels* w;
  const std::byte* panel;
  const std::byte* table;
  const std::uint8_t* decoded;  // of [k0, k1), or null
  Index k0, k1;
  const std::int8_t* x;
  Index ldx;
  const std::int32_t* x_sums;  // negated; in quant_bytes.inl.h marks
  Index ld_sums;
  std::int32_t shift;  // zp - 128, for static activations
  float* sums;
  std::int32_t* parts;
  Index stride;
  const std::byte* ahead;  // what the next block reads: a tile of a decoded one asks for it, so many bytes a step
  Index ahead_step;
};

struct DecodedCodes {
  const std::uint8_t* cells;
  const std::byte* ahead;
  Index ahead_step;
  ATHANOR_INLINE void open(const CodesTile& t, int) { cells = t.decoded, ahead = t.ahead, ahead_step = t.ahead_step; }
  ATHANOR_INLINE void next(int, Codes out[2]) {
    for (int v = 0; v < 2; ++v) out[v] = codes_load(cells + v * kVectorCells);
    cells += kCodesStep;
    __builtin_prefetch(ahead, 0, 2);
    ahead += ahead_step;
  }
};

template <int bits, bool lookup>
struct PanelCodes {
  const std::uint8_t* cells;
  Codes table;
  Codes pair[2];
  ATHANOR_INLINE void open(const CodesTile& t, int p) {
    cells = reinterpret_cast<const std::uint8_t*>(panel_at(t, p)) + t.k0 * kQuantColumns * bits / 8;
    if constexpr (lookup) table = codes_table(t.table);
  }
  ATHANOR_INLINE void next(int s, Codes out[2]) {
    constexpr int kLine = 64;
    for (int v = 0; v < 2; ++v) {
      if (bits == 8 || s == 0) {
        if (v * kVectorCells % kLine == 0) __builtin_prefetch(cells + v * kVectorCells + kAhead);
        pair[v] = codes_load(cells + v * kVectorCells);
      }
      if constexpr (bits == 8)
        out[v] = pair[v];
      else
        out[v] = s == 0 ? codes_low(pair[v]) : codes_high(pair[v]);
      if constexpr (lookup) out[v] = codes_look_up(table, out[v]);
    }
    if (bits == 8 || s == 0) cells += kCodesStep;
  }
};

template <class Source>
void unfold(const CodesTile& t, std::uint8_t* to) {
  Source source;
  source.open(t, 0);
  for (Index k = t.k0; k < t.k1; k += 2 * kCodesDepth)
    for (int s = 0; s < 2; ++s, to += kCodesStep) {
      Codes w[2];
      source.next(s, w);
      for (int v = 0; v < 2; ++v) codes_store(to + v * kVectorCells, w[v]);
    }
}

// The cells of [t.k0, t.k1) as bytes for all rows.
inline void unfold_block(CodesTile& t, std::uint8_t* decoded) {
  if (t.w->bits == 8) {
    t.decoded = reinterpret_cast<const std::uint8_t*>(t.panel) + t.k0 * kQuantColumns;  // as they are
    return;
  }
  t.w->lookup ? unfold<PanelCodes<4, true>>(t, decoded) : unfold<PanelCodes<4, false>>(t, decoded);
  t.decoded = decoded;
}

// Spreads the asking for the next block, as long as this one, over the steps of so many tiles.
inline void ask_evenly(CodesTile& t, Index tiles) { t.ahead_step = kCodesStep * t.w->bits / 8 / tiles; }

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
#endif
