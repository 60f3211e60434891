// Reductions: y[o, i] = op over r and s of x[o, r, i, s], x contiguous (outer, reduced, inner, tail), y contiguous (outer, inner).
// inner == 1 or tail == 1 are the usual cases (rows, columns); all four cover sums over (N, H, W) of NCHW in one call.
//
// sum, mean, sum_abs and sum_squares of f32: chains of at most 40 additions in f32, their results in f64, one rounding at the end:
// |error| <= 2^-24 (40 sum |x| + |y|), in practice near one rounding. prod of f32 is formed in f64; f64 sums run in eight lanes.
// i32 sums and products wrap. max, min: NaN wins; argmax, argmin: the first one in the order (r, s), NaN wins, index r * tail + s.
// Of nothing: sums 0, prod 1, mean NaN, max and min the type's lowest and highest value (-inf, inf), argmax and argmin -1.
// Splits depend on the shape alone: the same bits for any number of workers.
#pragma once
#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

enum class ReduceOp : std::uint8_t { sum, mean, sum_abs, sum_squares, prod, max, min, argmax, argmin };

struct ReduceArgs {
  ReduceOp op = ReduceOp::sum;
  DType dtype = DType::f32;  // of x: f32, f64 or i32 (no mean); of y: the same, but i32 for argmax and argmin
  Index outer = 1, reduced = 1, inner = 1, tail = 1;
  const void* x = nullptr;  // (outer, reduced, inner, tail)
  void* y = nullptr;        // (outer, inner)
};

struct ReduceKernels {
  // Bytes, 64-byte aligned; only op, dtype and sizes count.
  Index (*workspace)(const ReduceArgs& args) = nullptr;
  void (*run)(const ReduceArgs& args, Parallel& parallel, void* workspace) = nullptr;
};

}  // namespace athanor
