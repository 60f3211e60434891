// Product of a few rows of x with a sparse weight that has at most two elements in (nearly) every four neighbours: 2:4 and what is
// sparser than that. It streams the weight once, at the pace of memory.
//
// A step of a row of W covers two vectors of columns. Its values take one vector, four slots for each quad of lanes: lanes 0 and 1 of
// a quad are elements of that quad of the first vector of x, lanes 2 and 3 of the second one; two bits a lane say which of the four,
// so that x is permuted within quads, one instruction on every processor. Unused slots are 0. What finds no slot, because its four
// neighbours have more than two, is in the rest: columns and values by rows.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "base/parallel.h"
#include "kernels/gemm.h"

namespace athanor {

inline constexpr Index kQuadRows = 4;  // of x, at most

struct SparseQuads {
  Index rows = 0, columns = 0;  // N, K; K at most 65536
  int lanes = 0;
  Index words = 0;                        // of a row: ceil(K / 32)
  const float* values = nullptr;          // [N][words][16]: the steps of 32 columns one after the other
  const std::uint32_t* word = nullptr;    // [N][words]: two bits for each of these, low bits first
  const std::int32_t* rest = nullptr;     // N + 1: where a row's rest begins
  const std::uint16_t* column = nullptr;  // of the rest
  const float* rest_values = nullptr;
};

struct SparseQuadsArgs {
  SparseQuads w;
  Index M = 0;               // 1 to kQuadRows
  const float* x = nullptr;  // (M, K), contiguous
  float* y = nullptr;        // (M, N), contiguous
  GemmEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

}  // namespace athanor
