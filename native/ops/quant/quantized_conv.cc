// Convolution with a quantized weight; the contract is at the head of ops/quant/quantized.cc.
#include <cstring>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/body/epilogue.h"
#include "ops/conv/conv_geometry.h"
#include "ops/quant/quantized_weight.h"

namespace athanor {
namespace {

// The weight as conv2d's: [O, C / groups, KH, KW].
Type dense_weight(const Type& x, Index rows, const Attrs& attrs) {
  const auto at = attributes::quantized_conv2d::of(attrs);
  const auto& window = at.window;
  return {DType::f32, Shape{rows, x.shape[1] / at.groups, window[0], window[1]}};
}

void infer(InferContext& context) {
  check(!context.inputs.empty(), Code::argument, [&] { return std::string(context.name) + ": takes x and a weight"; });
  const Attrs& attrs = context.attrs;
  const Index rows = check_quant_weight(context);
  const Type& x = context.inputs[0];
  const auto at = attributes::quantized_conv2d::of(attrs);
  const auto& window = at.window;
  check(window.size() == 2 && window[0] >= 1 && window[1] >= 1 && at.groups >= 1, Code::argument, [&] {
    return std::string(context.name) + ": window takes 2 whole numbers of 1 or more and groups is 1 or more, got " +
           to_string(attrs);
  });
  check(x.dtype == DType::f32 && x.shape.rank() == 4, Code::shape,
        [&] { return std::string(context.name) + ": x must be f32 [N, C, H, W], got " + to_string(x); });
  const Type w = dense_weight(x, rows, attrs);
  check_conv(context.name, x, w, attrs);
  check(w.shape.count(1) == at.inner, Code::shape, [&] {
    return std::string(context.name) + ": a weight for " + std::to_string(x.shape[1]) +
           " channels and this window has " + std::to_string(w.shape.count(1)) + " columns, got " +
           std::to_string(at.inner);
  });
  context.outputs.push_back(conv_output(x, w, attrs));
}

template <class Args>
std::shared_ptr<Epilogue> add_epilogue(const LowerContext& context, Args& args) {
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, args.shape.c_out);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  return epilogue;
}

void lower_integers(LowerContext& context, const QuantWeight& weight, const ConvShape& shape) {
  QuantConvArgs args;
  args.shape = shape;
  args.w = quant::panels_of(weight.sizes(), context.kernels.quant.conv_layout());
  const Slot packed = weight.panels(context, args.w, args.w.groups == 1 ? shape.kh * shape.kw : 1);
  const std::shared_ptr<Epilogue> epilogue = add_epilogue(context, args);
  const int act_at = weight.operands().act;
  const Slot x = context.input(0), y = context.output(), act = act_at >= 0 ? context.input(act_at) : -1;
  const Slot workspace = context.workspace(context.kernels.quant.conv_workspace(args, context.workers));
  const auto kernel = context.kernels.quant.conv;
  context.emit({conv_flops(shape), 0}, [=](Execution& run) {
    QuantConvArgs now = args;
    now.x = run.at<const float>(x), now.y = run.at<float>(y), now.packed = run.at<const std::byte>(packed);
    if (act >= 0) now.act = run.at<const float>(act);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_float(LowerContext& context, const QuantWeight& weight, const ConvShape& shape) {
  ConvForwardArgs args;
  args.shape = shape;
  args.w_packed = wants_packed_weights(shape) && weight.is_fixed(context);
  const ConvKernels& conv = context.kernels.conv;
  const auto pack = [&conv, shape](const float* values, std::byte* to, Parallel& parallel) {
    conv.pack_forward(shape, values, reinterpret_cast<float*>(to), parallel);
  };
  const Slot w =
      args.w_packed
          ? weight.dequantized(context, std::string("packed ") + context.kernels.isa + " " + to_string(context.attrs()),
                               conv.packed_size(shape) * static_cast<Index>(sizeof(float)), pack)
          : weight.dequantized(context);
  const std::shared_ptr<Epilogue> epilogue = add_epilogue(context, args);
  const Slot x = context.input(0), y = context.output();
  const Slot workspace = context.workspace(context.kernels.conv.forward_workspace(args, context.workers));
  const auto kernel = context.kernels.conv.forward;
  context.emit({conv_flops(shape), 0}, [=](Execution& run) {
    ConvForwardArgs now = args;
    now.x = run.at<const float>(x), now.w = run.at<const float>(w), now.y = run.at<float>(y);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

// Sums of at most 2^24 are exact in f32, in which convolutions read images where they lie: faster than to gather windows of
// integers, and the same bits. 255 · 128 · 513 < 2^24.
bool fits_f32(const quant::Weights& w) {
  const Index largest = w.kind() == quant::Kind::affine ? 255 : 128;
  return w.groups() == 1 && w.K * 255 * largest <= Index{1} << 24;
}

// What the f32 convolution calls on its segments of y: scales, then the program's own epilogue.
struct ScalingEpilogue {
  void (*scale)(float* c, Index count, float scale, float factor);
  const float* scales;
  const float* factors;
  const Epilogue* next;
  static void call(const void* self, float* c, Index row, Index col, Index cols, Index batch) {
    const auto& s = *static_cast<const ScalingEpilogue*>(self);
    s.scale(c, cols, s.scales[row], s.factors[batch]);
    if (s.next != nullptr) Epilogue::call(s.next, c, row, col, cols, batch);
  }
};

void lower_exact_f32(LowerContext& context, const QuantWeight& weight, const ConvShape& shape) {
  ConvForwardArgs args;
  args.shape = shape;
  args.w_packed = wants_packed_weights(shape) && weight.is_fixed(context);
  const ConvKernels& conv = context.kernels.conv;
  const Index count = weight.sizes().N * weight.sizes().K;
  const auto arrange = [&conv, shape, count, packs = args.w_packed](const float* w, std::byte* to, Parallel& parallel) {
    if (packs)
      conv.pack_forward(shape, w, reinterpret_cast<float*>(to), parallel);
    else
      std::memcpy(to, w, static_cast<std::size_t>(count) * 4);
  };
  const std::string name =
      args.w_packed ? std::string("packed ") + context.kernels.isa + " " + to_string(context.attrs()) : "f32";
  const Slot w = weight.integers(context, name, (args.w_packed ? conv.packed_size(shape) : count) * 4, arrange);
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 2, shape.c_out);
  args.epilogue = ScalingEpilogue::call;
  const int act_at = weight.operands().act;
  const Slot x = context.input(0), y = context.output(), act = act_at >= 0 ? context.input(act_at) : -1;
  const Index length = shape.c_in * shape.h * shape.w, factors_at = (shape.n * length * 4 + 63) / 64 * 64;
  const Slot images = context.workspace(factors_at + shape.n * 4);
  const Slot workspace = context.workspace(conv.forward_workspace(args, context.workers));
  const QuantKernels& quantized = context.kernels.quant;
  context.emit({conv_flops(shape), 0}, [=, &quantized, kernel = conv.forward](Execution& run) {
    const QuantWeight::Integers integers = weight.integers_at(run.at<const std::byte>(w));
    QuantRoundArgs rounding{shape.n, length, run.at<const float>(x)};
    rounding.act = act >= 0 ? run.at<const float>(act) : nullptr;
    rounding.unit = integers.unit;
    rounding.to = run.at<float>(images);
    rounding.factors = reinterpret_cast<float*>(run.at<std::byte>(images) + factors_at);
    quantized.round(rounding, run.parallel);
    if (epilogue) epilogue->bind(run);
    const ScalingEpilogue scaling{quantized.scale, integers.scales, rounding.factors, epilogue.get()};
    ConvForwardArgs now = args;
    now.x = rounding.to, now.w = integers.values, now.y = run.at<float>(y);
    now.epilogue_self = &scaling;
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower(LowerContext& context) {
  const QuantWeight weight(context);
  const Type& x = context.input_type(0);
  const ConvShape shape =
      conv_shape(x.shape, dense_weight(x, weight.sizes().N, context.attrs()).shape, context.attrs());
  if (activations_of("quantized_conv2d", context.attrs()) == Activations::f32)
    lower_float(context, weight, shape);
  else if (fits_f32(weight.sizes()))
    lower_exact_f32(context, weight, shape);
  else
    lower_integers(context, weight, shape);
}

}  // namespace

const OpRule rule_quantized_conv2d{infer, nullptr, lower};

}  // namespace athanor
