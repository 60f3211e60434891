// Launches with sparse weights in their canonical form (native/sparse/bitmap.h): bitmap u8 [N, ceil(K / 8)] and the values of its marks.
// `ranks` are tables of the numbers of marks before a row and before 32 columns of it, made of a bitmap by SparseRank, which reports one
// that marks another number of weights than nnz, or any past its columns.
#pragma once
#include "device/launch.h"

namespace athanor::device {

struct SparseWeight {
  Index N = 0, K = 0, nnz = 0;
  const std::uint8_t* bitmap = nullptr;
  const float* values = nullptr;
};

constexpr Index sparse_starts_bytes(Index N) { return ((N + 1) * 4 + 255) / 256 * 256; }
constexpr Index sparse_rank_bytes(Index N, Index K) {
  return sparse_starts_bytes(N) + (N * ((K + 31) / 32) * 4 + 255) / 256 * 256;
}

struct SparseRank {
  SparseWeight w;
  std::byte* to = nullptr;  // sparse_rank_bytes
  Check check;
};

// dense[N, K] of the values, and back; values past nnz are not touched.
struct SparseExpand {
  SparseWeight w;
  const std::byte* ranks = nullptr;
  float* to = nullptr;
};
struct SparseCollect {
  SparseWeight w;
  const std::byte* ranks = nullptr;
  const float* from = nullptr;
  float* values = nullptr;
};

// y[M, N] = x[M, K] · Wᵀ of at most 16 rows: the weight is read in its sparse form and multiplied densely.
inline constexpr Index kSparseRows = 16;
struct SparseRows {
  Index M = 0;
  SparseWeight w;
  const std::byte* ranks = nullptr;
  const float* x = nullptr;
  float* y = nullptr;
  Epilogue epilogue;
};

// Products on tensor cores of more rows. x and the weight are each the sum of three bf16, and the six products of those that f32 can tell
// are formed; what is not finite may come out as NaN where a product in f32 is infinite.
//
// Two of four columns marked at most. Packed: three planes of bf16 [rows][columns / 2], the kept of each row side by side, and the words of
// mma.sp that say where they were, [columns / 32][rows / 16][16]; rows and columns padded to 64.
inline constexpr Index kTwoFourPad = 64;
constexpr Index sparse_padded(Index extent) { return (extent + kTwoFourPad - 1) / kTwoFourPad * kTwoFourPad; }
constexpr Index two_four_plane_bytes(Index N, Index K) { return sparse_padded(N) * sparse_padded(K); }
constexpr Index two_four_bytes(Index N, Index K) {
  return 3 * two_four_plane_bytes(N, K) + two_four_plane_bytes(N, K) / 8;
}
struct TwoFourPack {
  SparseWeight w;
  const std::byte* ranks = nullptr;
  std::byte* to = nullptr;  // two_four_bytes
};
struct TwoFourMatmul {
  Index M = 0, N = 0, K = 0;
  const std::byte* packed = nullptr;
  const float* x = nullptr;
  float* y = nullptr;
  Epilogue epilogue;
};

// Tiles of 8 × 8 of a weight of `rows` × `columns` (Wᵀ where `transposed`), the empty ones left out. A strip has 8 rows, a chunk 64
// columns; the tiles of a strip within a chunk go in pairs, the depth of one mma. A block of the product has 8 warps of `strips`
// each and walks the chunks that have any.
struct SparseTiles {
  Index rows = 0, columns = 0, pairs = 0;
  int strips = 1;
  bool transposed = false;
  const std::uint32_t* starts = nullptr;  // (strips of all · chunks + 1): pairs before
  const std::uint32_t* cells = nullptr;   // (pairs): strip · chunks + chunk
  const std::uint8_t* groups = nullptr;   // (pairs): the tiles' numbers in the chunk, 4 bits each; equal: one alone
  const std::uint32_t* walk_starts = nullptr;  // (blocks + 1)
  const std::uint32_t* walk = nullptr;         // chunks

  constexpr Index chunks() const { return (columns + 63) / 64; }
  constexpr Index all_strips() const { return (rows + 7) / 8; }
};
inline constexpr Index kTilePairBytes = 3 * 32 * 8;  // three planes of a lane's fragment

struct TilesPack {
  SparseWeight w;
  const std::byte* ranks = nullptr;
  SparseTiles tiles;
  std::byte* to = nullptr;  // pairs · kTilePairBytes
};
struct TilesMatmul {
  Index M = 0;
  SparseTiles tiles;
  const std::byte* packed = nullptr;
  const float* x = nullptr;  // (M, columns)
  float* y = nullptr;        // (M, rows)
  Epilogue epilogue;
};

}  // namespace athanor::device
