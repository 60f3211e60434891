// The driver of the sparse product: transposes x into tiles, runs the pieces of each panel by each tile, transposes the sums into y.
#pragma once
#include <cstring>

#include "kernels/gemm/gemm_pack.inl.h"
#include "kernels/gemm/gemm_plan.inl.h"
#include "kernels/sparse/sparse_rows.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace sparse {

using gemm::ceil_div, gemm::least, gemm::part_start, gemm::round_up;

inline constexpr Index kPackColumns = 256;  // of x, in one task
inline constexpr Index kLineColumns = 16;   // a cache line

// How the rows of x are cut into tiles: as evenly as whole vectors allow.
struct Tiles {
  Index vectors, count;
  explicit Tiles(Index m) : vectors(ceil_div(m, kLanes)), count(ceil_div(vectors, kSparseTileVectors)) {}
  Index first(Index tile) const { return part_start(tile, count, vectors); }  // vector
  int width(Index tile) const { return static_cast<int>(first(tile + 1) - first(tile)); }
};

ATHANOR_INLINE Index padded(Index columns) { return round_up(columns + kSparseReach, kLineColumns); }

inline Index sparse_workspace(Index M, Index N, Index K, int workers) {
  if (M <= 0 || N <= 0) return 0;
  const Index sums = kSparsePanelRows * kSparseTileVectors * kLanes;
  return (padded(K) * round_up(M, kLanes) + workers * sums) * static_cast<Index>(sizeof(float));
}

// Columns [k0, k1) of a tile, xt[k * width + lane]; rows past M and columns past K are zero.
inline void pack_tile(const SparseArgs& a, const Tiles& tiles, Index tile, Index k0, Index k1, float* xt) {
  const Index K = a.w.columns, m0 = tiles.first(tile) * kLanes, width = tiles.width(tile) * kLanes;
  const Index rows = least(width, a.M - m0), end = least(k1, K);
  float* to = xt + m0 * padded(K) + k0 * width;
  if (rows < width || end < k1) std::memset(to, 0, static_cast<std::size_t>((k1 - k0) * width) * sizeof(float));
  // A cache line of columns of a vector of rows at a time: rows that lie a power of two apart share the few lines of one set.
  for (Index k = k0; k < end; k += kLineColumns)
    for (Index i = 0; i < rows; i += kLanes) {
      const int n = static_cast<int>(least(kLanes, rows - i));
      gemm::pack_piece(
          {a.x + (m0 + i) * K + k, K, 1, least(kLineColumns, end - k), n, to + (k - k0) * width + i, width});
    }
}

// sums[n * width + lane] of panel rows [0, rows) to y's columns from n0 on.
inline void write_panel(const SparseArgs& a, const float* sums, Index width, Index m0, Index n0, Index rows) {
  const Index N = a.w.rows, count = least(width, a.M - m0);
  float* y = a.y + m0 * N + n0;
  const gemm::PackPiece piece{sums, width, 1, count, static_cast<int>(rows), y, N};
  if (rows >= kLanes)
    gemm::pack_transpose(piece);
  else
    gemm::pack_elements(piece, 0);
  if (a.epilogue)
    for (Index m = 0; m < count; ++m) a.epilogue(a.epilogue_self, y + m * N, m0 + m, n0, rows, 0);
}

inline void run_panel(const SparseArgs& a, const Tiles& tiles, Index tile, Index panel, const float* xt, float* sums) {
  const SparsePanels& w = a.w;
  const Index m0 = tiles.first(tile) * kLanes, width = tiles.width(tile) * kLanes;
  const float* x = xt + m0 * padded(w.columns);
  const SparseShape shape = kSparseShapes[w.shape];
  for (Index block = 0; block < w.blocks; ++block) {
    const SparsePiece &from = w.piece[panel * w.blocks + block], &to = w.piece[panel * w.blocks + block + 1];
    const Rows rows{w.row + from.row,
                    w.row + to.row,
                    w.column + from.entry,
                    w.values + from.entry * shape.rows * shape.columns,
                    x + block * w.block_columns * width,
                    width,
                    sums,
                    width,
                    block == 0};
    run_rows(rows, w.shape, tiles.width(tile));
  }
  const Index n0 = panel * w.panel_rows;
  write_panel(a, sums, width, m0, n0, least(w.panel_rows, w.rows - n0));
}

inline void sparse_run(const SparseArgs& a, Parallel& parallel, void* workspace) {
  const SparsePanels& w = a.w;
  if (a.M <= 0 || w.rows <= 0) return;
  const Tiles tiles(a.M);
  float* xt = static_cast<float*>(workspace);
  float* sums = xt + padded(w.columns) * tiles.vectors * kLanes;
  const Index chunks = ceil_div(padded(w.columns), kPackColumns);
  parallel.run(static_cast<int>(tiles.count * chunks), [&](int task, int) {
    const Index k0 = task % chunks * kPackColumns;
    pack_tile(a, tiles, task / chunks, k0, least(k0 + kPackColumns, padded(w.columns)), xt);
  });
  parallel.run(static_cast<int>(tiles.count * w.panels), [&](int task, int worker) {
    run_panel(a, tiles, task / w.panels, task % w.panels, xt,
              sums + worker * kSparsePanelRows * kSparseTileVectors * kLanes);
  });
}

}  // namespace sparse
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
