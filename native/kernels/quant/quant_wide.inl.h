// The register tile of products in 16-bit integers: R rows of x by one panel of 2 * kLanes columns, over a block of k that is
// whole groups, or part of one. Cells come out of the panel as they are read (few rows), or from a block that was decoded to 16
// bits in L1 for all rows (many).
// AVX2: 5 x 2 accumulators, two registers of weights, one of x, and products. vpmaddwd takes 16 products and runs twice a cycle, less
// with the additions that share its ports (docs/internals/quantized.md). Bytes, where they are exact: quant_bytes.inl.h.
#pragma once
#include "kernels/quant/quant_tiling.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

inline quant::Layout wide_layout() { return {kQuantColumns, kQuantDepth, 2 * kQuantDepth, true, false}; }

// What a tile works on. k counts padded elements.
struct Tile {
  const quant::Panels* w;
  const std::byte* panel;
  const std::byte* table;
  const std::int16_t* decoded;  // of [k0, k1), or null
  Index k0, k1;
  const std::int16_t* x;
  Index ldx;
  float* sums;          // (R, kQuantColumns): Σ scale · I over groups
  std::int32_t* parts;  // (R, kQuantColumns): of a group that a block before began
  Index stride;         // from sums and parts of a panel to those of the next one
};

// Sources of the cells of a step of panel p of a tile, in pairs of steps: next(0, …), next(1, …), and so on.
struct DecodedSource {
  const std::int16_t* cells;
  ATHANOR_INLINE void open(const Tile& t, int) { cells = t.decoded; }
  ATHANOR_INLINE void start_group(const Tile&, int, Index) {}
  ATHANOR_INLINE void next(int, Half out[2]) {
    for (int v = 0; v < 2; ++v) out[v] = half_load(cells + v * (kStepCells / 2));
    cells += kStepCells;
  }
};

template <int bits, bool zeros>
struct PanelSource {
  const std::uint8_t* cells;
  CellTable table;
  CellBytes pair[2];
  Half zero[2];
  ATHANOR_INLINE void open(const Tile& t, int p) {
    cells = reinterpret_cast<const std::uint8_t*>(panel_at(t, p)) + t.k0 * kQuantColumns * bits / 8;
    if constexpr (bits == 4) table = table_load(t.table);
    start_group(t, p, t.k0 / t.w->padded_group);
  }
  ATHANOR_INLINE void start_group(const Tile& t, int p, Index g) {
    if constexpr (zeros) {
      const auto* codes = reinterpret_cast<const std::uint8_t*>(panel_at(t, p) + t.w->zero_at) + g * kQuantColumns;
      std::int16_t wide[kStepCells];
      for (int i = 0; i < kStepCells; ++i) wide[i] = codes[i / kQuantDepth];
      for (int v = 0; v < 2; ++v) zero[v] = half_load(wide + v * (kStepCells / 2));
    }
  }
  ATHANOR_INLINE void next(int s, Half out[2]) {
    if (s == 0) __builtin_prefetch(cells + kAhead);
    if constexpr (bits == 4) {
      if (s == 0) {
        cells_split(cells_load(cells), table, pair);
        cells += kStepCells;
      }
      cells_signed(pair[s], out);
    } else {
      if constexpr (zeros)
        cells_unsigned(cells_load(cells), out);
      else
        cells_signed_at(cells, out);
      cells += kStepCells;
    }
    if constexpr (zeros) {
      for (int v = 0; v < 2; ++v) out[v] = out[v] - zero[v];
    }
  }
};

// R rows by P panels that lie next to each other.
template <int R, int P, class Source>
void run_tile(const Tile& t) {
  Source source[P];
  ATHANOR_UNROLL
  for (int p = 0; p < P; ++p) source[p].open(t, p);
  const Index group = t.w->padded_group;
  for (Index k = t.k0; k < t.k1;) {
    const Index g = k / group, end = (g + 1) * group < t.k1 ? (g + 1) * group : t.k1;
    const bool begins = k == g * group, ends = end == (g + 1) * group;
    const auto part = [&](int p, int r, int v) { return t.parts + p * t.stride + r * kQuantColumns + v * kLanes; };
    IVec acc[P][R][2];
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) {
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        for (int v = 0; v < 2; ++v) acc[p][r][v] = begins ? IVec::broadcast(0) : IVec::load(part(p, r, v));
      }
      source[p].start_group(t, p, g);
    }
    const std::int16_t* x = t.x + k;
    const std::int16_t* const x_end = t.x + end;
    for (; x < x_end; x += 2 * kQuantDepth) {
      ATHANOR_UNROLL
      for (int s = 0; s < 2; ++s) {
        ATHANOR_UNROLL
        for (int p = 0; p < P; ++p) {
          Half w[2];
          source[p].next(s, w);
          ATHANOR_UNROLL
          for (int r = 0; r < R; ++r) {
            const Half xv = half_broadcast(x + r * t.ldx + s * kQuantDepth);
            for (int v = 0; v < 2; ++v) acc[p][r][v] = half_dot(acc[p][r][v], w[v], xv);
          }
        }
      }
    }
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) {
      ATHANOR_UNROLL
      for (int v = 0; v < 2; ++v) {
        if (!ends) {
          for (int r = 0; r < R; ++r) acc[p][r][v].store(part(p, r, v));
          continue;
        }
        const Vec scale = load_panel_scale(*t.w, panel_at(t, p), g, v);
        ATHANOR_UNROLL
        for (int r = 0; r < R; ++r) {
          float* sum = t.sums + p * t.stride + r * kQuantColumns + v * kLanes;
          const Vec before = g == 0 ? Vec::zero() : Vec::load(sum);
          fma(to_float(acc[p][r][v]), scale, before).store(sum);
        }
      }
    }
    k = end;
  }
}

constexpr auto kDecodedTiles = tile_row<Tile>([]<int R>() { return run_tile<R, 1, DecodedSource>; }, TileRows{});

template <int bits, bool zeros>
constexpr auto kDirect = direct_row<Tile>([]<int R, int P>() { return run_tile<R, P, PanelSource<bits, zeros>>; });

template <class Source>
void decode(const Tile& t, std::int16_t* to) {
  Source source;
  source.open(t, 0);
  const Index group = t.w->padded_group;
  for (Index k = t.k0; k < t.k1; k += 2 * kQuantDepth) {
    if (k % group == 0) source.start_group(t, 0, k / group);
    for (int s = 0; s < 2; ++s, to += kStepCells) {
      Half w[2];
      source.next(s, w);
      for (int v = 0; v < 2; ++v) half_store(to + v * (kStepCells / 2), w[v]);
    }
  }
}

inline void decode_block(const Tile& t, std::int16_t* to) {
  if (t.w->bits == 8)
    t.w->zeros ? decode<PanelSource<8, true>>(t, to) : decode<PanelSource<8, false>>(t, to);
  else
    t.w->zeros ? decode<PanelSource<4, true>>(t, to) : decode<PanelSource<4, false>>(t, to);
}

// All sums of `panels` panels for at most kDirectRows rows.
inline void run_direct(Tile t, Index rows, Index panels) {
  t.k0 = 0, t.k1 = t.w->padded_k;
  if (t.w->bits == 8)
    run_panels(t.w->zeros ? kDirect<8, true> : kDirect<8, false>, t, rows, panels);
  else
    run_panels(t.w->zeros ? kDirect<4, true> : kDirect<4, false>, t, rows, panels);
}

// The sums of one panel over [t.k0, t.k1) for `rows` rows from t.x on.
inline void run_block(Tile t, Index rows, std::int16_t* decoded) {
  decode_block(t, decoded);
  t.decoded = decoded;
  for (Index n; rows > 0; rows -= n) {
    n = rows_in_tile(rows);
    kDecodedTiles[static_cast<std::size_t>(n - 1)](t);
    t.x += n * t.ldx, t.sums += n * kQuantColumns, t.parts += n * kQuantColumns;
  }
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
