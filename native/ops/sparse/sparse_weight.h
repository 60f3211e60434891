// What the operations with a sparse weight share: the shape rules of its two operands, and the dense copy of it in a workspace that
// those without a faster way work on.
#pragma once
#include <string>

#include "graph/lower.h"
#include "sparse/bitmap.h"

namespace athanor {

// Throws unless operand `index` is a bitmap, u8 [rows, ceil(columns / 8)], and the other one values, f32 [nnz].
void require_bitmap(const InferContext& context, int index, Index rows, Index columns);
void require_values(const InferContext& context, int index);

// The "nnz" attribute of a gradient for the values: how many there are.
Type values_attr(const InferContext& context);

// The weight as a dense matrix in this node's memory, made anew in every run.
class DenseWeight {
 public:
  // values is -1 where only the pattern counts.
  DenseWeight(LowerContext& context, Index rows, Index columns, Index nnz, Slot bits, Slot values);

  float* data(const Execution& run) const { return run.at<float>(dense_); }
  // Checks the bitmap and fills data() from the values.
  void expand(Execution& run) const;
  // Checks the bitmap and reads values from data().
  void collect(Execution& run, float* values) const;

 private:
  sparse::Bitmap bind(const Execution& run) const;

  Index rows_, columns_, nnz_;
  Slot bits_, values_, starts_, dense_;
  std::string where_;
};

}  // namespace athanor
