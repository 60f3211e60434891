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
  return _mm256_add_epi16(acc, _mm256_maddubs_epi16(c, x));
}
ATHANOR_INLINE IVec codes_widen(CodeAcc acc) { return {_mm256_madd_epi16(acc, _mm256_set1_epi16(1))}; }
#endif

// A row of x beside its negated sums: for every group one of 32 bits, or for every 32 k two of 16, of k % 4 below 2 and the others.
inline void negated_sums(const std::int8_t* x, const quant::Panels& w, std::int32_t* sums) {
  const Index block = kSumsBlock > 0 ? kSumsBlock : w.padded_group;
  for (Index b = 0; b * block < w.padded_k; ++b, x += block) {
    std::int32_t low = 0, high = 0;
    for (Index k = 0; k < block; k += 4) low += x[k] + x[k + 1], high += x[k + 2] + x[k + 3];
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
  const std::int32_t* x_sums;  // negated
  Index ld_sums;
  std::int32_t shift;  // zp - 128, for static activations
  float* sums;
  std::int32_t* parts;
};

// What the codes of a group stand for: z of every column, in the lanes that the correction is made in.
ATHANOR_INLINE IVec zero_codes(const CodesTile& t, Index g, int v) {
  if (!t.w->zeros) return IVec::broadcast(kSumsBlock > 0 ? t.w->offset * 0x10001 : t.w->offset);
  const IVec z =
      load_u8(reinterpret_cast<const std::uint8_t*>(t.panel + t.w->zero_at) + g * kQuantColumns + v * kLanes);
  return kSumsBlock > 0 ? z | shl<16>(z) : z;
}

struct DecodedCodes {
  const std::uint8_t* cells;
  explicit DecodedCodes(const CodesTile& t) : cells(t.decoded) {}
  ATHANOR_INLINE void next(Codes out[2][2]) {
    for (int s = 0; s < 2; ++s)
      for (int v = 0; v < 2; ++v) out[s][v] = codes_load(cells + s * kCodesStep + v * kVectorCells);
    cells += 2 * kCodesStep;
  }
};

template <int bits, bool lookup>
struct PanelCodes {
  const std::uint8_t* cells;
  Codes table;
  explicit PanelCodes(const CodesTile& t)
      : cells(reinterpret_cast<const std::uint8_t*>(t.panel) + t.k0 * kQuantColumns * bits / 8),
        table(codes_table(t.table)) {}
  ATHANOR_INLINE void next(Codes out[2][2]) {
    __builtin_prefetch(cells + 1024);
    if constexpr (bits == 8) {
      for (int s = 0; s < 2; ++s)
        for (int v = 0; v < 2; ++v) out[s][v] = codes_load(cells + s * kCodesStep + v * kVectorCells);
      cells += 2 * kCodesStep;
    } else {
      for (int v = 0; v < 2; ++v) {
        const Codes both = codes_load(cells + v * kVectorCells);
        out[0][v] = codes_low(both), out[1][v] = codes_high(both);
        if constexpr (lookup) {
          for (int s = 0; s < 2; ++s) out[s][v] = codes_look_up(table, out[s][v]);
        }
      }
      cells += kCodesStep;
    }
  }
};

template <int R, class Source>
void run_codes_tile(const CodesTile& t) {
  Source source(t);
  const Index group = t.w->padded_group;
  for (Index k = t.k0, g = k / group; k < t.k1;) {
    const Index group_end = (g + 1) * group;
    Index end = group_end < t.k1 ? group_end : t.k1;
    if constexpr (kSumsBlock > 0) end = k + kSumsBlock;
    const bool begins = k == g * group, ends = end == group_end;
    CodeAcc acc[R][2];
    if constexpr (kSumsBlock > 0) {
#if !defined(ATHANOR_ISA_AVX512)
      for (int v = 0; v < 2; ++v) {
        const IVec z = zero_codes(t, g, v);
        for (int r = 0; r < R; ++r) {
          const IVec sums = IVec::broadcast(t.x_sums[r * t.ld_sums + k / kSumsBlock]);
          acc[r][v] = _mm256_mullo_epi16(z.v, sums.v);
        }
      }
#endif
    } else {
      for (int r = 0; r < R; ++r)
        for (int v = 0; v < 2; ++v) acc[r][v] = IVec::broadcast(0).v;
    }
    const std::int8_t* x = t.x + k;
    const std::int8_t* const x_end = t.x + end;
    for (; x < x_end; x += 2 * kCodesDepth) {
      Codes w[2][2];
      source.next(w);
      for (int s = 0; s < 2; ++s)
        for (int r = 0; r < R; ++r) {
          const Codes xv = x_broadcast(x + r * t.ldx + s * kCodesDepth);
          for (int v = 0; v < 2; ++v) acc[r][v] = codes_dot(acc[r][v], w[s][v], xv);
        }
    }
    for (int v = 0; v < 2; ++v) {
      const Vec scale = load_panel_scale(*t.w, t.panel, g, v);
      for (int r = 0; r < R; ++r) {
        IVec sum = codes_widen(acc[r][v]);
        std::int32_t* part = t.parts + r * kQuantColumns + v * kLanes;
        if (!begins) sum = sum + IVec::load(part);
        if (!ends) {
          sum.store(part);
          continue;
        }
        if constexpr (kSumsBlock == 0) {
          sum = sum + zero_codes(t, g, v) * IVec::broadcast(t.x_sums[r * t.ld_sums + g]);
          if (t.w->sums) {
            const auto* of_group = reinterpret_cast<const std::int32_t*>(t.panel + t.w->sum_at) + g * kQuantColumns;
            sum = sum - IVec::load(of_group + v * kLanes) * IVec::broadcast(t.shift);
          }
        }
        float* total = t.sums + r * kQuantColumns + v * kLanes;
        const Vec before = g == 0 ? Vec::zero() : Vec::load(total);
        fma(to_float(sum), scale, before).store(total);
      }
    }
    k = end;
    g += ends;
  }
}

using CodesKernel = void (*)(const CodesTile&);

template <class Source, int... R>
struct CodesRow {
  CodesKernel kernels[sizeof...(R)] = {run_codes_tile<R, Source>...};
};
template <class Source>
using DirectCodes = CodesRow<Source, 1, 2, 3, 4>;

#if defined(ATHANOR_ISA_AVX512)
constexpr CodesRow<DecodedCodes, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12> kDecodedCodes{};
constexpr DirectCodes<PanelCodes<8, false>> kDirectBytes{};
constexpr DirectCodes<PanelCodes<4, true>> kDirectLookups{};
#else
constexpr CodesRow<DecodedCodes, 1, 2, 3, 4, 5, 6> kDecodedCodes{};
#endif
constexpr DirectCodes<PanelCodes<4, false>> kDirectNibbles{};

inline const CodesKernel* direct_codes([[maybe_unused]] const quant::Panels& w) {
#if defined(ATHANOR_ISA_AVX512)
  if (w.bits == 8) return kDirectBytes.kernels;
  if (w.lookup) return kDirectLookups.kernels;
#endif
  return kDirectNibbles.kernels;
}

template <class Source>
void unfold(const CodesTile& t, std::uint8_t* to) {
  Source source(t);
  for (Index k = t.k0; k < t.k1; k += 2 * kCodesDepth, to += 2 * kCodesStep) {
    Codes w[2][2];
    source.next(w);
    for (int s = 0; s < 2; ++s)
      for (int v = 0; v < 2; ++v) codes_store(to + s * kCodesStep + v * kVectorCells, w[s][v]);
  }
}

// The sums of one panel for `rows` rows from t.x on.
inline void run_codes_panel(CodesTile t, Index rows, std::uint8_t* decoded) {
  if (rows <= kDirectRows) {
    t.k0 = 0, t.k1 = t.w->padded_k, t.decoded = nullptr;
    direct_codes(*t.w)[rows - 1](t);
    return;
  }
  const CodesTile whole = t;
  for (Index k0 = 0; k0 < t.w->padded_k; k0 = t.k1) {
    t = whole;
    t.k0 = k0, t.k1 = block_end(*t.w, k0);
    if (t.w->bits == 8) {
      t.decoded = reinterpret_cast<const std::uint8_t*>(t.panel) + k0 * kQuantColumns;  // as they are
    } else {
      t.w->lookup ? unfold<PanelCodes<4, true>>(t, decoded) : unfold<PanelCodes<4, false>>(t, decoded);
      t.decoded = decoded;
    }
    for (Index row = 0; row < rows; row += kTileRows) {
      const Index n = rows - row < kTileRows ? rows - row : kTileRows;
      t.x = whole.x + row * t.ldx;
      t.x_sums = whole.x_sums + row * t.ld_sums;
      t.sums = whole.sums + row * kQuantColumns;
      t.parts = whole.parts + row * kQuantColumns;
      kDecodedCodes.kernels[n - 1](t);
    }
  }
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
#endif
