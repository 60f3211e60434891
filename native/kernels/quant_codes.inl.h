// The register tile of products in 8 bits: unsigned codes c of the weights by signed integers of x, four k a column at a time, and
//   I = Σ c · x - z · Σ x - zp · Σ (c - z)        z the code of 0, zp the shift of static activations (0 for dynamic)
// AVX-512: vpdpbusd sums in 32 bits. Every format; the sums of x by group, and of the integers for static activations.
// AVX2: vpmaddubsw sums pairs in 16 bits, which only codes of 4 bits leave room for: with x in [-127, 127] and codes up to 15 a
// pair is at most 2 * 15 * 127 = 3810. A block of 32 k adds 8 pairs to a lane that starts at -z · Σ x of its own k, so it ends within
// 16 * 15 * 127 = 30480 < 32768 (additions wrap, so what it passes on the way does not count). Then vpmaddwd widens it: 9 multiplies
// for 256 products, a bound of 57 products a cycle where 16 bits have 32.
#pragma once
#include "kernels/quant_wide.inl.h"

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
ATHANOR_INLINE CodeAcc codes_dot(CodeAcc acc, Codes c, Codes x) { return _mm512_dpbusd_epi32(acc, c, x); }
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

// A row of x beside its negated sums, times the code of 0 where all columns share one: for every group one of 32 bits, or for
// every 32 k two of 16, of k % 4 below 2 and the others.
inline void negated_sums(const std::int8_t* x, const quant::Panels& w, std::int32_t* sums) {
  const Index block = kSumsBlock > 0 ? kSumsBlock : w.padded_group;
  const std::int32_t zero = w.zeros ? 1 : w.offset;
  for (Index b = 0; b * block < w.padded_k; ++b, x += block) {
    std::int32_t low = 0, high = 0;
    for (Index k = 0; k < block; k += 4) low += x[k] + x[k + 1], high += x[k + 2] + x[k + 3];
    low *= zero, high *= zero;
    sums[b] = kSumsBlock > 0 ? (-low & 0xffff) | static_cast<std::int32_t>(static_cast<std::uint32_t>(-high) << 16)
                             : -(low + high);
  }
}

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
};

ATHANOR_INLINE const std::byte* panel_at(const CodesTile& t, int p) { return t.panel + p * t.w->panel_bytes; }

// The code of 0 of every column of a group, in the lanes that the correction is made in.
ATHANOR_INLINE IVec zero_codes(const CodesTile& t, int p, Index g, int v) {
  const auto* zeros = reinterpret_cast<const std::uint8_t*>(panel_at(t, p) + t.w->zero_at);
  const IVec z = load_u8(zeros + g * kQuantColumns + v * kLanes);
  return kSumsBlock > 0 ? z | shl<16>(z) : z;
}

// - z · Σ x of each row and column, of the group g or the block at k.
template <int R>
ATHANOR_INLINE void load_corrections(const CodesTile& t, int p, Index g, Index k, IVec out[R][2]) {
  const std::int32_t* sums = t.x_sums + (kSumsBlock > 0 ? k / kCodesAlign : g);
  for (int v = 0; v < 2; ++v)
    for (int r = 0; r < R; ++r) out[r][v] = IVec::broadcast(sums[r * t.ld_sums]);
  if (!t.w->zeros) return;
  for (int v = 0; v < 2; ++v) {
    const IVec z = zero_codes(t, p, g, v);
    for (int r = 0; r < R; ++r) out[r][v] = codes_scale(out[r][v], z);
  }
}

// Where sums have 32 bits: what a whole group is corrected by.
template <int R>
ATHANOR_INLINE void correct_group(const CodesTile& t, int p, Index g, IVec sums[R][2]) {
  IVec corrections[R][2];
  load_corrections<R>(t, p, g, 0, corrections);
  for (int v = 0; v < 2; ++v) {
    IVec shift = IVec::broadcast(0);
    if (t.w->sums) {
      const auto* of_group = reinterpret_cast<const std::int32_t*>(panel_at(t, p) + t.w->sum_at) + g * kQuantColumns;
      shift = IVec::load(of_group + v * kLanes) * IVec::broadcast(t.shift);
    }
    for (int r = 0; r < R; ++r) sums[r][v] = sums[r][v] + corrections[r][v] - shift;
  }
}

struct DecodedCodes {
  const std::uint8_t* cells;
  ATHANOR_INLINE void open(const CodesTile& t, int) { cells = t.decoded; }
  ATHANOR_INLINE void next(int, Codes out[2]) {
    for (int v = 0; v < 2; ++v) out[v] = codes_load(cells + v * kVectorCells);
    cells += kCodesStep;
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
    if (s == 0) __builtin_prefetch(cells + kAhead);
    for (int v = 0; v < 2; ++v) {
      if (bits == 8 || s == 0) pair[v] = codes_load(cells + v * kVectorCells);
      if constexpr (bits == 8)
        out[v] = pair[v];
      else
        out[v] = s == 0 ? codes_low(pair[v]) : codes_high(pair[v]);
      if constexpr (lookup) out[v] = codes_look_up(table, out[v]);
    }
    if (bits == 8 || s == 0) cells += kCodesStep;
  }
};

// The end of a block: sums go to the parts of a group that goes on, or to the totals.
template <int R>
ATHANOR_INLINE void put_codes(const CodesTile& t, int p, Index g, bool begins, bool ends, const IVec sums[R][2]) {
  std::int32_t* const parts = t.parts + p * t.stride;
  float* const totals = t.sums + p * t.stride;
  if (!ends) {
    for (int i = 0; i < 2 * R; ++i) {
      const IVec sum = sums[i / 2][i % 2];
      (begins ? sum : sum + IVec::load(parts + i * kLanes)).store(parts + i * kLanes);
    }
    return;
  }
  const std::byte* panel = panel_at(t, p);
  const Vec scale[2] = {load_panel_scale(*t.w, panel, g, 0), load_panel_scale(*t.w, panel, g, 1)};
  for (int i = 0; i < 2 * R; ++i) {
    IVec sum = sums[i / 2][i % 2];
    if (!begins) sum = sum + IVec::load(parts + i * kLanes);
    fma(to_float(sum), scale[i % 2], Vec::load(totals + i * kLanes)).store(totals + i * kLanes);
  }
}

template <int R, int P, class Source>
void run_codes_tile(const CodesTile& t) {
  Source source[P];
  for (int p = 0; p < P; ++p) {
    source[p].open(t, p);
    for (int i = 0; t.k0 == 0 && i < R * 2; ++i) Vec::zero().store(t.sums + p * t.stride + i * kLanes);
  }
  const Index group = t.w->padded_group;
  for (Index k = t.k0, g = k / group; k < t.k1;) {
    const Index group_end = (g + 1) * group;
    Index end = group_end < t.k1 ? group_end : t.k1;
    if constexpr (kSumsBlock > 0) end = k + kSumsBlock;
    const bool begins = k == g * group, ends = end == group_end;
    CodeAcc acc[P][R][2];
    for (int p = 0; p < P; ++p) {
      IVec sums[R][2] = {};
      if constexpr (kSumsBlock > 0) load_corrections<R>(t, p, g, k, sums);
      for (int i = 0; i < 2 * R; ++i) acc[p][i / 2][i % 2] = sums[i / 2][i % 2].v;
    }
    const std::int8_t* x = t.x + k;
    const std::int8_t* const x_end = t.x + end;
    for (; x < x_end; x += 2 * kCodesDepth)
      for (int s = 0; s < 2; ++s)
        for (int p = 0; p < P; ++p) {
          Codes w[2];
          source[p].next(s, w);
          for (int r = 0; r < R; ++r) {
            const Codes xv = x_broadcast(x + r * t.ldx + s * kCodesDepth);
            for (int v = 0; v < 2; ++v) acc[p][r][v] = codes_dot(acc[p][r][v], w[v], xv);
          }
        }
    for (int p = 0; p < P; ++p) {
      IVec sums[R][2];
      for (int i = 0; i < 2 * R; ++i) sums[i / 2][i % 2] = codes_widen(acc[p][i / 2][i % 2]);
      if constexpr (kSumsBlock == 0) {
        if (ends) correct_group<R>(t, p, g, sums);
      }
      put_codes<R>(t, p, g, begins, ends, sums);
    }
    k = end;
    g += ends;
  }
}

using CodesKernel = void (*)(const CodesTile&);

template <class Source, int... R>
struct CodesRow {
  CodesKernel kernels[sizeof...(R)] = {run_codes_tile<R, 1, Source>...};
};
template <class Source>
struct DirectCodes {
  CodesKernel together[kDirectRows] = {
      run_codes_tile<1, panels_at_once(1), Source>, run_codes_tile<2, panels_at_once(2), Source>,
      run_codes_tile<3, panels_at_once(3), Source>, run_codes_tile<4, panels_at_once(4), Source>};
  CodesKernel single[kDirectRows] = {run_codes_tile<1, 1, Source>, run_codes_tile<2, 1, Source>,
                                     run_codes_tile<3, 1, Source>, run_codes_tile<4, 1, Source>};
};

#if defined(ATHANOR_ISA_AVX512)
constexpr CodesRow<DecodedCodes, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12> kDecodedCodes{};
constexpr DirectCodes<PanelCodes<8, false>> kDirectBytes{};
constexpr DirectCodes<PanelCodes<4, true>> kDirectLookups{};
#else
constexpr CodesRow<DecodedCodes, 1, 2, 3, 4, 5> kDecodedCodes{};
#endif
constexpr DirectCodes<PanelCodes<4, false>> kDirectNibbles{};

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

inline void run_codes_direct(CodesTile t, Index rows, Index panels) {
  t.k0 = 0, t.k1 = t.w->padded_k;
#if defined(ATHANOR_ISA_AVX512)
  if (t.w->bits == 8) return run_panels(kDirectBytes, t, rows, panels);
  if (t.w->lookup) return run_panels(kDirectLookups, t, rows, panels);
#endif
  run_panels(kDirectNibbles, t, rows, panels);
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

// The sums of one panel over [t.k0, t.k1) for `rows` rows from t.x on.
inline void run_codes_block(CodesTile t, Index rows, std::uint8_t* decoded) {
  unfold_block(t, decoded);
  for (Index n; rows > 0; rows -= n) {
    n = rows_in_tile(rows);
    kDecodedCodes.kernels[n - 1](t);
    t.x += n * t.ldx, t.x_sums += n * t.ld_sums, t.sums += n * kQuantColumns, t.parts += n * kQuantColumns;
  }
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
#endif
