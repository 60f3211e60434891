// A fused elementwise chain over a whole tensor: one pass over memory, whatever the length of the chain.
#include "base/error.h"
#include "graph/body.h"

namespace athanor {
namespace {

struct FusedState {
  BodyProgram program;
  EwArgs args;
  std::vector<Slot> slots;
};

void infer(InferContext&) { throw Error(Code::internal, "fused: made by the fuser alone"); }

void lower(LowerContext& context) {
  auto state = std::make_shared<FusedState>();
  state->program = lower_body(context.graph, context.node);
  EwArgs& args = state->args;
  args.program = state->program.view();
  const Shape& shape = context.output_type().shape;
  args.rank = shape.rank();
  std::copy(shape.begin(), shape.end(), args.shape);
  for (std::size_t i = 0; i < state->program.operands.size(); ++i) {
    const BodyOperand& operand = state->program.operands[i];
    const bool is_input = operand.kind == BodyOperand::Kind::input;
    state->slots.push_back(is_input ? context.input(operand.index) : context.output(operand.index));
    const Shape& own = is_input ? context.input_type(operand.index).shape : shape;
    const auto strides = broadcast_strides(own, shape);
    std::copy(strides.begin(), strides.end(), args.operands[i].strides);
  }
  ew_collapse(args);
  const auto kernel = context.kernels.elementwise.run;
  const double flops = static_cast<double>(shape.count()) * static_cast<double>(context.node.body->instructions.size());
  context.emit({flops, 0}, [=](Execution& run) {
    for (std::size_t i = 0; i < state->slots.size(); ++i) state->args.operands[i].data = run.at(state->slots[i]);
    state->args.random = {run.seed, static_cast<std::uint32_t>(run.step)};
    kernel(state->args, run.parallel);
  });
}

}  // namespace

const OpRule rule_fused{infer, nullptr, lower};

}  // namespace athanor
