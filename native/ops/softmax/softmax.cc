// softmax and log-softmax over one axis ("axis", the last by default), and cross-entropy from logits [N, C] and labels [N].
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "graph/vjp.h"
#include "ops/require.h"
#include "ops/sentences.h"
#include "ops/softmax/softmax_args.h"

namespace athanor {
namespace {

void require_f32(const char* name, const Type& x) {
  check(x.dtype == DType::f32, Code::dtype,
        [&] { return std::string(name) + ": takes f32, got " + name_of(x.dtype) + "; cast it to f32 first"; });
}

void infer_softmax(InferContext& context) {
  const Type& x = context.inputs[0];
  require_f32(context.name, x);
  context.attrs.set("axis",
                    Index{normalize_axis(context.name, attributes::softmax::of(context.attrs).axis, x.shape.rank())});
  context.outputs.push_back(x);
}

void infer_softmax_grad(InferContext& context) {
  check(context.inputs[0] == context.inputs[1], Code::shape, [&] {
    return std::string(context.name) + ": dy must have y's type, got " + to_string(context.inputs[0]) + " and " +
           to_string(context.inputs[1]);
  });
  infer_softmax(context);
}

template <Op grad>
void vjp_softmax(VjpContext& context) {
  context.set(0, apply(grad, {context.output(), context.dy()}, attributes::softmax::of(context.attrs())));
}

// dx = y (dy - Σ dy y) as a composition, for gradients of gradients.
void vjp_softmax_grad(VjpContext& context) {
  const Expr y = context.input(0), dy = context.input(1), g = context.dy();
  const std::vector<Index> axis{attributes::softmax::of(context.attrs()).axis};
  if (context.wants(0)) context.set(0, g * (dy - sum(dy * y, axis, true)) - dy * sum(g * y, axis, true));
  if (context.wants(1)) context.set(1, y * (g - sum(g * y, axis, true)));
}

// dx = dy - exp(y) Σ dy
void vjp_log_softmax_grad(VjpContext& context) {
  const Expr y = context.input(0), dy = context.input(1), g = context.dy();
  const std::vector<Index> axis{attributes::softmax::of(context.attrs()).axis};
  const Expr p = exp(y);
  if (context.wants(0)) context.set(0, -(g * p * sum(dy, axis, true)));
  if (context.wants(1)) context.set(1, g - sum(g * p, axis, true));
}

}  // namespace

SoftmaxRows softmax_rows(const NodeContext& context) {
  const Shape& shape = context.output_type().shape;
  const int axis = static_cast<int>(attributes::softmax::of(context.attrs()).axis);
  const Index cols = shape[axis], inner = shape.count(axis + 1);
  return {cols == 0 ? 0 : shape.count() / cols, cols, inner != 1, shape.count(0, axis), inner};
}

namespace {

// (outer, a, b) to (outer, b, a)
void emit_swap(LowerContext& context, Slot from, Slot to, Index outer, Index a, Index b) {
  kernels::StridedCopy copy{};
  copy.rank = 3;
  copy.element_size = 4;
  const Index shape[] = {outer, b, a}, x_stride[] = {a * b, 1, b}, y_stride[] = {a * b, a, 1};
  std::copy(shape, shape + 3, copy.shape);
  std::copy(x_stride, x_stride + 3, copy.x_stride);
  std::copy(y_stride, y_stride + 3, copy.y_stride);
  const auto kernel = context.kernels.movement.copy;
  context.emit({}, [=](Execution& run) {
    kernels::StridedCopy now = copy;
    now.x = run.at(from), now.y = run.at(to);
    kernel(now, run.parallel);
  });
}

Slot rows_first(LowerContext& context, const SoftmaxRows& rows, int input) {
  if (!rows.moved) return context.input(input);
  const Slot moved = context.workspace(context.input_type(input).bytes());
  emit_swap(context, context.input(input), moved, rows.outer, rows.cols, rows.inner);
  return moved;
}

template <bool log>
void lower_softmax(LowerContext& context) {
  const SoftmaxRows rows = softmax_rows(context);
  const Slot x = rows_first(context, rows, 0);
  const Slot y = rows.moved ? context.workspace(context.output_type().bytes()) : context.output();
  const auto kernel = context.kernels.softmax.forward;
  const double elements = static_cast<double>(rows.rows * rows.cols);
  context.emit({8 * elements, 0}, [=](Execution& run) {
    kernel({log, rows.rows, rows.cols, run.at<const float>(x), run.at<float>(y)}, run.parallel);
  });
  if (rows.moved) emit_swap(context, y, context.output(), rows.outer, rows.inner, rows.cols);
}

template <bool log>
void lower_softmax_grad(LowerContext& context) {
  const SoftmaxRows rows = softmax_rows(context);
  const Slot y = rows_first(context, rows, 0), dy = rows_first(context, rows, 1);
  const Slot dx = rows.moved ? context.workspace(context.output_type().bytes()) : context.output();
  const auto kernel = context.kernels.softmax.backward;
  const double elements = static_cast<double>(rows.rows * rows.cols);
  context.emit({4 * elements, 0}, [=](Execution& run) {
    kernel({log, rows.rows, rows.cols, run.at<const float>(y), run.at<const float>(dy), run.at<float>(dx)},
           run.parallel);
  });
  if (rows.moved) emit_swap(context, dx, context.output(), rows.outer, rows.inner, rows.cols);
}

void check_logits(const InferContext& context) {
  const Type &x = context.inputs[0], &labels = context.inputs[1];
  require_f32(context.name, x);
  check(x.shape.rank() == 2, Code::shape, [&] {
    return "cross_entropy: logits must be [rows, classes], got " + to_string(x.shape) +
           "; reshape leading dimensions into one";
  });
  check(labels.dtype == DType::i32 || labels.dtype == DType::u8, Code::dtype, [&] {
    return std::string("cross_entropy: labels must be i32 or u8 class numbers, got ") + name_of(labels.dtype);
  });
  check(labels.shape.rank() == 1 && labels.shape[0] == x.shape[0], Code::shape, [&] {
    return "cross_entropy: one label a row is needed, got logits " + to_string(x.shape) + " and labels " +
           to_string(labels.shape);
  });
  const double smoothing = attributes::cross_entropy::of(context.attrs).smoothing;
  check(smoothing >= 0 && smoothing <= 1, Code::argument,
        [&] { return "cross_entropy: label smoothing must be from 0 to 1, got " + std::to_string(smoothing); });
}

// Outputs: loss [N] (0 where ignored), log-sum-exp [N], the number of counted rows f32 []. Attributes: smoothing,
// ignore_index.
void infer_cross_entropy(InferContext& context) {
  check_logits(context);
  const Type rows{DType::f32, Shape{context.inputs[0].shape[0]}};
  context.outputs = {rows, rows, {DType::f32, Shape{}}};
}

void vjp_cross_entropy(VjpContext& context) {
  if (!context.dy(0)) return;
  context.set(0, apply(Op::cross_entropy_grad, {context.input(0), context.input(1), context.output(1), context.dy(0)},
                       context.attrs()));
}

}  // namespace

CrossEntropyArgs cross_entropy_args(const NodeContext& context) {
  CrossEntropyArgs args;
  args.rows = context.input_type(0).shape[0];
  args.classes = context.input_type(0).shape[1];
  args.label_dtype = context.input_type(1).dtype;
  const auto at = attributes::cross_entropy::of(context.attrs());
  args.smoothing = static_cast<float>(at.smoothing);
  args.has_ignore_index = at.ignore_index.has_value();
  args.ignore_index = static_cast<std::int32_t>(at.ignore_index.value_or(-100));
  return args;
}

namespace {

void lower_cross_entropy(LowerContext& context) {
  const CrossEntropyArgs args = cross_entropy_args(context);
  const Slot x = context.input(0), labels = context.input(1);
  const Slot loss = context.output(0), lse = context.output(1), counted = context.output(2);
  const auto kernel = context.kernels.softmax.cross_entropy;
  const std::string where = context.where();
  context.emit({6.0 * static_cast<double>(args.rows * args.classes), 0}, [=](Execution& run) {
    CrossEntropyArgs now = args;
    now.x = run.at<const float>(x), now.labels = run.at(labels);
    const CrossEntropyCounts counts = kernel(now, run.at<float>(loss), run.at<float>(lse), run.parallel);
    *run.at<float>(counted) = static_cast<float>(counts.counted);
    check(counts.bad == 0, Code::argument, [&] {
      const Index row = counts.first_bad;
      const int label = now.label_dtype == DType::u8 ? run.at<const std::uint8_t>(labels)[row]
                                                     : run.at<const std::int32_t>(labels)[row];
      return bad_label(where, {label, row, counts.bad}, now.classes);
    });
  });
}

// Logits, labels, log-sum-exp and the gradient of every row's loss.
void infer_cross_entropy_grad(InferContext& context) {
  check_logits(context);
  const Type rows{DType::f32, Shape{context.inputs[0].shape[0]}};
  require_type(context, 2, "the log-sum-exp", rows);
  require_type(context, 3, "the gradient of the loss", rows);
  context.outputs.push_back(context.inputs[0]);
}

void lower_cross_entropy_grad(LowerContext& context) {
  const CrossEntropyArgs args = cross_entropy_args(context);
  const Slot x = context.input(0), labels = context.input(1), lse = context.input(2), dloss = context.input(3);
  const Slot dx = context.output();
  const auto kernel = context.kernels.softmax.cross_entropy_backward;
  context.emit({4.0 * static_cast<double>(args.rows * args.classes), 0}, [=](Execution& run) {
    CrossEntropyArgs now = args;
    now.x = run.at<const float>(x), now.labels = run.at(labels);
    kernel(now, run.at<const float>(lse), run.at<const float>(dloss), 1, run.at<float>(dx), run.parallel);
  });
}

}  // namespace

const OpRule rule_softmax{infer_softmax, vjp_softmax<Op::softmax_grad>, lower_softmax<false>};
const OpRule rule_softmax_grad{infer_softmax_grad, vjp_softmax_grad, lower_softmax_grad<false>};
const OpRule rule_log_softmax{infer_softmax, vjp_softmax<Op::log_softmax_grad>, lower_softmax<true>};
const OpRule rule_log_softmax_grad{infer_softmax_grad, vjp_log_softmax_grad, lower_softmax_grad<true>};
const OpRule rule_cross_entropy{infer_cross_entropy, vjp_cross_entropy, lower_cross_entropy};
const OpRule rule_cross_entropy_grad{infer_cross_entropy_grad, nullptr, lower_cross_entropy_grad};

}  // namespace athanor
