// What goes along an axis in order: running sums, sorting and the k first.
#include "kernels/order/order.h"

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "graph/vjp.h"
#include "kernels/order/scan.h"

namespace athanor {
namespace {

// x with an axis of it; the attribute is then counted from the front.
int checked_axis(InferContext& context, Index axis) {
  const Type& x = context.inputs[0];
  check(x.dtype == DType::f32 || x.dtype == DType::f64 || x.dtype == DType::i32, Code::dtype, [&] {
    return std::string(context.name) + ": takes f32, f64 or i32, got " + name_of(x.dtype) + "; cast it first";
  });
  const int at = normalize_axis(context.name, axis, x.shape.rank());
  context.attrs.set("axis", Index{at});
  return at;
}

// The axis between those before it and those behind it.
struct Line {
  Index outer, extent, inner;
};
Line line_of(const Shape& shape, Index axis) {
  const int at = static_cast<int>(axis);
  return {shape.count(0, at), shape[at], shape.count(at + 1)};
}

void infer_cumsum(InferContext& context) {
  checked_axis(context, attributes::cumsum::of(context.attrs).axis);
  context.outputs.push_back(context.inputs[0]);
}

void vjp_cumsum(VjpContext& context) {
  auto at = attributes::cumsum::of(context.attrs());
  at.reverse = !at.reverse;
  context.set(0, apply(Op::cumsum, {context.dy()}, at));
}

void lower_cumsum(LowerContext& context) {
  const Type& type = context.output_type();
  const auto at = attributes::cumsum::of(context.attrs());
  const Line line = line_of(type.shape, at.axis);
  const kernels::Scan args{nullptr, nullptr, type.dtype, line.outer, line.extent, line.inner, at.reverse};
  const Slot x = context.input(0), y = context.output();
  context.emit({static_cast<double>(type.count()), 0}, [=](Execution& run) {
    kernels::Scan now = args;
    now.x = run.at(x), now.y = run.at(y);
    kernels::cumulative_sum(now, run.parallel);
  });
}

// Values and their places, i32, of `taken` elements of the axis.
void infer_order(InferContext& context, int axis, Index taken) {
  Type values = context.inputs[0];
  check(values.shape[axis] < (Index{1} << 31), Code::shape, [&] {
    return std::string(context.name) + ": places are i32, which an axis of " + std::to_string(values.shape[axis]) +
           " elements does not fit";
  });
  values.shape[axis] = taken;
  context.outputs = {values, {DType::i32, values.shape}};
}

void infer_sort(InferContext& context) {
  const int axis = checked_axis(context, attributes::sort::of(context.attrs).axis);
  infer_order(context, axis, context.inputs[0].shape[axis]);
}

void infer_topk(InferContext& context) {
  const auto at = attributes::topk::of(context.attrs);
  const int axis = checked_axis(context, at.axis);
  const Index extent = context.inputs[0].shape[axis];
  check(at.k <= extent, Code::argument, [&] {
    return "topk: k must be at most the " + std::to_string(extent) + " elements of axis " + std::to_string(axis) +
           " of " + to_string(context.inputs[0].shape) + ", got " + std::to_string(at.k);
  });
  infer_order(context, axis, at.k);
}

// Each value's gradient goes to the place that it came from.
void vjp_order(VjpContext& context, Index axis) {
  if (!context.dy(0)) return;
  context.set(0, apply(Op::scatter_add, {zeros_like(context.input(0)), context.output(1), context.dy(0)},
                       attributes::scatter_add{.axis = axis}));
}
void vjp_sort(VjpContext& context) { vjp_order(context, attributes::sort::of(context.attrs()).axis); }
void vjp_topk(VjpContext& context) { vjp_order(context, attributes::topk::of(context.attrs()).axis); }

void lower_order(LowerContext& context, Index axis, bool descending) {
  const Type& x = context.input_type(0);
  const Line line = line_of(x.shape, axis);
  const Index taken = context.output_type().shape[static_cast<int>(axis)];
  const kernels::Order args{nullptr, nullptr, nullptr, x.dtype, line.outer, line.extent, line.inner, taken, descending};
  const Slot from = context.input(0), values = context.output(0), places = context.output(1);
  const Slot workspace = context.workspace(kernels::order_workspace(args, context.workers));
  context.emit({16.0 * static_cast<double>(x.count()), 0}, [=](Execution& run) {
    kernels::Order now = args;
    now.x = run.at(from), now.values = run.at(values), now.places = run.at<std::int32_t>(places);
    kernels::order(now, run.at(workspace), run.parallel);
  });
}
void lower_sort(LowerContext& context) {
  const auto at = attributes::sort::of(context.attrs());
  lower_order(context, at.axis, at.descending);
}
void lower_topk(LowerContext& context) {
  const auto at = attributes::topk::of(context.attrs());
  lower_order(context, at.axis, at.largest);
}

}  // namespace

const OpRule rule_cumsum{infer_cumsum, vjp_cumsum, lower_cumsum};
const OpRule rule_sort{infer_sort, vjp_sort, lower_sort};
const OpRule rule_topk{infer_topk, vjp_topk, lower_topk};

}  // namespace athanor
