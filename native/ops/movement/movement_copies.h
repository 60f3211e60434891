// Operations that move elements, as the strided copies that kernels take; without addresses.
#pragma once
#include <vector>

#include "graph/lowering.h"
#include "kernels/movement/movement.h"

namespace athanor {

struct PlacedCopy {
  kernels::StridedCopy copy;
  Index x_offset = 0, y_offset = 0;  // in elements
};

PlacedCopy transpose_copy(const NodeContext& context);
PlacedCopy slice_copy(const NodeContext& context);
std::vector<PlacedCopy> concat_copies(const NodeContext& context);  // one an operand

// A pad is a fill with one element's bytes, then a copy.
std::vector<std::byte> pad_value(const NodeContext& context);
PlacedCopy pad_copy(const NodeContext& context);

}  // namespace athanor
