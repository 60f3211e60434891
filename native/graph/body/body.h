// From a body (fused elementwise nodes) to a program of the elementwise interpreter, which runs over a whole tensor or, as an epilogue
// (graph/body/epilogue.h), over the tiles of a matmul or convolution.
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

}  // namespace athanor
