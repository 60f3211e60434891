// gather and scatter_add nodes as kernels take them; without addresses.
#pragma once
#include "graph/lowering.h"
#include "kernels/movement/movement.h"

namespace athanor {

kernels::Gather gather_args(const NodeContext& context);
kernels::ScatterAdd scatter_add_args(const NodeContext& context);

}  // namespace athanor
