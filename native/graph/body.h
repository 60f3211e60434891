// From a body (fused elementwise nodes) to a program of the elementwise interpreter, run over a whole tensor or as the epilogue
// of a matmul or convolution.
#pragma once
#include <memory>
#include <vector>

#include "graph/lower.h"

namespace athanor {

// An operand of the program: what memory of the node it stands for.
struct BodyOperand {
  enum class Kind { input, output, raw };
  Kind kind;
  int index = 0;  // of the node's input or output
};

struct BodyProgram {
  DType compute = DType::f32;
  std::vector<EwInstruction> code;
  std::vector<BodyOperand> operands;
  std::vector<DType> types;

  EwProgram view() const {
    return {compute, static_cast<int>(code.size()), code.data(), static_cast<int>(types.size()), types.data()};
  }
};

BodyProgram lower_body(const Graph& graph, const Node& node);

// The program over every element of the node's result: operands with their strides, addresses open. It points into `program`. The slot
// of operand i, -1 for the raw result of a product, is slots[i].
struct BodyArgs {
  EwArgs args;
  std::vector<Slot> slots;
  int raw = -1;  // the operand that is the raw result
};
BodyArgs body_args(const NodeContext& context, const BodyProgram& program);

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
