// What a matmul or a convolution does to each tile of its result while that is in cache: the program of its node's body.
#pragma once
#include <memory>
#include <vector>

#include "graph/body/body.h"

namespace athanor {

// The epilogue of a node with a body; nullptr for one without. Lowering keeps it alive in its step's closure, calls bind() in
// every run and hands `call` and `this` to the kernel. `column_axes`: how many trailing axes a row of the kernel runs along
// (1 for matmul, 2 for a convolution's pixels).
class Epilogue {
 public:
  static std::shared_ptr<Epilogue> of(const LowerContext& context, int column_axes, Index rows_per_batch);

  void bind(const Execution& execution);
  static void call(const void* self, float* c, Index row, Index col, Index cols, Index batch);

 private:
  struct Dim {
    Index extent, stride;
  };
  struct Operand {
    bool in_place = false;  // the kernel's own result
    Slot slot = 0;
    Index element = 4;       // bytes
    Index col_step = 0;      // 0: one value for the whole segment, 1: contiguous
    std::vector<Dim> outer;  // innermost first
    bool moves = false;      // from row to row, as a bias does not
    std::byte* base = nullptr;
  };

  Index offset(const Operand& operand, Index outer) const;

  BodyProgram program_;
  EwProgram view_;
  std::vector<Operand> operands_;
  std::uint32_t scalars_ = 0;
  Index rows_per_batch_ = 1;
  Index columns_ = 1;
  Index leading_ = 1, count_ = 1;  // the first extent of the result, and its elements
  EwRandom random_;
  EwSum sum_;  // the program, where it is such a one
  ElementwiseKernels kernels_;
};

}  // namespace athanor
