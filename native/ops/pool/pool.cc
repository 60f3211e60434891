// Max and average pooling of [N, C, H, W]. Attributes: kernel [h, w], stride [h, w], padding [top, bottom, left, right],
// dilation [h, w] (max), count_padding (average).
#include <limits>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/body/epilogue.h"
#include "graph/vjp.h"
#include "ops/pool/pool_geometry.h"
#include "ops/require.h"

namespace athanor {
PoolShape pool_shape(const Shape& x, const Attrs& attrs) {
  const auto [kernel, given, padding, dilation] = attributes::max_pool2d::of(attrs);
  const auto stride = given.value_or(kernel);
  PoolShape shape;
  shape.n = x[0], shape.c = x[1], shape.h = x[2], shape.w = x[3];
  shape.kh = kernel[0], shape.kw = kernel[1];
  shape.stride_h = stride[0], shape.stride_w = stride[1];
  shape.pad_top = padding[0], shape.pad_bottom = padding[1], shape.pad_left = padding[2], shape.pad_right = padding[3];
  shape.dilation_h = dilation[0], shape.dilation_w = dilation[1];
  return shape;
}

namespace {

void check_list(const char* name, const Attrs& attrs, const char* attr, std::size_t size, Index least) {
  const auto values = attrs.list(attr, std::vector<Index>(size, least));
  bool ok = values.size() == size;
  for (const Index value : values) ok = ok && value >= least && value < (Index{1} << 30);
  check(ok, Code::argument, [&] {
    return std::string(name) + ": " + attr + " takes " + std::to_string(size) + " whole numbers of " +
           std::to_string(least) + " or more, got " + to_string(attrs);
  });
}

PoolShape checked_shape(InferContext& context, const Type& x) {
  check(x.dtype == DType::f32 && x.shape.rank() == 4, x.dtype == DType::f32 ? Code::shape : Code::dtype,
        [&] { return std::string(context.name) + ": takes f32 [N, C, H, W], got " + to_string(x); });
  check_list(context.name, context.attrs, "kernel", 2, 1);
  check_list(context.name, context.attrs, "stride", 2, 1);
  check_list(context.name, context.attrs, "padding", 4, 0);
  check_list(context.name, context.attrs, "dilation", 2, 1);
  const PoolShape shape = pool_shape(x.shape, context.attrs);
  const Index window_h = shape.dilation_h * (shape.kh - 1) + 1, window_w = shape.dilation_w * (shape.kw - 1) + 1;
  check(
      shape.h + shape.pad_top + shape.pad_bottom >= window_h && shape.w + shape.pad_left + shape.pad_right >= window_w,
      Code::shape, [&] {
        return std::string(context.name) + ": a window of " + std::to_string(window_h) + " × " +
               std::to_string(window_w) + " does not fit the padded image " + to_string(x.shape) +
               "; add padding or shrink the kernel";
      });
  // A window may not lie in padding alone: it has no largest element, and no mean of its own.
  const Index most_h = window_h / 2, most_w = window_w / 2;
  check(shape.pad_top <= most_h && shape.pad_bottom <= most_h && shape.pad_left <= most_w && shape.pad_right <= most_w,
        Code::argument, [&] {
          return std::string(context.name) + ": padding may be at most half the window, " + std::to_string(most_h) +
                 " of " + std::to_string(window_h) + " rows and " + std::to_string(most_w) + " of " +
                 std::to_string(window_w) + " columns, got top " + std::to_string(shape.pad_top) + ", bottom " +
                 std::to_string(shape.pad_bottom) + ", left " + std::to_string(shape.pad_left) + " and right " +
                 std::to_string(shape.pad_right) + "; pad the image itself (x.pad) for more";
        });
  return shape;
}

// Outputs: y, and which tap of its window each came from (u8 for windows of up to 255, else i32).
void infer_max(InferContext& context) {
  const PoolShape shape = checked_shape(context, context.inputs[0]);
  const Shape y{shape.n, shape.c, shape.out_h(), shape.out_w()};
  context.outputs.push_back({DType::f32, y});
  context.outputs.push_back({shape.taps_fit_u8() ? DType::u8 : DType::i32, y});
}

void infer_average(InferContext& context) {
  const PoolShape shape = checked_shape(context, context.inputs[0]);
  context.outputs.push_back({DType::f32, Shape{shape.n, shape.c, shape.out_h(), shape.out_w()}});
}

Attrs with_shape(Attrs attrs, const Shape& shape) {
  attrs.set("shape", shape.to_vector());
  return attrs;
}

void vjp_max(VjpContext& context) {
  if (!context.dy(0)) return;
  context.set(0, apply(Op::max_pool2d_grad, {context.dy(0), context.output(1)},
                       with_shape(context.attrs(), context.input(0).shape())));
}

void vjp_average(VjpContext& context) {
  context.set(0, apply(Op::avg_pool2d_grad, {context.dy()}, with_shape(context.attrs(), context.input(0).shape())));
}

// dx from dy (and taps); "shape" is x's.
template <bool max>
void infer_grad(InferContext& context) {
  const Type x = image_attr(context);
  const PoolShape shape = checked_shape(context, x);
  const Shape y{shape.n, shape.c, shape.out_h(), shape.out_w()};
  require_type(context, 0, "dy", {DType::f32, y});
  if (max) require_type(context, 1, "the taps", {shape.taps_fit_u8() ? DType::u8 : DType::i32, y});
  context.outputs.push_back(x);
}

// Average pooling is linear: the gradient of its gradient is the pooling again.
void vjp_average_grad(VjpContext& context) {
  Attrs attrs;
  for (const auto& [name, value] : context.attrs().entries()) {
    if (name != "shape") attrs.set(name, value);
  }
  context.set(0, apply(Op::avg_pool2d, {context.dy()}, attrs));
}

PoolTaps taps_at(Execution& run, Slot slot, bool narrow) {
  PoolTaps taps;
  if (narrow) {
    taps.u8 = run.at<std::uint8_t>(slot);
  } else {
    taps.i32 = run.at<std::int32_t>(slot);
  }
  return taps;
}

void lower_max(LowerContext& context) {
  const PoolShape shape = pool_shape(context.input_type(0).shape, context.attrs());
  const bool keep = context.is_used(1), narrow = shape.taps_fit_u8();
  const Slot x = context.input(0), y = context.output(0), taps = context.output(1);
  const auto kernel = context.kernels.pool.max;
  context.emit({}, [=](Execution& run) {
    MaxPoolArgs args;
    args.shape = shape;
    args.x = run.at<const float>(x), args.y = run.at<float>(y);
    if (keep) args.taps = taps_at(run, taps, narrow);
    kernel(args, run.parallel);
  });
}

void lower_max_grad(LowerContext& context) {
  const PoolShape shape = pool_shape(context.output_type().shape, context.attrs());
  const bool narrow = shape.taps_fit_u8();
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, shape.c);
  const Slot dy = context.input(0), taps = context.input(1), dx = context.output();
  const auto kernel = context.kernels.pool.max_backward;
  context.emit({}, [=](Execution& run) {
    MaxPoolBackwardArgs args;
    args.shape = shape;
    args.epilogue = epilogue ? Epilogue::call : nullptr;
    args.epilogue_self = epilogue.get();
    if (epilogue) epilogue->bind(run);
    args.dy = run.at<const float>(dy), args.dx = run.at<float>(dx);
    args.taps = taps_at(run, taps, narrow);
    kernel(args, run.parallel);
  });
}

void lower_average(LowerContext& context) {
  const PoolShape shape = pool_shape(context.input_type(0).shape, context.attrs());
  const bool count = attributes::avg_pool2d::of(context.attrs()).count_padding;
  const Slot x = context.input(0), y = context.output();
  const auto kernel = context.kernels.pool.average;
  context.emit({}, [=](Execution& run) {
    AveragePoolArgs args;
    args.shape = shape, args.count_padding = count;
    args.x = run.at<const float>(x), args.y = run.at<float>(y);
    kernel(args, run.parallel);
  });
}

void lower_average_grad(LowerContext& context) {
  const PoolShape shape = pool_shape(context.output_type().shape, context.attrs());
  const bool count = attributes::avg_pool2d::of(context.attrs()).count_padding;
  const Slot dy = context.input(0), dx = context.output();
  const auto kernel = context.kernels.pool.average_backward;
  context.emit({}, [=](Execution& run) {
    AveragePoolBackwardArgs args;
    args.shape = shape, args.count_padding = count;
    args.dy = run.at<const float>(dy), args.dx = run.at<float>(dx);
    kernel(args, run.parallel);
  });
}

}  // namespace

const OpRule rule_max_pool2d{infer_max, vjp_max, lower_max};
const OpRule rule_max_pool2d_grad{infer_grad<true>, nullptr, lower_max_grad};
const OpRule rule_avg_pool2d{infer_average, vjp_average, lower_average};
const OpRule rule_avg_pool2d_grad{infer_grad<false>, vjp_average_grad, lower_average_grad};

}  // namespace athanor
