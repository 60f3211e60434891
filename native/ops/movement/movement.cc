// Operations that move elements without computing: reshape (a view), transpose, concat, slice, pad.
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "graph/vjp.h"
#include "ops/movement/movement_copies.h"

namespace athanor {
namespace {

void infer_reshape(InferContext& context) {
  const Type& x = context.inputs[0];
  Shape shape(attributes::reshape::of(context.attrs).shape);
  int open = -1;
  Index known = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    check(shape[axis] >= -1 && !(shape[axis] == -1 && open >= 0), Code::argument,
          [&] { return "reshape: expected extents of 0 or more and at most one -1, got " + to_string(shape); });
    if (shape[axis] == -1) {
      open = axis;
    } else {
      known *= shape[axis];
    }
  }
  if (open >= 0 && known > 0 && x.count() % known == 0) shape[open] = x.count() / known;
  check((open < 0 || shape[open] >= 0) && shape.count() == x.count(), Code::shape, [&] {
    return "reshape: " + to_string(x.shape) + " has " + std::to_string(x.count()) + " elements, they do not fit " +
           to_string(Shape(attributes::reshape::of(context.attrs).shape));
  });
  context.attrs.set("shape", shape.to_vector());
  context.outputs.push_back({x.dtype, shape});
}

void vjp_reshape(VjpContext& context) { context.set(0, reshape(context.dy(), context.input(0).shape())); }

void infer_transpose(InferContext& context) {
  const Type& x = context.inputs[0];
  const auto given = attributes::transpose::of(context.attrs).order;
  std::vector<Index> order = given.value_or(std::vector<Index>{});
  if (!given) {
    for (int axis = x.shape.rank() - 1; axis >= 0; --axis) order.push_back(axis);
  }
  std::vector<bool> seen(x.shape.rank(), false);
  bool ok = static_cast<int>(order.size()) == x.shape.rank();
  Shape shape;
  for (std::size_t i = 0; ok && i < order.size(); ++i) {
    order[i] = normalize_axis("transpose", order[i], x.shape.rank());
    ok = !seen[order[i]];
    seen[order[i]] = true;
    shape.push_back(x.shape[static_cast<int>(order[i])]);
  }
  check(ok, Code::argument, [&] {
    return "transpose: the order must name each of the " + std::to_string(x.shape.rank()) + " axes of " +
           to_string(x.shape) + " once, got " + to_string(Shape(*given));
  });
  context.attrs.set("order", std::move(order));
  context.outputs.push_back({x.dtype, shape});
}

void vjp_transpose(VjpContext& context) {
  const std::vector<Index> order = *attributes::transpose::of(context.attrs()).order;
  std::vector<Index> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<Index>(i);
  context.set(0, transpose(context.dy(), std::move(inverse)));
}

// A strided copy whose addresses are filled in when it runs.
void emit_copy(LowerContext& context, const PlacedCopy& placed, Slot x, Slot y) {
  const auto kernel = context.kernels.movement.copy;
  context.emit({}, [=](Execution& run) {
    kernels::StridedCopy now = placed.copy;
    now.x = run.at<std::byte>(x) + placed.x_offset * now.element_size;
    now.y = run.at<std::byte>(y) + placed.y_offset * now.element_size;
    kernel(now, run.parallel);
  });
}

void lower_transpose(LowerContext& context) {
  emit_copy(context, transpose_copy(context), context.input(0), context.output());
}

void infer_concat(InferContext& context) {
  check(!context.inputs.empty(), Code::argument, [] { return "concat: takes one tensor or more, got none"; });
  Type result = context.inputs[0];
  const int axis = normalize_axis("concat", attributes::concat::of(context.attrs).axis, result.shape.rank());
  context.attrs.set("axis", Index{axis});
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    const Type& next = context.inputs[i];
    bool ok = next.dtype == result.dtype && next.shape.rank() == result.shape.rank();
    for (int other = 0; ok && other < result.shape.rank(); ++other) {
      ok = other == axis || next.shape[other] == result.shape[other];
    }
    check(ok, next.dtype == result.dtype ? Code::shape : Code::dtype, [&] {
      return "concat: operands may differ along axis " + std::to_string(axis) + " alone, got " +
             to_string(context.inputs[0]) + " and " + to_string(next) + " (operand " + std::to_string(i) + ")";
    });
    result.shape[axis] += next.shape[axis];
  }
  context.outputs.push_back(result);
}

Expr slice(Expr x, std::vector<Index> start, std::vector<Index> stop) {
  std::vector<Index> step(start.size(), 1);
  return apply(Op::slice, {x}, attributes::slice{std::move(start), std::move(stop), std::move(step)});
}

void vjp_concat(VjpContext& context) {
  const int axis = static_cast<int>(attributes::concat::of(context.attrs()).axis);
  Index at = 0;
  for (int i = 0; i < context.input_count(); ++i) {
    const Shape& shape = context.input(i).shape();
    std::vector<Index> start(shape.rank(), 0), stop = shape.to_vector();
    start[axis] = at;
    stop[axis] = at += shape[axis];
    if (context.wants(i)) context.set(i, slice(context.dy(), std::move(start), std::move(stop)));
  }
}

void lower_concat(LowerContext& context) {
  const auto copies = concat_copies(context);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    emit_copy(context, copies[i], context.input(static_cast<int>(i)), context.output());
  }
}

// start, stop and step for every axis. Negative positions count from the end and out-of-range ones are clamped, as in Python;
// a negative step walks backwards, with a stop of -extent - 1 (or less) for "through the first element".
void infer_slice(InferContext& context) {
  const Type& x = context.inputs[0];
  auto [start, stop, given] = attributes::slice::of(context.attrs);
  std::vector<Index> step = given.value_or(std::vector<Index>(start.size(), 1));
  const std::size_t rank = static_cast<std::size_t>(x.shape.rank());
  check(start.size() == rank && stop.size() == rank && step.size() == rank, Code::argument, [&] {
    return "slice: start, stop and step take one number for each of the " + std::to_string(rank) + " axes of " +
           to_string(x.shape);
  });
  Shape shape;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Index n = x.shape[static_cast<int>(axis)];
    check(step[axis] != 0, Code::argument,
          [&] { return "slice: the step of axis " + std::to_string(axis) + " must not be 0"; });
    const Index low = step[axis] > 0 ? 0 : -1, high = step[axis] > 0 ? n : n - 1;
    const auto clamp = [&](Index position) { return std::clamp(position < 0 ? position + n : position, low, high); };
    start[axis] = clamp(start[axis]);
    stop[axis] = step[axis] < 0 && stop[axis] < -n ? -1 : clamp(stop[axis]);
    const Index span = step[axis] > 0 ? stop[axis] - start[axis] : start[axis] - stop[axis];
    const Index stride = std::abs(step[axis]);
    const Index count = std::max<Index>(0, (span + stride - 1) / stride);
    shape.push_back(count);
    // As stored, stop is what start, step and the count imply, so that inferring again changes nothing.
    stop[axis] = start[axis] + step[axis] * count;
    if (stop[axis] < 0) stop[axis] = -n - 1;
    if (count == 0) start[axis] = stop[axis] = 0;
    if (stop[axis] > n) stop[axis] = n;
  }
  context.attrs.set("start", std::move(start));
  context.attrs.set("stop", std::move(stop));
  context.attrs.set("step", std::move(step));
  context.outputs.push_back({x.dtype, shape});
}

// dx is dy set into zeros: a pad for steps of 1, else an interior pad by way of the same strided copy.
void vjp_slice(VjpContext& context) {
  const Shape& x = context.input(0).shape();
  const Shape& y = context.dy().shape();
  const auto at = attributes::slice::of(context.attrs());
  const std::vector<Index>&start = at.start, &step = *at.step;
  std::vector<Index> low(x.rank()), high(x.rank());
  for (int axis = 0; axis < x.rank(); ++axis) {
    const Index covered = y[axis] == 0 ? 0 : (y[axis] - 1) * std::abs(step[axis]) + 1;
    low[axis] = y[axis] == 0 ? 0 : step[axis] > 0 ? start[axis] : start[axis] - covered + 1;
    high[axis] = x[axis] - low[axis] - covered;
  }
  context.set(0, apply(Op::pad, {context.dy()}, attributes::pad{low, high, step, 0.0}));
}

void lower_slice(LowerContext& context) { emit_copy(context, slice_copy(context), context.input(0), context.output()); }

// `low` and `high` elements of `value` around each axis; `step` (default 1) puts |step| - 1 of them between neighbours, and a
// negative one reverses the axis: what the gradient of a strided slice needs.
void infer_pad(InferContext& context) {
  const Type& x = context.inputs[0];
  const std::size_t rank = static_cast<std::size_t>(x.shape.rank());
  const auto [low, high, given, value] = attributes::pad::of(context.attrs);
  const std::vector<Index> step = given.value_or(std::vector<Index>(rank, 1));
  const auto negative = [](Index n) { return n < 0; };
  check(low.size() == rank && high.size() == rank && step.size() == rank &&
            std::none_of(low.begin(), low.end(), negative) && std::none_of(high.begin(), high.end(), negative),
        Code::argument, [&] {
          return "pad: low and high take a count of 0 or more for each of the " + std::to_string(rank) + " axes of " +
                 to_string(x.shape);
        });
  Shape shape;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Index n = x.shape[static_cast<int>(axis)];
    shape.push_back(low[axis] + (n == 0 ? 0 : (n - 1) * std::abs(step[axis]) + 1) + high[axis]);
  }
  context.attrs.set("step", step);
  context.attrs.set("value", value);
  context.outputs.push_back({x.dtype, shape});
}

void vjp_pad(VjpContext& context) {
  const Shape& x = context.input(0).shape();
  const auto at = attributes::pad::of(context.attrs());
  const std::vector<Index>&low = at.low, &step = *at.step;
  std::vector<Index> start(x.rank()), stop(x.rank());
  for (int axis = 0; axis < x.rank(); ++axis) {
    const Index covered = x[axis] == 0 ? 0 : (x[axis] - 1) * std::abs(step[axis]) + 1;
    const bool forward = step[axis] > 0;
    start[axis] = forward ? low[axis] : low[axis] + covered - 1;
    stop[axis] = forward ? low[axis] + covered : low[axis] - 1;
    if (stop[axis] < 0) stop[axis] = -context.dy().shape()[axis] - 1;
  }
  context.set(0, apply(Op::slice, {context.dy()}, attributes::slice{start, stop, step}));
}

void lower_pad(LowerContext& context) {
  const Type& y = context.output_type();
  const auto value = std::make_shared<std::vector<std::byte>>(pad_value(context));
  const auto fill = context.kernels.movement.fill;
  const Slot to = context.output();
  const Index count = y.count(), size = size_of(y.dtype);
  context.emit({}, [=](Execution& run) { fill({run.at(to), value->data(), count, size}, run.parallel); });
  emit_copy(context, pad_copy(context), context.input(0), to);
}

}  // namespace

const OpRule rule_reshape{infer_reshape, vjp_reshape};
const OpRule rule_transpose{infer_transpose, vjp_transpose, lower_transpose};
const OpRule rule_concat{infer_concat, vjp_concat, lower_concat};
const OpRule rule_slice{infer_slice, vjp_slice, lower_slice};
const OpRule rule_pad{infer_pad, vjp_pad, lower_pad};

}  // namespace athanor
