// The canonical form of a sparse weight matrix [N, K], in memory and in files: one bit an element, low bits first (bit k % 8 of byte
// k / 8 of a row of ceil(K / 8) bytes; the bits past K are 0), and the values of the set bits in row order. A convolution's
// weight [O, C / groups, KH, KW] is the matrix of O rows. Everything that runs faster is derived from it.
#pragma once
#include <cstdint>
#include <string>

#include "base/index.h"
#include "base/parallel.h"

namespace athanor::sparse {

constexpr Index bitmap_row_bytes(Index columns) { return (columns + 7) / 8; }

struct Bitmap {
  Index rows = 0, columns = 0;
  const std::uint8_t* bits = nullptr;

  const std::uint8_t* row(Index n) const { return bits + n * bitmap_row_bytes(columns); }
  bool at(Index n, Index k) const { return (row(n)[k / 8] >> (k % 8) & 1) != 0; }
};

// starts[n] is the number of set bits before row n, starts[rows] that of all.
void row_starts(const Bitmap& bitmap, Index* starts);

// Throws Code::argument, with `where` at the sentence's head, unless exactly `values` bits are set, all of them within the columns.
void check_bitmap(const std::string& where, const Bitmap& bitmap, Index values);

// The sentences of both.
std::string marks_others(const std::string& where, Index marked, Index values);
std::string marks_past(const std::string& where, Index row, Index columns);

// dense [N, K] from the values, and back: only the set elements are read.
void expand(const Bitmap& bitmap, const Index* starts, const float* values, float* dense, Parallel& parallel);
void collect(const Bitmap& bitmap, const Index* starts, const float* dense, float* values, Parallel& parallel);

}  // namespace athanor::sparse
