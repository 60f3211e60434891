// Lowers y[M, rows] = x[M, columns] · Wᵀ for a sparse W (bitmap and values are operands of the node) or for its transpose.
//
// Three ways, by what is known ahead of a run. Fixed bitmap and values (inference): the layout that sparse/choice.h picks is made once.
// A fixed bitmap alone (training with a fixed mask): the layout is made once and its values are filled in by every run. Neither: the
// weight is expanded and the product is dense.
#pragma once
#include "graph/lower.h"

namespace athanor {

struct SparseProduct {
  Index M = 0, N = 0, K = 0, nnz = 0;  // of the bitmap's matrix [N, K]
  bool transposed = false;             // y[M, K] = x[M, N] · W
  int bits = 1, values = 2;            // operands
  Slot x = 0, y = 0;
};

// The node's body, if any, is applied; its "layout" attribute overrides the choice.
void lower_sparse_product(LowerContext& context, const SparseProduct& product);

}  // namespace athanor
