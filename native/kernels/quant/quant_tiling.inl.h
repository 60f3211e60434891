// How products with quantized weights are cut into register tiles, whatever the tile: rows and panels of tasks and tiles, blocks of
// k, the tables of a tile's kernels, and the way of its sums to y.
#pragma once
#include <array>
#include <utility>

#include "formats/panels.h"
#include "kernels/quant/quant_activations.inl.h"
#include "kernels/quant/quant_half.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

// kAhead: bytes of weights that are asked for before they are read. kBlockK: of a decoded block, which leaves room in L1 for x: 24
// KiB of bytes for 32 columns, else 16 KiB of 16 bits for 16.
#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kTileRows = 12;
inline constexpr Index kAhead = 1024, kBlockK = 768;
#else
inline constexpr Index kAhead = 512, kBlockK = 512;
#if defined(ATHANOR_ISA_NEON)
inline constexpr int kTileRows = 8;
#elif defined(ATHANOR_ISA_AVX2)
inline constexpr int kTileRows = 5;
#else
inline constexpr int kTileRows = 4;
#endif
#endif
inline constexpr Index kRowsInTask = 192;  // about: tasks are as even as whole tiles let them be
inline constexpr int kDirectRows = 4;
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

// At few rows memory is the bound, and several panels at once are as many streams to the prefetchers: 26 GB/s where one after the
// other gives 17 (Zen 3). More rows leave no registers for it.
// Without vector instructions arithmetic is the bound, and half of the tiles need not be compiled.
#if defined(ATHANOR_ISA_SCALAR)
constexpr int panels_at_once(Index) { return 1; }
#else
constexpr int panels_at_once(Index rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }
#endif

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

// Rows of the next tile where `rows` are left: tiles as even as can be, for one of few rows is slow.
constexpr Index rows_in_tile(Index rows, Index most = kTileRows) { return parts_of(rows, parts_of(rows, most)); }

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
