// The register tile of products in 8 bits: unsigned codes c of the weights by signed integers of x, four k a column at a time, and
//   I = Σ c · x - z · Σ x - zp · Σ (c - z)        z the code of 0, zp the shift of static activations (0 for dynamic)
// AVX-512: vpdpbusd sums in 32 bits. Every format; the sums of x by group, and of the integers for static activations.
// AVX2: vpmaddubsw sums pairs in 16 bits, which only codes of 4 bits leave room for: with x in [-127, 127] and codes up to 15 a
// pair is at most 2 * 15 * 127 = 3810. A block of 32 k adds 8 pairs to a lane that starts at -z · Σ x of its own k, so it ends within
// 16 * 15 * 127 = 30480 < 32768 (additions wrap, so what it passes on the way does not count). Then vpmaddwd widens it: 9 multiplies
// for 256 products, where 16 bits take 16.
#pragma once
#include "kernels/quant/quant_codes_cells.inl.h"

#if defined(ATHANOR_QUANT_CODES)

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

// A row of x beside its negated sums, times the code of 0 where all columns share one: for every group one of 32 bits, or for
// every 32 k two of 16, of k % 4 below 2 and the others.
inline void negated_sums(const std::int8_t* x, const quant::Panels& w, std::int32_t* sums) {
  const Index block = kSumsBlock > 0 ? kSumsBlock : w.padded_group;
  const std::int32_t zero = w.zeros ? 1 : w.offset;
  for (Index b = 0; b * block < w.padded_k; ++b, x += block) {
#if defined(ATHANOR_ISA_AVX512)
    Codes sum = _mm512_setzero_si512();
    for (Index k = 0; k < block; k += kVectorCells) {
      const auto* from = reinterpret_cast<const std::int32_t*>(x + k);
      const Index n = (block - k) / 4;
      sum = codes_dot(sum, _mm512_set1_epi8(1), (n >= kLanes ? IVec::load(from) : IVec::load(from, n)).v);
    }
    sums[b] = -zero * static_cast<std::int32_t>(reduce_add(to_float(IVec{sum})));  // exact, being below 2^24
#else
    std::int32_t low = 0, high = 0;
    for (Index k = 0; k < block; k += 4) low += x[k] + x[k + 1], high += x[k + 2] + x[k + 3];
    low *= zero, high *= zero;
    sums[b] = (-low & 0xffff) | static_cast<std::int32_t>(static_cast<std::uint32_t>(-high) << 16);
#endif
  }
}

// The code of 0 of every column of a group, in the lanes that the correction is made in.
ATHANOR_INLINE IVec zero_codes(const CodesTile& t, int p, Index g, int v) {
  const auto* zeros = reinterpret_cast<const std::uint8_t*>(panel_at(t, p) + t.w->zero_at);
  const IVec z = load_u8(zeros + g * kQuantColumns + v * kLanes);
  return kSumsBlock > 0 ? z | shl<16>(z) : z;
}

// What the sums of each row and column start at, of the group g or the block at k: - z · Σ x - zp · Σ (c - z).
template <int R>
ATHANOR_INLINE void load_corrections(const CodesTile& t, int p, Index g, Index k, IVec out[R][2]) {
  const std::int32_t* sums = t.x_sums + (kSumsBlock > 0 ? k / kCodesAlign : g);
  ATHANOR_UNROLL
  for (int i = 0; i < 2 * R; ++i) out[i / 2][i % 2] = IVec::broadcast(sums[i / 2 * t.ld_sums]);
  if (t.w->zeros) {
    ATHANOR_UNROLL
    for (int v = 0; v < 2; ++v) {
      const IVec z = zero_codes(t, p, g, v);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) out[r][v] = codes_scale(out[r][v], z);
    }
  }
  if (kSumsBlock > 0 || !t.w->sums) return;
  const auto* of_group = reinterpret_cast<const std::int32_t*>(panel_at(t, p) + t.w->sum_at) + g * kQuantColumns;
  ATHANOR_UNROLL
  for (int v = 0; v < 2; ++v) {
    const IVec shift = IVec::load(of_group + v * kLanes) * IVec::broadcast(t.shift);
    ATHANOR_UNROLL
    for (int r = 0; r < R; ++r) out[r][v] = out[r][v] - shift;
  }
}

// The end of a block: sums go to the parts of a group that goes on, or to the totals.
template <int R>
ATHANOR_INLINE void put_codes(const CodesTile& t, int p, Index g, bool begins, bool ends, const IVec sums[R][2]) {
  std::int32_t* const parts = t.parts + p * t.stride;
  float* const totals = t.sums + p * t.stride;
  if (!ends) {
    ATHANOR_UNROLL
    for (int i = 0; i < 2 * R; ++i) {
      const IVec sum = sums[i / 2][i % 2];
      (begins ? sum : sum + IVec::load(parts + i * kLanes)).store(parts + i * kLanes);
    }
    return;
  }
  const std::byte* panel = panel_at(t, p);
  const Vec scale[2] = {load_panel_scale(*t.w, panel, g, 0), load_panel_scale(*t.w, panel, g, 1)};
  ATHANOR_UNROLL
  for (int i = 0; i < 2 * R; ++i) {
    IVec sum = sums[i / 2][i % 2];
    if (!begins) sum = sum + IVec::load(parts + i * kLanes);
    fma(to_float(sum), scale[i % 2], Vec::load(totals + i * kLanes)).store(totals + i * kLanes);
  }
}

// Totals of panel p are 0 where a product begins.
template <int R>
ATHANOR_INLINE void clear_totals(const CodesTile& t, int p) {
  for (int i = 0; t.k0 == 0 && i < 2 * R; ++i) Vec::zero().store(t.sums + p * t.stride + i * kLanes);
}

template <int R, int P, class Source>
ATHANOR_INLINE void open_panels(const CodesTile& t, Source (&source)[P]) {
  ATHANOR_UNROLL
  for (int p = 0; p < P; ++p) {
    source[p].open(t, p);
    clear_totals<R>(t, p);
  }
}

// Products of R rows by P panels from x of the first row to x_end.
template <int R, int P, class Source>
ATHANOR_INLINE void add_codes(const CodesTile& t, Source (&source)[P], const std::int8_t* x, const std::int8_t* x_end,
                              CodeAcc (&acc)[P][R][2]) {
  for (; x < x_end; x += 2 * kCodesDepth) {
    ATHANOR_UNROLL
    for (int s = 0; s < 2; ++s) {
      ATHANOR_UNROLL
      for (int p = 0; p < P; ++p) {
        Codes w[2];
        source[p].next(s, w);
        ATHANOR_UNROLL
        for (int r = 0; r < R; ++r) {
          const Codes xv = x_broadcast(x + r * t.ldx + s * kCodesDepth);
          for (int v = 0; v < 2; ++v) acc[p][r][v] = codes_dot(acc[p][r][v], w[v], xv);
        }
      }
    }
  }
}

// R rows by P panels that lie next to each other.
template <int R, int P, class Source>
void run_codes_tile(const CodesTile& t) {
  Source source[P];
  open_panels<R>(t, source);
  const Index group = t.w->padded_group;
  for (Index k = t.k0, g = k / group; k < t.k1;) {
    const Index group_end = (g + 1) * group;
    Index end = group_end < t.k1 ? group_end : t.k1;
    if constexpr (kSumsBlock > 0) end = k + kSumsBlock;
    const bool begins = k == g * group, ends = end == group_end;
    CodeAcc acc[P][R][2];
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) {
      IVec sums[R][2] = {};
      if (kSumsBlock > 0 || begins) load_corrections<R>(t, p, g, k, sums);
      ATHANOR_UNROLL
      for (int i = 0; i < 2 * R; ++i) acc[p][i / 2][i % 2] = sums[i / 2][i % 2].v;
    }
    add_codes(t, source, t.x + k, t.x + end, acc);
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) {
      IVec sums[R][2];
      ATHANOR_UNROLL
      for (int i = 0; i < 2 * R; ++i) sums[i / 2][i % 2] = codes_widen(acc[p][i / 2][i % 2]);
      put_codes<R>(t, p, g, begins, ends, sums);
    }
    k = end;
    g += ends;
  }
}

constexpr auto kDecodedCodes =
    tile_row<CodesTile>([]<int R>() { return run_codes_tile<R, 1, DecodedCodes>; }, TileRows{});

#if defined(ATHANOR_ISA_AVX512)
// R rows by one panel over whole groups, few enough of them for the totals to stay in registers: of groups of 32 k the way to
// memory and back takes as long as their products.
inline constexpr int kGroupedTileRows = 6;
inline constexpr Index kGrouped = 256;  // elements of a group, at most
template <int R>
void run_grouped_tile(const CodesTile& t) {
  DecodedCodes source[1];
  open_panels<R>(t, source);
  Vec totals[R][2];
  ATHANOR_UNROLL
  for (int i = 0; i < 2 * R; ++i) totals[i / 2][i % 2] = Vec::load(t.sums + i * kLanes);
  const Index group = t.w->padded_group;
  for (Index k = t.k0, g = k / group; k < t.k1; k += group, ++g) {
    IVec starts[R][2];
    load_corrections<R>(t, 0, g, k, starts);
    CodeAcc acc[1][R][2];
    ATHANOR_UNROLL
    for (int i = 0; i < 2 * R; ++i) acc[0][i / 2][i % 2] = starts[i / 2][i % 2].v;
    add_codes(t, source, t.x + k, t.x + k + group, acc);
    ATHANOR_UNROLL
    for (int v = 0; v < 2; ++v) {
      const Vec scale = load_panel_scale(*t.w, t.panel, g, v);
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) totals[r][v] = fma(to_float(IVec{acc[0][r][v]}), scale, totals[r][v]);
    }
  }
  ATHANOR_UNROLL
  for (int i = 0; i < 2 * R; ++i) totals[i / 2][i % 2].store(t.sums + i * kLanes);
}
constexpr auto kGroupedTiles = tile_row<CodesTile>([]<int R>() { return run_grouped_tile<R>; },
                                                   std::make_integer_sequence<int, kGroupedTileRows>{});
#else
inline constexpr Index kGrouped = 0;
inline constexpr int kGroupedTileRows = kTileRows;
constexpr auto kGroupedTiles = kDecodedCodes;
#endif

template <int bits, bool lookup>
constexpr auto kDirectCodes =
    direct_row<CodesTile>([]<int R, int P>() { return run_codes_tile<R, P, PanelCodes<bits, lookup>>; });

inline void run_codes_direct(CodesTile t, Index rows, Index panels) {
  t.k0 = 0, t.k1 = t.w->padded_k;
#if defined(ATHANOR_ISA_AVX512)
  if (t.w->bits == 8) return run_panels(kDirectCodes<8, false>, t, rows, panels);
  if (t.w->lookup) return run_panels(kDirectCodes<4, true>, t, rows, panels);
#endif
  run_panels(kDirectCodes<4, false>, t, rows, panels);
}

// The sums of one panel over [t.k0, t.k1) for `rows` rows from t.x on.
inline void run_codes_block(CodesTile t, Index rows, std::uint8_t* decoded) {
  unfold_block(t, decoded);
  const bool grouped = t.w->padded_group <= kGrouped;
  const Index most = grouped ? kGroupedTileRows : kTileRows;
  ask_evenly(t, parts_of(rows, most));
  for (Index n; rows > 0; rows -= n) {
    n = rows_in_tile(rows, most);
    const auto at = static_cast<std::size_t>(n - 1);
    (grouped ? kGroupedTiles[at] : kDecodedCodes[at])(t);
    t.ahead += t.ahead_step * ((t.k1 - t.k0) / kCodesDepth);
    t.x += n * t.ldx, t.x_sums += n * t.ld_sums, t.sums += n * kQuantColumns, t.parts += n * kQuantColumns;
  }
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
#endif
