// A fused elementwise chain over a whole tensor: one pass over memory, whatever the length of the chain.
#include "base/error.h"
#include "graph/body/body.h"

namespace athanor {
namespace {

struct FusedState {
  BodyProgram program;
  BodyArgs body;
};

void infer(InferContext&) { throw Error(Code::internal, "fused: made by the fuser alone"); }

void lower(LowerContext& context) {
  auto state = std::make_shared<FusedState>();
  state->program = lower_body(context.graph, context.node);
  state->body = body_args(context, state->program);
  ew_collapse(state->body.args);
  const Shape& shape = context.output_type().shape;
  const auto kernel = context.kernels.elementwise.run;
  const double flops = static_cast<double>(shape.count()) * static_cast<double>(context.node.body->instructions.size());
  const Index leading = shape.rank() > 0 ? shape[0] : 1, count = shape.count();
  context.emit({flops, 0}, [=](Execution& run) {
    EwArgs& args = state->body.args;
    for (std::size_t i = 0; i < state->body.slots.size(); ++i) args.operands[i].data = run.at(state->body.slots[i]);
    args.random = {run.seed, static_cast<std::uint32_t>(run.step), run.first_element(leading, count)};
    kernel(args, run.parallel);
  });
}

}  // namespace

const OpRule rule_fused{infer, nullptr, lower};

}  // namespace athanor
