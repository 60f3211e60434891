// Softmax and cross-entropy nodes as kernels take them.
#pragma once
#include "graph/lowering.h"
#include "kernels/softmax/softmax.h"

namespace athanor {

// Rows along an inner axis (`moved`) lie `inner` elements apart: (outer, cols, inner).
struct SoftmaxRows {
  Index rows, cols;
  bool moved;
  Index outer, inner;
};
SoftmaxRows softmax_rows(const NodeContext& context);

// Of cross_entropy and of its gradient; without addresses.
CrossEntropyArgs cross_entropy_args(const NodeContext& context);

}  // namespace athanor
