// Lines of a tensor in order: the first `taken` values of each line, smallest or largest first, and where they were. Of equal values
// those that come first in the line stay first (-0 equals 0); NaN is larger than every number, as in PyTorch and NumPy.
#pragma once
#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor::kernels {

struct Order {
  const void* x;         // (outer, extent, inner)
  void* values;          // (outer, taken, inner)
  std::int32_t* places;  // (outer, taken, inner)
  DType dtype;           // f32, f64 or i32
  Index outer, extent, inner, taken;
  bool descending;
};

Index order_workspace(const Order& args, int workers);  // bytes
void order(const Order& args, void* workspace, Parallel& parallel);

}  // namespace athanor::kernels
