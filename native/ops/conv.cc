// conv2d: x [N, C, H, W], w [O, C / groups, KH, KW] → y [N, O, OH, OW], and its gradients as operations of their own.
// Attributes: stride [h, w], padding [top, bottom, left, right], dilation [h, w], groups.
#include "base/error.h"
#include "graph/body.h"
#include "graph/vjp.h"
#include "ops/require.h"

namespace athanor {
namespace {

ConvShape conv_shape(const Shape& x, const Shape& w, const Attrs& attrs) {
  const auto stride = attrs.list("stride", {1, 1}), padding = attrs.list("padding", {0, 0, 0, 0});
  const auto dilation = attrs.list("dilation", {1, 1});
  ConvShape shape;
  shape.n = x[0], shape.c_in = x[1], shape.h = x[2], shape.w = x[3];
  shape.c_out = w[0], shape.kh = w[2], shape.kw = w[3];
  shape.stride_h = stride[0], shape.stride_w = stride[1];
  shape.pad_top = padding[0], shape.pad_bottom = padding[1], shape.pad_left = padding[2], shape.pad_right = padding[3];
  shape.dilation_h = dilation[0], shape.dilation_w = dilation[1];
  shape.groups = attrs.integer("groups", 1);
  return shape;
}

void check_list(const char* name, const Attrs& attrs, const char* attr, std::size_t size, Index least) {
  if (!attrs.has(attr)) return;
  const auto values = attrs.list(attr);
  bool ok = values.size() == size;
  for (const Index value : values) ok = ok && value >= least && value < (Index{1} << 30);
  check(ok, Code::argument, [&] {
    return std::string(name) + ": " + attr + " takes " + std::to_string(size) + " whole numbers of " +
           std::to_string(least) + " or more, got " + to_string(attrs);
  });
}

void check_conv(const char* name, const Type& x, const Type& w, const Attrs& attrs) {
  check(x.dtype == DType::f32 && w.dtype == DType::f32, Code::dtype, [&] {
    return std::string(name) + ": takes f32, got " + name_of(x.dtype) + " and weights " + name_of(w.dtype) +
           "; cast them first";
  });
  check(x.shape.rank() == 4 && w.shape.rank() == 4, Code::shape, [&] {
    return std::string(name) + ": takes x [N, C, H, W] and w [O, C / groups, KH, KW], got " + to_string(x.shape) +
           " and " + to_string(w.shape);
  });
  check_list(name, attrs, "stride", 2, 1);
  check_list(name, attrs, "dilation", 2, 1);
  check_list(name, attrs, "padding", 4, 0);
  const Index groups = attrs.integer("groups", 1);
  check(groups >= 1 && x.shape[1] % groups == 0 && w.shape[0] % groups == 0, Code::shape, [&] {
    return std::string(name) + ": groups must divide the channels, got " + std::to_string(groups) + " groups for " +
           std::to_string(x.shape[1]) + " input and " + std::to_string(w.shape[0]) + " output channels";
  });
  check(w.shape[1] * groups == x.shape[1], Code::shape, [&] {
    return std::string(name) + ": input has " + std::to_string(x.shape[1]) + " channels, the weights " +
           to_string(w.shape) + " expect " + std::to_string(w.shape[1] * groups) +
           (groups == 1 ? "" : " (" + std::to_string(groups) + " groups)");
  });
  const ConvShape shape = conv_shape(x.shape, w.shape, attrs);
  const Index window_h = shape.dilation_h * (shape.kh - 1) + 1, window_w = shape.dilation_w * (shape.kw - 1) + 1;
  check(shape.kh >= 1 && shape.kw >= 1 && shape.h + shape.pad_top + shape.pad_bottom >= window_h &&
            shape.w + shape.pad_left + shape.pad_right >= window_w,
        Code::shape, [&] {
          return std::string(name) + ": a window of " + std::to_string(window_h) + " × " + std::to_string(window_w) +
                 " does not fit the padded image of " + std::to_string(shape.h + shape.pad_top + shape.pad_bottom) +
                 " × " + std::to_string(shape.w + shape.pad_left + shape.pad_right) +
                 "; add padding or shrink the kernel";
        });
}

Type output_of(const Type& x, const Type& w, const Attrs& attrs) {
  const ConvShape shape = conv_shape(x.shape, w.shape, attrs);
  return {DType::f32, Shape{shape.n, shape.c_out, shape.out_h(), shape.out_w()}};
}

void infer_conv(InferContext& context) {
  const Type &x = context.inputs[0], &w = context.inputs[1];
  check_conv(context.name, x, w, context.attrs);
  context.outputs.push_back(output_of(x, w, context.attrs));
}

Attrs with(Attrs attrs, const char* name, const Shape& shape) {
  attrs.set(name, shape.to_vector());
  return attrs;
}

Attrs geometry(const Attrs& attrs) {
  Attrs kept;
  for (const auto& [name, value] : attrs.entries()) {
    if (name == "stride" || name == "padding" || name == "dilation" || name == "groups") kept.set(name, value);
  }
  return kept;
}

void vjp_conv(VjpContext& context) {
  const Expr x = context.input(0), w = context.input(1), dy = context.dy();
  const Attrs attrs = geometry(context.attrs());
  if (context.wants(0)) context.set(0, apply(Op::conv2d_grad_input, {dy, w}, with(attrs, "shape", x.shape())));
  if (context.wants(1)) context.set(1, apply(Op::conv2d_grad_weight, {x, dy}, with(attrs, "shape", w.shape())));
}

// dx from dy and w; "shape" is x's.
void infer_grad_input(InferContext& context) {
  const Type x = image_attr(context);
  const Type& w = context.inputs[1];
  check_conv(context.name, x, w, context.attrs);
  require_type(context, 0, "dy", output_of(x, w, context.attrs));
  context.outputs.push_back(x);
}

// dw from x and dy; "shape" is w's.
void infer_grad_weight(InferContext& context) {
  const Type w = image_attr(context);
  const Type& x = context.inputs[0];
  check_conv(context.name, x, w, context.attrs);
  require_type(context, 1, "dy", output_of(x, w, context.attrs));
  context.outputs.push_back(w);
}

// Both gradients are bilinear: theirs are a convolution of the other kind.
void vjp_grad_input(VjpContext& context) {
  const Expr dy = context.input(0), w = context.input(1), g = context.dy();  // g: like x
  const Attrs attrs = geometry(context.attrs());
  if (context.wants(0)) context.set(0, apply(Op::conv2d, {g, w}, attrs));
  if (context.wants(1)) context.set(1, apply(Op::conv2d_grad_weight, {g, dy}, with(attrs, "shape", w.shape())));
}

// dw from x and dy; "shape" is w's.
void vjp_grad_weight(VjpContext& context) {
  const Expr x = context.input(0), dy = context.input(1), g = context.dy();  // g: like w
  const Attrs attrs = geometry(context.attrs());
  if (context.wants(0)) context.set(0, apply(Op::conv2d_grad_input, {dy, g}, with(attrs, "shape", x.shape())));
  if (context.wants(1)) context.set(1, apply(Op::conv2d, {x, g}, attrs));
}

double flops_of(const ConvShape& s) {
  return 2.0 * static_cast<double>(s.n * s.c_out * s.out_h() * s.out_w()) *
         static_cast<double>(s.c_in / s.groups * s.kh * s.kw);
}

// Weights that no step of this program changes are packed once for all runs; -1 where they are not packed.
Slot packed_weights(LowerContext& context, const ConvShape& shape) {
  const ConvKernels& conv = context.kernels.conv;
  const Index floats = conv.packed_size(shape);
  if (floats == 0 || shape.groups == shape.c_in) return -1;
  const std::string key = std::string(context.kernels.isa) + " " + to_string(context.input_type(1).shape) + " " +
                          to_string(context.attrs());
  return context.prepared({1}, key, [=](std::span<const std::byte* const> operands, Parallel& parallel) {
    Block block(floats * static_cast<Index>(sizeof(float)));
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
  context.emit({flops_of(args.shape), 0}, [=](Execution& run) {
    ConvForwardArgs now = args;
    now.x = run.at<const float>(x), now.w = run.at<const float>(w), now.y = run.at<float>(y);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_grad_input(LowerContext& context) {
  ConvBackwardDataArgs args;
  args.shape = conv_shape(Shape(context.attrs().list("shape")), context.input_type(1).shape, context.attrs());
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, args.shape.c_in);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot dy = context.input(0), w = context.input(1), dx = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.backward_data_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.backward_data;
  context.emit({flops_of(args.shape), 0}, [=](Execution& run) {
    ConvBackwardDataArgs now = args;
    now.dy = run.at<const float>(dy), now.w = run.at<const float>(w), now.dx = run.at<float>(dx);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_grad_weight(LowerContext& context) {
  ConvBackwardWeightsArgs args;
  args.shape = conv_shape(context.input_type(0).shape, Shape(context.attrs().list("shape")), context.attrs());
  const Slot x = context.input(0), dy = context.input(1), dw = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.backward_weights_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.backward_weights;
  context.emit({flops_of(args.shape), 0}, [=](Execution& run) {
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
