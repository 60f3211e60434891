// A matmul node as the product that a kernel forms: sizes, strides, and leading dimensions collapsed to two loops.
#pragma once
#include "graph/lowering.h"

namespace athanor {

struct MatmulSizes {
  Index m, n, k;
};

// Strides of the operands over the (at most two) batch dimensions of the product.
struct MatmulBatching {
  Index extent[2] = {1, 1};
  Index a[2] = {0, 0}, b[2] = {0, 0}, c[2] = {0, 0};
  bool flat = true;  // the leading dimensions collapse to two
};

struct MatmulGeometry {
  MatmulSizes sizes;
  MatmulBatching batching;
  Index a_row, a_col, b_row, b_col;
};

// Throws Code::unsupported for a broadcast that two loops do not walk.
MatmulGeometry matmul_geometry(const NodeContext& context);

}  // namespace athanor
