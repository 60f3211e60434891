// Convolution with a sparse weight [O, C / groups, KH, KW], given as bitmap u8 [O, ceil(C / groups * KH * KW / 8)] and values f32 [nnz]
// (sparse/bitmap.h), and its gradients. Attributes: those of conv2d (ops/conv_geometry.h), and kernel [KH, KW].
//   sparse_conv2d(x f32 [N, C, H, W], bitmap, values) → [N, O, OH, OW]
//   sparse_conv2d_grad_input(dy [N, O, OH, OW], bitmap, values; shape of x) → [N, C, H, W]
//   sparse_conv2d_grad_values(x, dy, bitmap; nnz) → [nnz]
#include "base/error.h"
#include "graph/body.h"
#include "graph/vjp.h"
#include "ops/conv_geometry.h"
#include "ops/require.h"
#include "ops/sparse_weight.h"

namespace athanor {
namespace {

// The weight's shape as a dense tensor.
Type weight_of(const Type& x, const Type& bitmap, const Attrs& attrs) {
  const auto kernel = attrs.list("kernel");
  const Index groups = attrs.integer("groups", 1);
  return {DType::f32, Shape{bitmap.shape[0], groups > 0 ? x.shape[1] / groups : 0, kernel[0], kernel[1]}};
}

// Checks the geometry for images x and the operands bitmap and (where it is not -1) values; returns the weight's type.
Type require_weight(const InferContext& context, const Type& x, int bitmap, int values) {
  const std::string name = context.name;
  const auto kernel = context.attrs.list("kernel");
  check(kernel.size() == 2 && kernel[0] >= 1 && kernel[1] >= 1, Code::argument, [&] {
    return name + ": kernel takes the height and width of the weight, two whole numbers of 1 or more, got " +
           to_string(Shape(kernel));
  });
  const Type& bits = context.inputs[bitmap];
  check(x.shape.rank() == 4 && bits.dtype == DType::u8 && bits.shape.rank() == 2, Code::shape, [&] {
    return name + ": takes x [N, C, H, W] and a bitmap u8 [O, ceil(C / groups * KH * KW / 8)], got " + to_string(x) +
           " and " + to_string(bits);
  });
  const Type w = weight_of(x, bits, context.attrs);
  check_conv(context.name, x, w, context.attrs);
  require_bitmap(context, bitmap, w.shape[0], w.shape.count(1));
  if (values >= 0) require_values(context, values);
  return w;
}

void infer_conv(InferContext& context) {
  const Type& x = context.inputs[0];
  const Type w = require_weight(context, x, 1, 2);
  context.outputs.push_back(conv_output(x, w, context.attrs));
}

void infer_grad_input(InferContext& context) {
  const Type x = image_attr(context);
  const Type w = require_weight(context, x, 1, 2);
  require_type(context, 0, "dy", conv_output(x, w, context.attrs));
  context.outputs.push_back(x);
}

void infer_grad_values(InferContext& context) {
  const Type& x = context.inputs[0];
  const Type w = require_weight(context, x, 2, -1);
  require_type(context, 1, "dy", conv_output(x, w, context.attrs));
  context.outputs.push_back(values_attr(context));
}

// The geometry and the kernel's size, without what an adjoint adds.
Attrs geometry(const Attrs& attrs) {
  Attrs kept = conv_geometry(attrs);
  kept.set("kernel", attrs.list("kernel"));
  return kept;
}

Expr grad_input(Expr dy, Expr bitmap, Expr values, Attrs attrs, const Shape& shape) {
  attrs.set("shape", shape.to_vector());
  return apply(Op::sparse_conv2d_grad_input, {dy, bitmap, values}, std::move(attrs));
}

Expr grad_values(Expr x, Expr dy, Expr bitmap, Attrs attrs, Index nnz) {
  attrs.set("nnz", nnz);
  return apply(Op::sparse_conv2d_grad_values, {x, dy, bitmap}, std::move(attrs));
}

void vjp_conv(VjpContext& context) {
  const Expr x = context.input(0), bitmap = context.input(1), values = context.input(2), dy = context.dy();
  const Attrs attrs = geometry(context.attrs());
  if (context.wants(0)) context.set(0, grad_input(dy, bitmap, values, attrs, x.shape()));
  if (context.wants(2)) context.set(2, grad_values(x, dy, bitmap, attrs, values.shape()[0]));
}

void vjp_grad_input(VjpContext& context) {
  const Expr dy = context.input(0), bitmap = context.input(1), values = context.input(2), g = context.dy();
  const Attrs attrs = geometry(context.attrs());
  if (context.wants(0)) context.set(0, apply(Op::sparse_conv2d, {g, bitmap, values}, attrs));
  if (context.wants(2)) context.set(2, grad_values(g, dy, bitmap, attrs, values.shape()[0]));
}

void vjp_grad_values(VjpContext& context) {
  const Expr x = context.input(0), dy = context.input(1), bitmap = context.input(2), g = context.dy();
  const Attrs attrs = geometry(context.attrs());
  if (context.wants(0)) context.set(0, grad_input(dy, bitmap, g, attrs, x.shape()));
  if (context.wants(1)) context.set(1, apply(Op::sparse_conv2d, {x, bitmap, g}, attrs));
}

double flops_of(const ConvShape& s, Index nnz) {
  return 2.0 * static_cast<double>(s.n * s.out_h() * s.out_w()) * static_cast<double>(nnz);
}

void lower_conv(LowerContext& context) {
  const Type w = weight_of(context.input_type(0), context.input_type(1), context.attrs());
  const Index nnz = context.input_type(2).shape[0];
  const DenseWeight weight(context, w.shape[0], w.shape.count(1), nnz, context.input(1), context.input(2));
  ConvForwardArgs args;
  args.shape = conv_shape(context.input_type(0).shape, w.shape, context.attrs());
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, args.shape.c_out);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot x = context.input(0), y = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.forward_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.forward;
  context.emit({flops_of(args.shape, nnz), 0}, [=](Execution& run) {
    weight.expand(run);
    ConvForwardArgs now = args;
    now.x = run.at<const float>(x), now.w = weight.data(run), now.y = run.at<float>(y);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_grad_input(LowerContext& context) {
  const Type x = context.output_type(), w = weight_of(x, context.input_type(1), context.attrs());
  const Index nnz = context.input_type(2).shape[0];
  const DenseWeight weight(context, w.shape[0], w.shape.count(1), nnz, context.input(1), context.input(2));
  ConvBackwardDataArgs args;
  args.shape = conv_shape(x.shape, w.shape, context.attrs());
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, args.shape.c_in);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot dy = context.input(0), dx = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.backward_data_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.backward_data;
  context.emit({flops_of(args.shape, nnz), 0}, [=](Execution& run) {
    weight.expand(run);
    ConvBackwardDataArgs now = args;
    now.dy = run.at<const float>(dy), now.w = weight.data(run), now.dx = run.at<float>(dx);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_grad_values(LowerContext& context) {
  const Type w = weight_of(context.input_type(0), context.input_type(2), context.attrs());
  const Index nnz = context.output_type().shape[0];
  const DenseWeight weight(context, w.shape[0], w.shape.count(1), nnz, context.input(2), -1);
  ConvBackwardWeightsArgs args;
  args.shape = conv_shape(context.input_type(0).shape, w.shape, context.attrs());
  const Slot x = context.input(0), dy = context.input(1), values = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.backward_weights_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.backward_weights;
  context.emit({flops_of(args.shape, nnz), 0}, [=](Execution& run) {
    ConvBackwardWeightsArgs now = args;
    now.x = run.at<const float>(x), now.dy = run.at<const float>(dy), now.dw = weight.data(run);
    kernel(now, run.parallel, run.at(workspace));
    weight.collect(run, run.at<float>(values));
  });
}

}  // namespace

const OpRule rule_sparse_conv2d{infer_conv, vjp_conv, lower_conv};
const OpRule rule_sparse_conv2d_grad_input{infer_grad_input, vjp_grad_input, lower_grad_input};
const OpRule rule_sparse_conv2d_grad_values{infer_grad_values, vjp_grad_values, lower_grad_values};

}  // namespace athanor
