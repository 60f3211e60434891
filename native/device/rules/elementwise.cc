// Fused elementwise chains: one launch over a whole tensor, or the epilogue of a product.
#include "device/rules/elementwise.h"

namespace athanor::device {
namespace {

struct FusedState {
  BodyProgram program;
  BodyArgs body;
};

}  // namespace

void lower_fused(DeviceContext& context) {
  auto state = std::make_shared<FusedState>();
  state->program = lower_body(context.graph, context.node);
  state->body = body_args(context, state->program);
  ew_collapse(state->body.args);
  const double flops = static_cast<double>(context.output_type().shape.count()) *
                       static_cast<double>(context.node.body->instructions.size());
  context.launch(context.launchers().elementwise, Elementwise{state->body.args}, {flops, 0},
                 [state](Elementwise& now, const Addresses& at) {
                   fill_operands(now.args, state->body, at);
                   now.run = at.run;
                 });
}

std::shared_ptr<PlacedEpilogue> epilogue_of(const DeviceContext& context) {
  if (context.node.body == nullptr) return nullptr;
  auto epilogue = std::make_shared<PlacedEpilogue>();
  epilogue->program = lower_body(context.graph, context.node);
  epilogue->body = body_args(context, epilogue->program);
  return epilogue;
}

Epilogue fill_epilogue(const PlacedEpilogue* placed, const Addresses& at) {
  Epilogue epilogue;
  if (placed == nullptr) return epilogue;
  epilogue.args = placed->body.args;
  fill_operands(epilogue.args, placed->body, at);
  epilogue.raw = placed->body.raw;
  epilogue.run = at.run;
  return epilogue;
}

}  // namespace athanor::device
