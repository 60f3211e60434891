// Running sums along an axis: y[i] = x[0] + … + x[i], or from the end. f32 is summed in f64 and rounded once an element, so that the
// error does not grow with the length; i32 wraps. Every line is summed in order by one task.
#pragma once
#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor::kernels {

struct Scan {
  const void* x;  // (outer, extent, inner)
  void* y;
  DType dtype;  // f32, f64 or i32
  Index outer, extent, inner;
  bool reverse;
};

void cumulative_sum(const Scan& args, Parallel& parallel);

}  // namespace athanor::kernels
