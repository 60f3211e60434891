// Product with a sparse matrix, y[M, N] = x[M, K] · Wᵀ, with the batch in the lanes of the vectors.
//
// x is transposed into tiles of up to eight vectors of its rows, [K][tile], so that every stored weight is one broadcast and one
// multiply-add a vector, wherever in its row it stands: no gather, no index arithmetic in the lanes. W is cut into panels of rows
// and, in each, blocks of columns whose part of the tile stays in L1 (SparsePanels); in such a piece the rows follow each other by
// their number of entries, so that the loop over entries is one that the processor predicts. An entry is a block of R × C weights,
// R and C one of kSparseShapes; 1 × 1 is what a pattern without structure takes.
// Each element of y is summed in one fixed order and tasks are cut by the sizes alone: the same bits for any number of workers.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "base/parallel.h"
#include "kernels/gemm/gemm.h"

namespace athanor {

struct SparseShape {
  int rows, columns;
};
inline constexpr SparseShape kSparseShapes[] = {{1, 1}, {1, 4}, {4, 1}, {4, 4}};
inline constexpr int kSparseShapeCount = 4;

// Columns that x's tile has past K, all zero: what the last entry of a row may reach over.
inline constexpr Index kSparseReach = 3;

// `count` entries for rows `row` to row + R - 1 of a panel.
struct SparseRow {
  std::uint16_t row, count;
};

// Where the rows and the entries of a piece (panel, block) begin; the next piece's are its ends.
struct SparsePiece {
  Index row, entry;
};

// W as the kernel reads it. Piece (panel, block) is number panel * blocks + block. Every row of a panel is in its first piece, those
// without entries too. Entry e is the R × C block at column `column[e]` of its piece's block; its value (r, c) is
// values[(e * C + c) * R + r].
struct SparsePanels {
  Index rows = 0, columns = 0;  // N, K
  Index panel_rows = 0;         // a multiple of every R, at most 65532
  Index block_columns = 0;      // at most 65536
  Index panels = 0, blocks = 0;
  int shape = 0;                          // of kSparseShapes
  const SparsePiece* piece = nullptr;     // panels * blocks + 1
  const SparseRow* row = nullptr;         // all pieces' rows
  const std::uint16_t* column = nullptr;  // one an entry
  const float* values = nullptr;
};

struct SparseArgs {
  SparsePanels w;
  Index M = 0;
  const float* x = nullptr;  // (M, K), contiguous
  float* y = nullptr;        // (M, N), contiguous
  GemmEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

struct ConvShape;
struct SparseConvArgs;
struct SparseSlotsArgs;

struct SparseKernels {
  int lanes = 0;  // rows of x in a vector; a tile has up to eight

  // Bytes that run() needs for a product of these sizes, 64-byte aligned.
  Index (*workspace)(Index M, Index N, Index K, int workers) = nullptr;
  void (*run)(const SparseArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // The same for a convolution (kernels/sparse/sparse_conv.h).
  Index (*conv_workspace)(const ConvShape& shape, int workers) = nullptr;
  void (*conv)(const SparseConvArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // The same for a few rows of x by slots (kernels/sparse/sparse_slots.h).
  Index (*slots_workspace)(Index M, Index K) = nullptr;
  void (*slots)(const SparseSlotsArgs& args, Parallel& parallel, void* workspace) = nullptr;
};

inline constexpr Index kSparsePanelRows = 128;  // 32 KiB of sums a tile
inline constexpr int kSparseTileVectors = 8;

}  // namespace athanor
