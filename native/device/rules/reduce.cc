#include "ops/reduce/reduce_passes.h"

#include "device/rules/rules.h"

namespace athanor::device {
namespace {

void launch_pass(DeviceContext& context, ReduceOp op, const ReducePass& pass, Slot from, Slot to) {
  Reduce reduce;
  reduce.args.op = op;
  reduce.args.dtype = context.input_type(0).dtype;
  reduce.args.outer = pass.outer, reduce.args.reduced = pass.reduced;
  reduce.args.inner = pass.inner, reduce.args.tail = pass.tail;
  const double elements = static_cast<double>(pass.outer * pass.reduced * pass.inner * pass.tail);
  context.launch(context.launchers().reduce, reduce, {elements, 0},
                 [=](Reduce& now, const Addresses& at) { now.args.x = at.at(from), now.args.y = at.at(to); });
}

void lower_reduction(DeviceContext& context, ReduceOp op) {
  const auto passes = reduce_passes(context);
  Slot from = context.input(0);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    const bool last = i + 1 == passes.size();
    const Index bytes = passes[i].outer * passes[i].inner * size_of(context.input_type(0).dtype);
    const Slot to = last ? context.output() : context.workspace(bytes);
    launch_pass(context, op, passes[i], from, to);
    from = to;
  }
}

void lower_arg(DeviceContext& context, ReduceOp op) {
  launch_pass(context, op, arg_pass(context), context.input(0), context.output());
}

}  // namespace

void lower_sum(DeviceContext& context) { lower_reduction(context, ReduceOp::sum); }
void lower_mean(DeviceContext& context) { lower_reduction(context, ReduceOp::mean); }
void lower_max(DeviceContext& context) { lower_reduction(context, ReduceOp::max); }
void lower_min(DeviceContext& context) { lower_reduction(context, ReduceOp::min); }
void lower_argmax(DeviceContext& context) { lower_arg(context, ReduceOp::argmax); }
void lower_argmin(DeviceContext& context) { lower_arg(context, ReduceOp::argmin); }

}  // namespace athanor::device
