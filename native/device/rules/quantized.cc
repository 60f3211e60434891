// Products with quantized weights. Which layout a weight is packed in: integers where x is rounded to integers; else cells for products in
// f32, or f32 itself where a table is met by many rows, or the product is a convolution.
#include <algorithm>
#include <iterator>

#include "device/packed_weight.h"
#include "device/rules/elementwise.h"
#include "graph/attributes.h"
#include "ops/conv/conv_geometry.h"
#include "ops/quant/quantized_weight.h"
#include "ops/sentences.h"

namespace athanor::device {
namespace {

constexpr Index kFewRows = 16;  // of a product with a table, that look it up cell by cell

QuantCodes codes_of(quant::Kind kind) {
  return kind == quant::Kind::symmetric ? QuantCodes::symmetric
         : kind == quant::Kind::affine  ? QuantCodes::affine
                                        : QuantCodes::codebook;
}

QuantizedWeight sizes_of(const DeviceContext& context, const QuantWeight& weight) {
  const quant::Weights& sizes = weight.sizes();
  const QuantOperands& at = weight.operands();
  QuantizedWeight w;
  w.codes = codes_of(sizes.kind()), w.bits = sizes.bits();
  w.N = sizes.N, w.K = sizes.K, w.group = sizes.group, w.groups = sizes.groups();
  w.q_bytes = context.input_type(at.q).bytes();
  w.scale_dtype = context.input_type(at.scale).dtype;
  w.one_scale = sizes.one_scale, w.one_zero = sizes.one_zero;
  w.table_size = sizes.table_size;
  w.has_own_table = at.table < 0 && sizes.table != nullptr;
  if (w.has_own_table) std::copy_n(sizes.table, std::min<Index>(sizes.table_size, std::size(w.own_table)), w.own_table);
  static const std::uint8_t present = 0;  // what is there is not null
  if (at.zero >= 0) w.zero = &present;
  if (at.bitmap >= 0) w.bitmap = &present;
  return w;
}

struct Packed {
  QuantLayout layout;
  PackedWeight::Place place;
};

Packed pack(DeviceContext& context, const QuantWeight& weight, QuantUse use) {
  QuantPack args;
  args.w = sizes_of(context, weight);
  args.layout = quant_layout(args.w, use);
  const QuantOperands at = weight.operands();
  const auto slot = [&](int operand) { return operand >= 0 ? context.input(operand) : Slot{-1}; };
  const Slot q = slot(at.q), scale = slot(at.scale), zero = slot(at.zero), table = slot(at.table),
             bitmap = slot(at.bitmap);
  const Launcher<QuantPack>& launcher = context.launchers().quant_pack;
  if (launcher.run == nullptr) context.refuse("it has no kernel for it");
  if (const char* reason = launcher.refuses(args)) context.refuse(reason);
  PackedWeight::Plan plan;
  plan.key = "quantized " + std::to_string(static_cast<int>(use)) + " " + to_string(context.attrs());
  for (const int operand : {at.q, at.scale, at.zero, at.table, at.bitmap})
    if (operand >= 0) plan.operands.push_back(operand);
  plan.bytes = args.layout.bytes, plan.workspace = launcher.workspace(args);
  plan.pack = [=, run = launcher.run](Stream* stream, const Addresses& where, std::byte* to, std::byte* workspace,
                                      Check check) {
    QuantPack now = args;
    now.w.q = where.at<const std::uint8_t>(q), now.w.scale = where.at<const void>(scale);
    if (zero >= 0) now.w.zero = where.at<const std::uint8_t>(zero);
    if (table >= 0) now.w.table = where.at<const float>(table);
    if (bitmap >= 0) now.w.bitmap = where.at<const std::uint8_t>(bitmap);
    now.to = to, now.check = check;
    return run(stream, now, workspace);
  };
  plan.sentence = [where = context.where()](const RunRecord&) {
    return Error(Code::corrupt, contradicting_weight(where));
  };
  return {args.layout, PackedWeight::of(context, std::move(plan))};
}

double products(Index m, const QuantLayout& w) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(w.N) * static_cast<double>(w.K);
}

void lower_cells(DeviceContext& context, const Packed& packed, Index m, int act_at) {
  QuantMatmul product;
  product.M = m, product.w = packed.layout, product.is_static = act_at >= 0;
  const auto epilogue = epilogue_of(context);
  const Slot x = context.input(0), y = context.output(), act = act_at >= 0 ? context.input(act_at) : -1;
  context.launch(context.launchers().quant_matmul, product, {products(m, packed.layout), 0},
                 [=, place = packed.place](QuantMatmul& now, const Addresses& at) {
                   now.packed = place(at), now.x = at.at<const float>(x), now.y = at.at<float>(y);
                   if (act >= 0) now.act = at.at<const float>(act);
                   now.epilogue = fill_epilogue(epilogue.get(), at);
                 });
}

void lower_dense(DeviceContext& context, const Packed& packed, Index m) {
  const QuantLayout& w = packed.layout;
  Matmul args;
  args.M = m, args.N = w.N, args.K = w.K;
  args.a.row = w.K, args.a.col = 1, args.b.row = 1, args.b.col = w.K;
  args.ldc = w.N;
  const auto epilogue = epilogue_of(context);
  const Slot x = context.input(0), y = context.output();
  context.launch(context.launchers().matmul, args, {products(m, w), 0},
                 [=, place = packed.place](Matmul& now, const Addresses& at) {
                   now.a.data = at.at(x), now.b.data = place(at) + kQuantCellsAt, now.c = at.at(y);
                   now.epilogue = fill_epilogue(epilogue.get(), at);
                 });
}

ConvShape shape_of(const DeviceContext& context, Index rows) {
  const auto at = attributes::quantized_conv2d::of(context.attrs());
  const Shape& x = context.input_type(0).shape;
  const Shape w{rows, x[1] / at.groups, at.window[0], at.window[1]};
  return conv_shape(x, w, context.attrs());
}

}  // namespace

void lower_quantized_matmul(DeviceContext& context) {
  const QuantWeight weight(context);
  const Shape& x = context.input_type(0).shape;
  const Index m = x.count(0, x.rank() - 1);
  if (activations_of("quantized_matmul", context.attrs()) != Activations::f32)
    return lower_cells(context, pack(context, weight, QuantUse::integers), m, weight.operands().act);
  const QuantizedWeight sizes = sizes_of(context, weight);
  const bool looked_up = sizes.codes == QuantCodes::codebook;
  if ((looked_up && m > kFewRows) || !quant_has_holes_code(sizes))
    return lower_dense(context, pack(context, weight, QuantUse::dense), m);
  lower_cells(context, pack(context, weight, QuantUse::floats), m, -1);
}

void lower_dequantize(DeviceContext& context) {
  const QuantWeight weight(context, 0);
  const Packed packed = pack(context, weight, QuantUse::dense);
  const Slot y = context.output();
  const Index bytes = context.output_type().bytes();
  const auto copy = context.device->plugin().copy;
  context.launch_as("", [=, place = packed.place](Stream* stream, const Addresses& at) {
    return bytes == 0 ? Result::ok : copy(stream, at.at(y), place(at) + kQuantCellsAt, bytes);
  });
}

void lower_quantized_conv2d(DeviceContext& context) {
  const QuantWeight weight(context);
  const ConvShape shape = shape_of(context, weight.sizes().N);
  const bool floats = activations_of("quantized_conv2d", context.attrs()) == Activations::f32;
  const Packed packed = pack(context, weight, floats ? QuantUse::dense : QuantUse::integers);
  const auto epilogue = epilogue_of(context);
  const int act_at = weight.operands().act;
  const Slot x = context.input(0), y = context.output(), act = act_at >= 0 ? context.input(act_at) : -1;
  if (floats) {
    Conv conv;
    conv.args.shape = shape;
    context.launch(context.launchers().conv, conv, {conv_flops(shape), 0},
                   [=, place = packed.place](Conv& now, const Addresses& at) {
                     now.args.x = at.at<const float>(x), now.args.y = at.at<float>(y);
                     now.args.w = reinterpret_cast<const float*>(place(at) + kQuantCellsAt);
                     now.epilogue = fill_epilogue(epilogue.get(), at);
                   });
    return;
  }
  QuantConv conv;
  conv.shape = shape, conv.w = packed.layout, conv.is_static = act_at >= 0;
  context.launch(context.launchers().quant_conv, conv, {conv_flops(shape), 0},
                 [=, place = packed.place](QuantConv& now, const Addresses& at) {
                   now.packed = place(at), now.x = at.at<const float>(x), now.y = at.at<float>(y);
                   if (act >= 0) now.act = at.at<const float>(act);
                   now.epilogue = fill_epilogue(epilogue.get(), at);
                 });
}

}  // namespace athanor::device
