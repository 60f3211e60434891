// Which way a product with a sparse weight is the fastest for a batch of M rows: one of the block shapes of kernels/sparse.h, or the
// dense product. A model of the processor's cycles, with constants measured with bench/native/sparse_bench.cc on AVX2 (Zen 3) and
// scaled by the width of the vectors elsewhere; the same pattern and sizes always get the same answer.
#pragma once
#include "sparse/pattern.h"

namespace athanor::sparse {

struct Choice {
  bool dense = false;
  int shape = 0;            // of kSparseShapes
  Index block_columns = 0;  // of the panels' pieces
};

// `lanes`: floats in a vector. `layout` is "auto", "dense", or a shape by name ("1x1", "1x4", "4x1", "4x4"), which is then taken.
Choice choose(const Pattern& pattern, Index M, int lanes, const std::string& layout);

// Throws Code::argument with `where` at the head unless `layout` is one of these.
void check_layout(const std::string& where, const std::string& layout);

// Equal for batches that get the same choice and layout, so that programs share what is prepared for them.
std::string batch_class(Index M, int lanes);

}  // namespace athanor::sparse
