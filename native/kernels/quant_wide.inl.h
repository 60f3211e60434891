// The register tile of products in 16-bit integers: R rows of x by one panel of 2 * kLanes columns, over a block of k that is
// whole groups, or part of one. Cells come out of the panel as they are read (few rows), or from a block that was decoded to 16
// bits in L1 for all rows (many).
// AVX2: 5 x 2 accumulators, two registers of weights, one of x, and products. vpmaddwd takes 16 products and runs twice a cycle, less
// with the additions that share its ports (docs/internals/quantized.md). Bytes, where they are exact: quant_bytes.inl.h.
#pragma once
#include <array>
#include <utility>

#include "kernels/quant_activations.inl.h"
#include "kernels/quant_half.inl.h"
#include "quant/panels.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kTileRows = 12;
#elif defined(ATHANOR_ISA_NEON)
inline constexpr int kTileRows = 8;
#elif defined(ATHANOR_ISA_AVX2)
inline constexpr int kTileRows = 5;
#else
inline constexpr int kTileRows = 4;
#endif
inline constexpr Index kRowsInTask = 192;  // about: tasks are as even as whole tiles let them be
inline constexpr int kDirectRows = 4;
inline constexpr Index kAhead = 512;   // bytes of weights that are asked for before they are read
inline constexpr Index kBlockK = 512;  // of a decoded block: 16 KiB for 16 columns
inline constexpr Index kBlockCells = kBlockK * kQuantColumns;

inline constexpr Index kCellsInTask = Index{1} << 17;  // of the weights, at one row
inline constexpr Index kPanelsInTask = 4;              // that read a block of x while it is in L2

// Panels in a task: enough work to be worth a thread's while, and some that share a block of x, or are read together, where that
// leaves tasks enough.
inline Index panels_in_task(Index M, const quant::Panels& w, Index chunks) {
  const Index rows = M < 8 ? 8 : M < kRowsInTask ? M : kRowsInTask;
  Index panels = kCellsInTask * 8 / (rows * kQuantColumns * (w.padded_k + 1));
  const Index sharing = w.count * chunks / 8 < kPanelsInTask ? w.count * chunks / 8 : kPanelsInTask;
  if (panels < sharing) panels = sharing;
  if (panels > w.count) panels = w.count;
  return panels < 1 ? 1 : panels;
}

// Sums to y: row by row, cols <= kQuantColumns.
inline void finish(const float* sums, const float* factors, Index rows, float* y, Index ldy, Index cols) {
  for (Index r = 0; r < rows; ++r, sums += kQuantColumns, y += ldy) {
    const Vec factor = Vec::broadcast(factors[r]);
    for (int v = 0; v < 2 && v * kLanes < cols; ++v) {
      const Vec value = Vec::load(sums + v * kLanes) * factor;
      if (cols - v * kLanes >= kLanes)
        value.store(y + v * kLanes);
      else
        value.store(y + v * kLanes, cols - v * kLanes);
    }
  }
}

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

// At few rows memory is the bound, and several panels at once are as many streams to the prefetchers: 26 GB/s where one after the
// other gives 17 (Zen 3). More rows leave no registers for it.
constexpr int panels_at_once(Index rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

template <class AnyTile>
ATHANOR_INLINE const std::byte* panel_at(const AnyTile& t, int p) {
  return t.panel + p * t.w->panel_bytes;
}

ATHANOR_INLINE Vec load_panel_scale(const quant::Panels& w, const std::byte* panel, Index g, int v) {
  const Index at = g * kQuantColumns + v * kLanes;
  const std::byte* scales = panel + w.scale_at;
  if (w.bf16) return load_as(reinterpret_cast<const Bf16*>(scales) + at);
  return Vec::load(reinterpret_cast<const float*>(scales) + at);
}

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

// Kernels of 1, 2, … rows: of.operator()<R>() is that of R.
template <class AnyTile, class Of, int... I>
constexpr auto tile_row(Of of, std::integer_sequence<int, I...>) {
  return std::array<void (*)(const AnyTile&), sizeof...(I)>{of.template operator()<I + 1>()...};
}

// Kernels of up to kDirectRows rows by panels_at_once(rows) panels together, or by a single one: of.operator()<R, P>().
template <class AnyTile>
struct DirectRow {
  void (*together[kDirectRows])(const AnyTile&);
  void (*single[kDirectRows])(const AnyTile&);
};
template <class AnyTile, class Of>
constexpr DirectRow<AnyTile> direct_row(Of of) {
  return {{of.template operator()<1, panels_at_once(1)>(), of.template operator()<2, panels_at_once(2)>(),
           of.template operator()<3, panels_at_once(3)>(), of.template operator()<4, panels_at_once(4)>()},
          {of.template operator()<1, 1>(), of.template operator()<2, 1>(), of.template operator()<3, 1>(),
           of.template operator()<4, 1>()}};
}

using TileRows = std::make_integer_sequence<int, kTileRows>;
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

// The block of k that begins at k0: whole groups, or a part of one.
inline Index block_end(const quant::Panels& w, Index k0) {
  const Index group = w.padded_group;
  if (group <= kBlockK) {
    const Index end = k0 + kBlockK / group * group;
    return end < w.padded_k ? end : w.padded_k;
  }
  const Index group_end = (k0 / group + 1) * group;
  return k0 + kBlockK < group_end ? k0 + kBlockK : group_end;
}

// Panels one after the other, or several together; tile is the first one's.
template <class AnyTile>
inline void run_panels(const DirectRow<AnyTile>& row, AnyTile tile, Index rows, Index panels) {
  const Index together = panels_at_once(rows);
  for (Index p = 0; p < panels;) {
    const Index n = p + together <= panels ? together : 1;
    (n == together ? row.together : row.single)[rows - 1](tile);
    tile.panel += n * tile.w->panel_bytes, tile.sums += n * tile.stride;
    p += n;
  }
}

// All sums of `panels` panels for at most kDirectRows rows.
inline void run_direct(Tile t, Index rows, Index panels) {
  t.k0 = 0, t.k1 = t.w->padded_k;
  if (t.w->bits == 8)
    run_panels(t.w->zeros ? kDirect<8, true> : kDirect<8, false>, t, rows, panels);
  else
    run_panels(t.w->zeros ? kDirect<4, true> : kDirect<4, false>, t, rows, panels);
}

// Rows of the next tile where `rows` are left: tiles as even as can be, for one of few rows is slow.
constexpr Index rows_in_tile(Index rows, Index most = kTileRows) { return parts_of(rows, parts_of(rows, most)); }

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
