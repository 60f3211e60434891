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

}  // namespace athanor::device
