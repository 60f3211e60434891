// Positions in the values of a bitmap (native/sparse/bitmap.h): how many weights it marks before an element. A table of its words and
// rows answers with one read and a popcount.
#pragma once
#include "cuda/kernels/status.cuh"
#include "device/sparse_launch.h"

namespace athanor::cuda {

struct Bitmap {
  Index rows = 0, columns = 0;
  const std::uint8_t* bits = nullptr;     // (rows, ceil(columns / 8)), low bits first
  const std::uint32_t* starts = nullptr;  // (rows + 1)
  const std::uint32_t* within = nullptr;  // (rows, words): marks of the row before a word of 32 columns

  ATHANOR_DEVICE Index row_bytes() const { return (columns + 7) / 8; }
  ATHANOR_DEVICE Index words() const { return (columns + 31) / 32; }

  // Columns [32 word, 32 word + 32) of a row, and what is marked past the columns; bytes, for rows begin anywhere.
  ATHANOR_DEVICE std::uint32_t raw_word(Index row, Index word) const {
    const std::uint8_t* from = bits + row * row_bytes() + word * 4;
    const Index left = row_bytes() - word * 4;
    std::uint32_t marks = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (i < left) marks |= static_cast<std::uint32_t>(from[i]) << (8 * i);
    return marks;
  }
  ATHANOR_DEVICE std::uint32_t word(Index row, Index word) const {
    const Index left = columns - word * 32;
    const std::uint32_t marks = raw_word(row, word);
    return left < 32 ? marks & ((1u << left) - 1u) : marks;
  }
  // The number of an element's value, or -1 where it is not marked.
  ATHANOR_DEVICE Index rank(Index row, Index column) const {
    const Index at = column / 32;
    const std::uint32_t marks = word(row, at), bit = static_cast<std::uint32_t>(column - at * 32);
    if ((marks >> bit & 1u) == 0) return -1;
    return static_cast<Index>(starts[row]) + within[row * words() + at] + __popc(marks & ((1u << bit) - 1u));
  }
};

// A weight's bitmap with the tables that SparseRank made.
inline Bitmap ranked_bitmap(const device::SparseWeight& w, const std::byte* ranks) {
  Bitmap b{w.N, w.K, w.bitmap};
  b.starts = reinterpret_cast<const std::uint32_t*>(ranks);
  b.within = reinterpret_cast<const std::uint32_t*>(ranks + device::sparse_starts_bytes(w.N));
  return b;
}

// Bytes of the tables, and what fills them. Where `wanted` is 0 or more, a bitmap that marks another number of weights is reported as
// marked, one that marks any past its columns as stray.
Index bitmap_bytes(Index rows, Index columns);
device::Result rank_bitmap(device::Stream* stream, Bitmap& bitmap, void* workspace, Index wanted,
                           const device::Check& check);

}  // namespace athanor::cuda
