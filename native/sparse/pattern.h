// The pattern of a sparse matrix by rows, made of its bitmap or of the bitmap of its transpose: what the layouts of the kernels are
// built from. Every element remembers which of the canonical values is its own, so that a layout can be filled anew when only the
// values change.
#pragma once
#include <cstdint>
#include <vector>

#include "sparse/bitmap.h"

namespace athanor::sparse {

struct Pattern {
  Index rows = 0, columns = 0;
  std::vector<Index> start;          // rows + 1: a row's elements are [start[n], start[n + 1])
  std::vector<std::int32_t> column;  // ascending within a row
  std::vector<std::int32_t> source;  // place among the canonical values

  Index count() const { return static_cast<Index>(column.size()); }
};

Pattern pattern_of(const Bitmap& bitmap);
// Of the transpose.
Pattern transposed_pattern_of(const Bitmap& bitmap);

// How many R × C blocks, R rows from a multiple of R on, cover all elements: in each band of rows the next block begins at the
// first column that is not covered.
Index count_blocks(const Pattern& pattern, int block_rows, int block_columns);

}  // namespace athanor::sparse
