// Layer norm and RMS norm over the last axis, batch norm over all axes but the second; with their gradients.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "graph/vjp.h"
#include "ops/require.h"

namespace athanor {
namespace {

void check_rows(InferContext& context) {
  const Type& x = context.inputs[0];
  check(x.dtype == DType::f32 && x.shape.rank() >= 1, Code::dtype,
        [&] { return std::string(context.name) + ": takes f32 of at least one dimension, got " + to_string(x); });
}

void check_vector(InferContext& context, int operand, const char* what, Index n) {
  const Type& w = context.inputs[operand];
  check(w == Type{DType::f32, Shape{n}}, Code::shape, [&] {
    return std::string(context.name) + ": " + what + " must be f32 [" + std::to_string(n) + "] for an input " +
           to_string(context.inputs[0].shape) + ", got " + to_string(w);
  });
}

Shape lead_of(const Shape& shape) {
  Shape lead = shape;
  lead.erase(shape.rank() - 1);
  return lead;
}

// Outputs: y, mean and 1/σ of every row.
void infer_layer(InferContext& context) {
  check_rows(context);
  const Type& x = context.inputs[0];
  check_vector(context, 1, "the weight", x.shape.back());
  check_vector(context, 2, "the bias", x.shape.back());
  context.outputs.push_back(x);
  context.outputs.push_back({DType::f32, lead_of(x.shape)});
  context.outputs.push_back({DType::f32, lead_of(x.shape)});
}

// Outputs: y, 1/rms of every row.
void infer_rms(InferContext& context) {
  check_rows(context);
  const Type& x = context.inputs[0];
  check_vector(context, 1, "the weight", x.shape.back());
  context.outputs.push_back(x);
  context.outputs.push_back({DType::f32, lead_of(x.shape)});
}

void vjp_layer(VjpContext& context) {
  if (!context.dy(0)) return;
  const Expr dx =
      apply(Op::layer_norm_grad,
            {context.input(0), context.input(1), context.output(1), context.output(2), context.dy(0)}, context.attrs());
  for (int i = 0; i < 3; ++i) context.set(i, output(dx, i));
}

void vjp_rms(VjpContext& context) {
  if (!context.dy(0)) return;
  const Expr dx =
      apply(Op::rms_norm_grad, {context.input(0), context.input(1), context.output(1), context.dy(0)}, context.attrs());
  for (int i = 0; i < 2; ++i) context.set(i, output(dx, i));
}

// (x − mean) / √(variance + eps) over axes, without the weight.
Expr standardized(Expr x, const std::vector<Index>& axes, double eps) {
  const Expr centred = x - mean(x, axes, true);
  return centred * apply(Op::rsqrt, {mean(square(centred), axes, true) + eps});
}

// The bias adds nothing to second gradients.
void vjp_layer_grad(VjpContext& context) {
  const double eps = attributes::layer_norm::of(context.attrs()).eps;
  differentiate_unfused(context, {0, 1}, 4, [&](std::span<const Expr> in) {
    return standardized(in[0], {in[0].shape().rank() - 1}, eps) * in[1];
  });
}

void vjp_rms_grad(VjpContext& context) {
  const double eps = attributes::rms_norm::of(context.attrs()).eps;
  differentiate_unfused(context, {0, 1}, 3, [&](std::span<const Expr> in) {
    const Index last = in[0].shape().rank() - 1;
    return in[0] * apply(Op::rsqrt, {mean(square(in[0]), {last}, true) + eps}) * in[1];
  });
}

void vjp_batch_grad(VjpContext& context) {
  const double eps = attributes::layer_norm::of(context.attrs()).eps;
  differentiate_unfused(context, {0, 1}, 4, [&](std::span<const Expr> in) {
    std::vector<Index> axes{0};
    Shape channels{in[0].shape()[1]};
    for (Index axis = 2; axis < in[0].shape().rank(); ++axis) {
      axes.push_back(axis);
      channels.push_back(1);
    }
    return standardized(in[0], axes, eps) * reshape(in[1], channels);
  });
}

// x, weight, mean and 1/σ of every row, dy.
void infer_layer_grad(InferContext& context) {
  check_rows(context);
  const Type& x = context.inputs[0];
  check_vector(context, 1, "the weight", x.shape.back());
  require_type(context, 2, "the mean", {DType::f32, lead_of(x.shape)});
  require_type(context, 3, "1/σ", {DType::f32, lead_of(x.shape)});
  require_type(context, 4, "dy", x);
  context.outputs = {x, context.inputs[1], context.inputs[1]};
}

// x, weight, 1/rms of every row, dy.
void infer_rms_grad(InferContext& context) {
  check_rows(context);
  const Type& x = context.inputs[0];
  check_vector(context, 1, "the weight", x.shape.back());
  require_type(context, 2, "1/rms", {DType::f32, lead_of(x.shape)});
  require_type(context, 3, "dy", x);
  context.outputs = {x, context.inputs[1]};
}

Index rows_of(const Shape& shape) { return shape.count(0, shape.rank() - 1); }

template <NormKind kind>
void lower_norm(LowerContext& context) {
  constexpr bool layer = kind == NormKind::layer;
  const Shape& shape = context.input_type(0).shape;
  const Index rows = rows_of(shape), cols = shape.back();
  const float eps = static_cast<float>(layer ? attributes::layer_norm::of(context.attrs()).eps
                                             : attributes::rms_norm::of(context.attrs()).eps);
  const Slot x = context.input(0), gamma = context.input(1), beta = context.input(layer ? 2 : 1), y = context.output(0);
  const Slot mean = context.output(layer ? 1 : 0), rstd = context.output(layer ? 2 : 1);
  const auto kernel = context.kernels.norm.forward;
  context.emit({8.0 * static_cast<double>(rows * cols), 0}, [=](Execution& run) {
    NormArgs args;
    args.kind = kind;
    args.rows = rows, args.cols = cols, args.eps = eps;
    args.x = run.at<const float>(x), args.gamma = run.at<const float>(gamma), args.y = run.at<float>(y);
    args.rstd = run.at<float>(rstd);
    if (layer) args.beta = run.at<const float>(beta), args.mean = run.at<float>(mean);
    kernel(args, run.parallel);
  });
}

template <NormKind kind>
void lower_norm_grad(LowerContext& context) {
  constexpr bool layer = kind == NormKind::layer;
  const Shape& shape = context.input_type(0).shape;
  NormBackwardArgs args;
  args.kind = kind;
  args.rows = rows_of(shape), args.cols = shape.back();
  // Sizes alone count for the query; any address says "wanted".
  float wanted = 0;
  args.dx = args.dgamma = &wanted;
  args.dbeta = layer ? &wanted : nullptr;
  const Slot workspace = context.workspace(context.kernels.norm.backward_workspace(args));
  const Slot x = context.input(0), gamma = context.input(1);
  const Slot mean = context.input(2), rstd = context.input(layer ? 3 : 2), dy = context.input(layer ? 4 : 3);
  const Slot dx = context.output(0), dgamma = context.output(1), dbeta = context.output(layer ? 2 : 1);
  const auto kernel = context.kernels.norm.backward;
  context.emit({12.0 * static_cast<double>(args.rows * args.cols), 0}, [=](Execution& run) {
    NormBackwardArgs now = args;
    now.x = run.at<const float>(x), now.gamma = run.at<const float>(gamma), now.rstd = run.at<const float>(rstd);
    now.dy = run.at<const float>(dy), now.dx = run.at<float>(dx), now.dgamma = run.at<float>(dgamma);
    if (layer) now.mean = run.at<const float>(mean), now.dbeta = run.at<float>(dbeta);
    kernel(now, run.parallel, run.at(workspace));
  });
}

// Outputs: y, then mean, biased variance and 1/σ of every channel of this batch.
void infer_batch(InferContext& context) {
  const Type& x = context.inputs[0];
  check(x.dtype == DType::f32 && x.shape.rank() >= 2, Code::shape,
        [&] { return "batch_norm: takes f32 [N, C] or [N, C, …], got " + to_string(x); });
  check_vector(context, 1, "the weight", x.shape[1]);
  check_vector(context, 2, "the bias", x.shape[1]);
  check(x.shape[0] * x.shape.count(2) > 0, Code::shape,
        [&] { return "batch_norm: there are no statistics of an empty batch, got " + to_string(x.shape); });
  context.outputs.push_back(x);
  for (int i = 0; i < 3; ++i) context.outputs.push_back({DType::f32, Shape{x.shape[1]}});
}

// x, weight, mean and 1/σ of every channel, dy.
void infer_batch_grad(InferContext& context) {
  const Type& x = context.inputs[0];
  check(x.dtype == DType::f32 && x.shape.rank() >= 2, Code::shape,
        [&] { return "batch_norm_grad: takes f32 [N, C] or [N, C, …], got " + to_string(x); });
  const Type channels{DType::f32, Shape{x.shape[1]}};
  check_vector(context, 1, "the weight", x.shape[1]);
  require_type(context, 2, "the mean", channels);
  require_type(context, 3, "1/σ", channels);
  require_type(context, 4, "dy", x);
  context.outputs = {x, channels, channels};
}

void vjp_batch(VjpContext& context) {
  check(!context.dy(1) && !context.dy(2) && !context.dy(3), Code::unsupported,
        [] { return "batch_norm: the batch's statistics have no gradient of their own; stop it before them"; });
  if (!context.dy(0)) return;
  const Expr dx =
      apply(Op::batch_norm_grad,
            {context.input(0), context.input(1), context.output(1), context.output(3), context.dy(0)}, context.attrs());
  for (int i = 0; i < 3; ++i) context.set(i, output(dx, i));
}

void lower_batch(LowerContext& context) {
  const Shape& shape = context.input_type(0).shape;
  BatchNormArgs args;
  args.n = shape[0], args.c = shape[1], args.l = shape.count(2);
  args.eps = static_cast<float>(attributes::layer_norm::of(context.attrs()).eps);
  const Slot workspace = context.workspace(context.kernels.norm.batch_forward_workspace(args));
  const Slot x = context.input(0), gamma = context.input(1), beta = context.input(2);
  const Slot y = context.output(0), mean = context.output(1), var = context.output(2), rstd = context.output(3);
  const auto kernel = context.kernels.norm.batch_forward;
  context.emit({8.0 * static_cast<double>(shape.count()), 0}, [=](Execution& run) {
    BatchNormArgs now = args;
    now.x = run.at<const float>(x), now.gamma = run.at<const float>(gamma), now.beta = run.at<const float>(beta);
    now.y = run.at<float>(y), now.mean = run.at<float>(mean), now.var = run.at<float>(var),
    now.rstd = run.at<float>(rstd);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_batch_grad(LowerContext& context) {
  const Shape& shape = context.input_type(0).shape;
  BatchNormBackwardArgs args;
  args.n = shape[0], args.c = shape[1], args.l = shape.count(2);
  float wanted = 0;
  args.dx = args.dgamma = args.dbeta = &wanted;
  const Slot workspace = context.workspace(context.kernels.norm.batch_backward_workspace(args));
  const Slot x = context.input(0), gamma = context.input(1), mean = context.input(2), rstd = context.input(3),
             dy = context.input(4);
  const Slot dx = context.output(0), dgamma = context.output(1), dbeta = context.output(2);
  const auto kernel = context.kernels.norm.batch_backward;
  context.emit({12.0 * static_cast<double>(shape.count()), 0}, [=](Execution& run) {
    BatchNormBackwardArgs now = args;
    now.x = run.at<const float>(x), now.gamma = run.at<const float>(gamma), now.mean = run.at<const float>(mean);
    now.rstd = run.at<const float>(rstd), now.dy = run.at<const float>(dy);
    now.dx = run.at<float>(dx), now.dgamma = run.at<float>(dgamma), now.dbeta = run.at<float>(dbeta);
    kernel(now, run.parallel, run.at(workspace));
  });
}

}  // namespace

const OpRule rule_layer_norm{infer_layer, vjp_layer, lower_norm<NormKind::layer>};
const OpRule rule_layer_norm_grad{infer_layer_grad, vjp_layer_grad, lower_norm_grad<NormKind::layer>};
const OpRule rule_rms_norm{infer_rms, vjp_rms, lower_norm<NormKind::rms>};
const OpRule rule_rms_norm_grad{infer_rms_grad, vjp_rms_grad, lower_norm_grad<NormKind::rms>};
const OpRule rule_batch_norm{infer_batch, vjp_batch, lower_batch};
const OpRule rule_batch_norm_grad{infer_batch_grad, vjp_batch_grad, lower_batch_grad};

}  // namespace athanor
