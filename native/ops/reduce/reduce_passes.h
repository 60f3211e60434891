// A reduction node as passes over (outer, reduced, inner, tail), as kernels take them.
#pragma once
#include <vector>

#include "graph/lowering.h"

namespace athanor {

struct ReducePass {
  Index outer, reduced, inner, tail;
};

// Merges neighbouring axes of the same kind. Anything more alternating than kernels take at once is reduced one group of axes at a
// time, the last first: each pass reads what the one before it wrote, outer × inner elements.
std::vector<ReducePass> reduce_passes(const NodeContext& context);

// argmax, argmin: along one axis, in one pass.
ReducePass arg_pass(const NodeContext& context);

}  // namespace athanor
