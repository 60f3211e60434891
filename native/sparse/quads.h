// The layout of kernels/sparse_quads.h in one relocatable block.
#pragma once
#include <vector>

#include "kernels/sparse_quads.h"
#include "sparse/pattern.h"

namespace athanor::sparse {

// How many elements find no slot.
Index count_rest(const Pattern& pattern);

std::vector<std::byte> pack_quads(const Pattern& pattern, int lanes, const float* values);
SparseQuads quads_at(const std::byte* block);

}  // namespace athanor::sparse
