// Products with a quantized weight W [N, K]. The operands that follow x, in this order; those in brackets are there where the
// attribute of that name is true:
//   q u8, scale f32 or bf16 (u8 for formats of e8m0) [N, G] or [1, 1], (zero u8 [N, G] or [1, 1]), (table f32 [C]), (bitmap u8 [N, ceil(K / 8)]), (act f32 [2])
// in the layouts of formats/weights.h, for a convolution with N = O and K = C / groups * KH * KW. Attributes:
//   format       a row of formats/formats.def, which says what of them there is
//   inner        K                       group  k that share a scale, so G = ceil(K / group); K for one scale a row
//   activations  "float" (default): x is used as it is, the weights are scale * value in f32
//                "dynamic": every row of x (image of a convolution) is rounded to integers in [-127, 127] of the step max |x| / 127
//                "static": x is rounded to integers of the step act[0] with the zero point act[1], a whole number in [0, 255]
//   layout       "auto" (default), or with float activations "panels" or "dense" instead of the choice of quant/choice.h
// The integers, the order of the scales and what NaN and infinity do are in kernels/quant/quant.h; a codebook's integers in formats/weights.h.
//   quantized_matmul(x f32 […, K], …) → f32 […, N] = x · Wᵀ
//   dequantize(the weight alone) → f32 [N, K]
//   quantized_conv2d(x f32 [N, C, H, W], …; window [KH, KW], stride, padding, dilation, groups as conv2d) → f32 [N, O, OH, OW]
// None has a gradient: fake quantization has, and equals the integer kernels in the integers.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/body/epilogue.h"
#include "ops/quant/quantized_weight.h"
#include "quant/choice.h"

namespace athanor {
namespace {

void infer(InferContext& context) {
  check(!context.inputs.empty(), Code::argument, [&] { return std::string(context.name) + ": takes x and a weight"; });
  const Index n = check_quant_weight(context), inner = attributes::quantized_matmul::of(context.attrs).inner;
  const Type& x = context.inputs[0];
  check(x.dtype == DType::f32 && x.shape.rank() >= 1 && x.shape.back() == inner, Code::shape, [&] {
    return std::string(context.name) + ": x must be f32 […, " + std::to_string(inner) + "] for a weight of " +
           std::to_string(inner) + " columns, got " + to_string(x);
  });
  Type y = x;
  y.shape[y.shape.rank() - 1] = n;
  context.outputs.push_back(y);
}

// The values of the weight alone.
void infer_values(InferContext& context) {
  const Index n = check_quant_weight(context, 0);
  context.outputs.push_back({DType::f32, Shape{n, attributes::dequantize::of(context.attrs).inner}});
}

void lower_values(LowerContext& context) {
  const QuantWeight weight(context, 0);
  const Slot y = context.output();
  context.emit({static_cast<double>(context.output_type().count()), 0}, [=](Execution& run) {
    const quant::Weights now = weight.bind(run);
    weight.require_consistent(now);
    dequantize_rows(now, run.at<float>(y), run.parallel);
  });
}

double products(Index m, const quant::Weights& w) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(w.N) * static_cast<double>(w.K);
}

void lower_integers(LowerContext& context, const QuantWeight& weight, Index m) {
  const bool is_static = weight.operands().act >= 0;
  QuantMatmulArgs args;
  args.M = m;
  args.w = quant::panels_of(weight.sizes(), context.kernels.quant.layout(weight.sizes(), is_static));
  const Slot packed = weight.panels(context, args.w, 1);
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 1, m);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot x = context.input(0), y = context.output(), act = is_static ? context.input(weight.operands().act) : -1;
  const Slot workspace = context.workspace(context.kernels.quant.workspace(args, context.workers));
  const auto kernel = context.kernels.quant.matmul;
  context.emit({products(m, weight.sizes()), 0}, [=](Execution& run) {
    QuantMatmulArgs now = args;
    now.x = run.at<const float>(x), now.y = run.at<float>(y), now.packed = run.at<const std::byte>(packed);
    if (act >= 0) now.act = run.at<const float>(act);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower_float(LowerContext& context, const QuantWeight& weight, Index m) {
  QuantFloatArgs args;
  args.M = m;
  args.w = quant::panels_of(weight.sizes(), context.kernels.quant.float_layout(weight.sizes()));
  const Slot packed = weight.panels(context, args.w, 1);
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 1, m);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot x = context.input(0), y = context.output();
  const Slot workspace = context.workspace(context.kernels.quant.float_workspace(args, context.workers));
  const auto kernel = context.kernels.quant.float_matmul;
  context.emit({products(m, weight.sizes()), 0}, [=](Execution& run) {
    QuantFloatArgs now = args;
    now.x = run.at<const float>(x), now.y = run.at<float>(y), now.packed = run.at<const std::byte>(packed);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

// Dequantized once for all runs into what the product of a dense weight reads: that one's speed, and its memory.
void lower_dense(LowerContext& context, const QuantWeight& weight, Index m) {
  const quant::Weights sizes = weight.sizes();
  GemmArgs args;
  args.M = m, args.N = sizes.N, args.K = sizes.K;
  args.a.row = sizes.K, args.a.col = 1;
  args.b.row = 1, args.b.col = sizes.K;
  args.ldc = sizes.N;
  args.b_packed = wants_packed_b(args) && weight.is_fixed(context);
  const GemmKernels& gemm = context.kernels.gemm;
  const auto pack = [&gemm, args](const float* values, std::byte* to, Parallel& parallel) {
    GemmArgs whole = args;
    whole.b.data = values;
    gemm.pack_b(whole, reinterpret_cast<float*>(to), parallel);
  };
  const Slot dense =
      args.b_packed ? weight.dequantized(context, std::string("packed ") + context.kernels.isa,
                                         gemm.packed_size(args.K, args.N) * static_cast<Index>(sizeof(float)), pack)
                    : weight.dequantized(context);
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 1, m);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot x = context.input(0), y = context.output();
  const Slot workspace = context.workspace(context.kernels.gemm.workspace(args, context.workers));
  const auto kernel = context.kernels.gemm.run;
  context.emit({products(m, sizes), 0}, [=](Execution& run) {
    GemmArgs now = args;
    now.a.data = run.at<const float>(x), now.b.data = run.at<const float>(dense), now.c = run.at<float>(y);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

void lower(LowerContext& context) {
  const QuantWeight weight(context);
  const Shape& x = context.input_type(0).shape;
  const Index m = x.count(0, x.rank() - 1);
  if (activations_of("quantized_matmul", context.attrs()) != Activations::f32)
    lower_integers(context, weight, m);
  else if (quant::takes_panels(weight.sizes(), m, attributes::quantized_matmul::of(context.attrs()).layout))
    lower_float(context, weight, m);
  else
    lower_dense(context, weight, m);
}

}  // namespace

const OpRule rule_quantized_matmul{infer, nullptr, lower};
const OpRule rule_dequantize{infer_values, nullptr, lower_values};

}  // namespace athanor
