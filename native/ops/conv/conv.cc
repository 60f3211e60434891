// conv2d: x [N, C, H, W], w [O, C / groups, KH, KW] → y [N, O, OH, OW], and its gradients as operations of their own.
// Attributes: ops/conv/conv_geometry.h.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/body/epilogue.h"
#include "graph/vjp.h"
#include "ops/conv/conv_geometry.h"
#include "ops/require.h"

namespace athanor {
namespace {

void infer_conv(InferContext& context) {
  const Type &x = context.inputs[0], &w = context.inputs[1];
  check_conv(context.name, x, w, context.attrs);
  context.outputs.push_back(conv_output(x, w, context.attrs));
}

void vjp_conv(VjpContext& context) {
  const Expr x = context.input(0), w = context.input(1), dy = context.dy();
  const Attrs attrs = conv_geometry(context.attrs());
  if (context.wants(0)) context.set(0, apply(Op::conv2d_grad_input, {dy, w}, conv_geometry(attrs, x.shape())));
  if (context.wants(1)) context.set(1, apply(Op::conv2d_grad_weight, {x, dy}, conv_geometry(attrs, w.shape())));
}

// dx from dy and w; "shape" is x's.
void infer_grad_input(InferContext& context) {
  const Type x = image_attr(context);
  const Type& w = context.inputs[1];
  check_conv(context.name, x, w, context.attrs);
  require_type(context, 0, "dy", conv_output(x, w, context.attrs));
  context.outputs.push_back(x);
}

// dw from x and dy; "shape" is w's.
void infer_grad_weight(InferContext& context) {
  const Type w = image_attr(context);
  const Type& x = context.inputs[0];
  check_conv(context.name, x, w, context.attrs);
  require_type(context, 1, "dy", conv_output(x, w, context.attrs));
  context.outputs.push_back(w);
}

// Both gradients are bilinear: theirs are a convolution of the other kind.
void vjp_grad_input(VjpContext& context) {
  const Expr dy = context.input(0), w = context.input(1), g = context.dy();  // g: like x
  const Attrs attrs = conv_geometry(context.attrs());
  if (context.wants(0)) context.set(0, apply(Op::conv2d, {g, w}, attrs));
  if (context.wants(1)) context.set(1, apply(Op::conv2d_grad_weight, {g, dy}, conv_geometry(attrs, w.shape())));
}

// dw from x and dy; "shape" is w's.
void vjp_grad_weight(VjpContext& context) {
  const Expr x = context.input(0), dy = context.input(1), g = context.dy();  // g: like w
  const Attrs attrs = conv_geometry(context.attrs());
  if (context.wants(0)) context.set(0, apply(Op::conv2d_grad_input, {dy, g}, conv_geometry(attrs, x.shape())));
  if (context.wants(1)) context.set(1, apply(Op::conv2d, {x, g}, attrs));
}

// Weights that no step of this program changes are packed once for all runs; -1 where they are not packed.
Slot packed_weights(LowerContext& context, const ConvShape& shape) {
  if (!wants_packed_weights(shape)) return -1;
  const ConvKernels& conv = context.kernels.conv;
  const std::string key = std::string(context.kernels.isa) + " " + to_string(context.input_type(1).shape) + " " +
                          to_string(context.attrs());
  return context.prepared({1}, key, [=](std::span<const std::byte* const> operands, Parallel& parallel) {
    Block block(conv.packed_size(shape) * static_cast<Index>(sizeof(float)));
    conv.pack_forward(shape, reinterpret_cast<const float*>(operands[0]), reinterpret_cast<float*>(block.data()),
                      parallel);
    return block;
  });
}

void lower_conv(LowerContext& context) {
  ConvForwardArgs args;
  args.shape = conv_shape(context.input_type(0).shape, context.input_type(1).shape, context.attrs());
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, args.shape.c_out);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot packed = packed_weights(context, args.shape);
  args.w_packed = packed >= 0;
  const Slot x = context.input(0), w = packed >= 0 ? packed : context.input(1), y = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.forward_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.forward;
  context.emit({conv_flops(args.shape), 0}, [=](Execution& run) {
    ConvForwardArgs now = args;
    now.x = run.at<const float>(x), now.w = run.at<const float>(w), now.y = run.at<float>(y);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_grad_input(LowerContext& context) {
  ConvBackwardDataArgs args;
  args.shape = conv_shape(Shape(attributes::conv2d_grad_input::of(context.attrs()).shape), context.input_type(1).shape,
                          context.attrs());
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, args.shape.c_in);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot dy = context.input(0), w = context.input(1), dx = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.backward_data_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.backward_data;
  context.emit({conv_flops(args.shape), 0}, [=](Execution& run) {
    ConvBackwardDataArgs now = args;
    now.dy = run.at<const float>(dy), now.w = run.at<const float>(w), now.dx = run.at<float>(dx);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_grad_weight(LowerContext& context) {
  ConvBackwardWeightsArgs args;
  args.shape = conv_shape(context.input_type(0).shape, Shape(attributes::conv2d_grad_input::of(context.attrs()).shape),
                          context.attrs());
  const Slot x = context.input(0), dy = context.input(1), dw = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.backward_weights_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.backward_weights;
  context.emit({conv_flops(args.shape), 0}, [=](Execution& run) {
    ConvBackwardWeightsArgs now = args;
    now.x = run.at<const float>(x), now.dy = run.at<const float>(dy), now.dw = run.at<float>(dw);
    kernel(now, run.parallel, run.at(workspace));
  });
}

}  // namespace

const OpRule rule_conv2d{infer_conv, vjp_conv, lower_conv};
const OpRule rule_conv2d_grad_input{infer_grad_input, vjp_grad_input, lower_grad_input};
const OpRule rule_conv2d_grad_weight{infer_grad_weight, vjp_grad_weight, lower_grad_weight};

}  // namespace athanor
