// Convolution with a sparse weight [O, C / groups, KH, KW], given as bitmap u8 [O, ceil(C / groups * KH * KW / 8)] and values f32 [nnz]
// (sparse/bitmap.h), and its gradients. Attributes: those of conv2d (ops/conv/conv_geometry.h), and kernel [KH, KW].
//   sparse_conv2d(x f32 [N, C, H, W], bitmap, values) → [N, O, OH, OW]
//   sparse_conv2d_grad_input(dy [N, O, OH, OW], bitmap, values; shape of x) → [N, C, H, W]
//   sparse_conv2d_grad_values(x, dy, bitmap; nnz) → [nnz]
//
// Fixed weights are laid out once, dense or sparse as sparse/choice.h picks; those that a program changes are expanded in every run.
// layout ("auto", "dense", "1x1", "4x1") overrides the choice, for tests and measurements.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/body/epilogue.h"
#include "graph/vjp.h"
#include "kernels/sparse/sparse_conv.h"
#include "ops/conv/conv_geometry.h"
#include "ops/require.h"
#include "ops/sparse/sparse_weight.h"
#include "sparse/choice.h"
#include "sparse/panels.h"

namespace athanor {
namespace {

// The weight's shape as a dense tensor.
Type weight_of(const Type& x, const Type& bitmap, const Attrs& attrs) {
  const auto at = attributes::sparse_conv2d::of(attrs);
  const auto& kernel = at.kernel;
  const Index groups = at.groups;
  return {DType::f32, Shape{bitmap.shape[0], groups > 0 ? x.shape[1] / groups : 0, kernel[0], kernel[1]}};
}

// Checks the geometry for images x and the operands bitmap and (where it is not -1) values; returns the weight's type.
Type require_weight(const InferContext& context, const Type& x, int bitmap, int values) {
  const std::string name = context.name;
  const auto kernel = attributes::sparse_conv2d::of(context.attrs).kernel;
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
  kept.set("kernel", attributes::sparse_conv2d::of(attrs).kernel);
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

// What a prepared block holds behind its header.
enum class SparseLayout : std::int32_t { panels, dense, dense_packed };
constexpr Index kHeaderBytes = 64;

Block with_header(SparseLayout stored, Index bytes) {
  Block block(kHeaderBytes + bytes);
  std::memcpy(block.data(), &stored, sizeof(stored));
  return block;
}

// Makes the weight's block of the bitmap and its values.
struct Preparation {
  ConvShape shape;
  Index columns, nnz;
  const KernelTable* kernels;
  std::string where, layout;

  Block operator()(std::span<const std::byte* const> operands, Parallel& parallel) const {
    const sparse::Bitmap bitmap{shape.c_out, columns, reinterpret_cast<const std::uint8_t*>(operands[0])};
    const auto* values = reinterpret_cast<const float*>(operands[1]);
    sparse::check_bitmap(where, bitmap, nnz);
    const sparse::Pattern pattern = sparse::pattern_of(bitmap);
    const sparse::Choice choice = sparse::choose_conv(pattern, shape, kernels->lanes, layout);
    if (choice.layout == sparse::Choice::Layout::dense) return dense(bitmap, values, parallel);
    const SparseConvPlan plan = plan_sparse_conv(shape);
    sparse::PanelOptions options{choice.shape, choice.block_columns, kSparseConvPanelRows, {}, false};
    for (Index c = 0; c < shape.c_in; ++c)
      for (Index kh = 0; kh < shape.kh; ++kh)
        for (Index kw = 0; kw < shape.kw; ++kw)
          options.offsets.push_back(static_cast<std::uint16_t>(plan.offset(shape, c, kh, kw)));
    static constexpr float kNone = 0;  // no values at all may have no address
    const auto panels = sparse::pack_panels(pattern, options, values == nullptr ? &kNone : values);
    Block block = with_header(SparseLayout::panels, static_cast<Index>(panels.size()));
    std::memcpy(block.data() + kHeaderBytes, panels.data(), panels.size());
    return block;
  }

 private:
  Block dense(const sparse::Bitmap& bitmap, const float* values, Parallel& parallel) const {
    Block expanded = with_header(SparseLayout::dense, shape.c_out * columns * static_cast<Index>(sizeof(float)));
    auto* weight = reinterpret_cast<float*>(expanded.data() + kHeaderBytes);
    std::vector<Index> starts(static_cast<std::size_t>(bitmap.rows + 1));
    sparse::row_starts(bitmap, starts.data());
    sparse::expand(bitmap, starts.data(), values, weight, parallel);
    const Index floats = kernels->conv.packed_size(shape);
    if (floats == 0 || shape.groups == shape.c_in) return expanded;
    Block block = with_header(SparseLayout::dense_packed, floats * static_cast<Index>(sizeof(float)));
    kernels->conv.pack_forward(shape, weight, reinterpret_cast<float*>(block.data() + kHeaderBytes), parallel);
    return block;
  }
};

struct Runner {
  ConvShape shape;
  const KernelTable* kernels;
  std::shared_ptr<Epilogue> epilogue;
  Slot x, y, workspace;

  void dense(Execution& run, const float* weight, bool packed) const {
    ConvForwardArgs args;
    args.shape = shape, args.w = weight, args.w_packed = packed;
    args.x = run.at<const float>(x), args.y = run.at<float>(y);
    args.epilogue = bind(run), args.epilogue_self = epilogue.get();
    kernels->conv.forward(args, run.parallel, run.at(workspace));
  }

  void panels(Execution& run, const std::byte* panels) const {
    SparseConvArgs args;
    args.shape = shape, args.plan = plan_sparse_conv(shape), args.w = sparse::panels_at(panels);
    args.x = run.at<const float>(x), args.y = run.at<float>(y);
    args.epilogue = bind(run), args.epilogue_self = epilogue.get();
    kernels->sparse.conv(args, run.parallel, run.at(workspace));
  }

  Index bytes(int workers) const {
    ConvForwardArgs args;
    args.shape = shape;
    const Index direct = kernels->conv.forward_workspace(args, workers);
    args.w_packed = true;
    const Index packed = kernels->conv.forward_workspace(args, workers);
    return std::max({direct, packed, kernels->sparse.conv_workspace(shape, workers)});
  }

 private:
  GemmEpilogue bind(const Execution& run) const {
    if (epilogue) epilogue->bind(run);
    return epilogue ? Epilogue::call : nullptr;
  }
};

void lower_conv(LowerContext& context) {
  const Type w = weight_of(context.input_type(0), context.input_type(1), context.attrs());
  const Index nnz = context.input_type(2).shape[0], columns = w.shape.count(1);
  const ConvShape shape = conv_shape(context.input_type(0).shape, w.shape, context.attrs());
  Runner runner{shape, &context.kernels, Epilogue::of(context, 2, shape.c_out), context.input(0), context.output(), 0};
  runner.workspace = context.workspace(runner.bytes(context.workers));
  const Work work{flops_of(shape, nnz), 0};
  const Preparation make{
      shape, columns, nnz, &context.kernels, context.where(), attributes::sparse_conv2d::of(context.attrs()).layout};
  const std::string key = std::string(context.kernels.isa) + " " + to_string(context.input_type(0).shape) + " " +
                          to_string(context.attrs());
  const bool empty = shape.n == 0 || shape.c_out == 0 || columns == 0;
  const Slot whole = empty ? -1 : context.prepared({1, 2}, key, make);
  if (whole >= 0) {
    context.emit(work, [=](Execution& run) {
      const auto* block = run.at<const std::byte>(whole);
      const SparseLayout stored = *reinterpret_cast<const SparseLayout*>(block);
      if (stored == SparseLayout::panels) return runner.panels(run, block + kHeaderBytes);
      runner.dense(run, reinterpret_cast<const float*>(block + kHeaderBytes), stored == SparseLayout::dense_packed);
    });
    return;
  }
  const DenseWeight weight(context, shape.c_out, columns, nnz, context.input(1), context.input(2));
  context.emit(work, [=](Execution& run) {
    weight.expand(run);
    runner.dense(run, weight.data(run), false);
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
