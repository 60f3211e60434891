#include <algorithm>

#include "graph/body/body.h"

namespace athanor {

BodyArgs body_args(const NodeContext& context, const BodyProgram& program) {
  BodyArgs result;
  result.args.program = program.view();
  const Shape& shape = context.output_type().shape;
  result.args.rank = shape.rank();
  std::copy(shape.begin(), shape.end(), result.args.shape);
  for (std::size_t i = 0; i < program.operands.size(); ++i) {
    const BodyOperand& operand = program.operands[i];
    const bool is_input = operand.kind == BodyOperand::Kind::input;
    if (operand.kind == BodyOperand::Kind::raw) {
      result.raw = static_cast<int>(i);
      result.slots.push_back(-1);
    } else {
      result.slots.push_back(is_input ? context.input(operand.index) : context.output(operand.index));
    }
    const Shape& own = is_input ? context.input_type(operand.index).shape : shape;
    const auto strides = broadcast_strides(own, shape);
    std::copy(strides.begin(), strides.end(), result.args.operands[i].strides);
  }
  return result;
}

}  // namespace athanor
