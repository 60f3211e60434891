// The layout of kernels/sparse/sparse_slots.h in one relocatable block.
#pragma once
#include <vector>

#include "base/parallel.h"
#include "kernels/sparse/sparse_slots.h"
#include "sparse/pattern.h"

namespace athanor::sparse {

// How many slots a row of `count` weights gets: some more than it needs, because few choices fill them badly; none where the rest
// alone is the faster.
Index windows_for(Index count, Index columns);

std::vector<std::byte> pack_slots(const Pattern& pattern, int lanes, const float* values, Parallel& parallel);

SparseSlots slots_at(const std::byte* block);

}  // namespace athanor::sparse
