// Which way a product with a sparse weight is the fastest for a batch of M rows: one of the block shapes of kernels/sparse/sparse.h, the slots
// of kernels/sparse/sparse_slots.h, or the dense product. A model of the processor's cycles, with constants measured with
// bench/native/sparse_bench.cc on AVX2 (Zen 3 and 4) and put right for AVX-512; the same pattern and sizes always get the same
// answer.
#pragma once
#include "kernels/conv/conv.h"
#include "sparse/pattern.h"

namespace athanor::sparse {

struct Choice {
  enum class Layout { dense, panels, slots } layout = Layout::dense;
  int shape = 0;            // of panels: of kSparseShapes
  Index block_columns = 0;  // of panels: columns of a piece
};

// `lanes`: floats in a vector. `layout` is "auto", "dense", a shape of panels by name ("1x1", "1x4", "4x1", "4x4"), or "slots"; it
// is then taken, but for slots where they cannot hold the weight or take the rows, which fall back on 1x1.
Choice choose(const Pattern& pattern, Index M, int lanes, const std::string& layout);

// The same for a convolution; `pattern` is [O, C * KH * KW]. Only "1x1" and "4x1" are layouts here.
Choice choose_conv(const Pattern& pattern, const ConvShape& shape, int lanes, const std::string& layout);

// Equal for batches that get the same choice and layout, so that programs share what is prepared for them.
std::string batch_class(Index M, int lanes);

}  // namespace athanor::sparse
