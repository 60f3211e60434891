// y[…, M, N] = a[…, M, K] · b[…, K, N], leading dimensions broadcast; trans_a and trans_b read an operand as its transpose.
// A body (bias, activation, residual, gradient mask) is applied to rows of y while they are in cache.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/body/epilogue.h"
#include "graph/vjp.h"
#include "ops/matmul/matmul_geometry.h"

namespace athanor {
namespace {

MatmulSizes sizes_of(const Type& a, const Type& b, const Attrs& attrs) {
  const auto [trans_a, trans_b] = attributes::matmul::of(attrs);
  const int ra = a.shape.rank(), rb = b.shape.rank();
  return {a.shape[ra - (trans_a ? 1 : 2)], b.shape[rb - (trans_b ? 2 : 1)], a.shape[ra - (trans_a ? 2 : 1)]};
}

Shape leading(const Shape& shape) {
  Shape lead;
  for (int axis = 0; axis < shape.rank() - 2; ++axis) lead.push_back(shape[axis]);
  return lead;
}

void infer(InferContext& context) {
  const Type &a = context.inputs[0], &b = context.inputs[1];
  check(a.shape.rank() >= 2 && b.shape.rank() >= 2, Code::shape, [&] {
    return "matmul: takes tensors of at least 2 dimensions, got a " + to_string(a.shape) + " and b " +
           to_string(b.shape) + "; reshape a vector to [1, n] or [n, 1]";
  });
  check(a.dtype == b.dtype && (a.dtype == DType::f32 || a.dtype == DType::f64), Code::dtype, [&] {
    return std::string("matmul: takes two f32 or two f64 tensors, got ") + name_of(a.dtype) + " and " +
           name_of(b.dtype) + "; cast them first";
  });
  const MatmulSizes sizes = sizes_of(a, b, context.attrs);
  const Index other = b.shape[b.shape.rank() - (attributes::matmul::of(context.attrs).trans_b ? 1 : 2)];
  check(sizes.k == other, Code::shape, [&] {
    const bool helps = sizes.n == sizes.k;
    return "matmul: inner dimensions must match, got a " + to_string(a.shape) + " and b " + to_string(b.shape) + " (" +
           std::to_string(sizes.k) + " ≠ " + std::to_string(other) + ")" + (helps ? "; transpose b?" : "");
  });
  Shape shape = broadcast("matmul", leading(a.shape), leading(b.shape));
  shape.push_back(sizes.m);
  shape.push_back(sizes.n);
  context.outputs.push_back({a.dtype, shape});
}

void vjp(VjpContext& context) {
  const auto [ta, tb] = attributes::matmul::of(context.attrs());
  const Expr a = context.input(0), b = context.input(1), dy = context.dy();
  if (context.wants(0)) context.set(0, sum_to(ta ? matmul(b, dy, tb, true) : matmul(dy, b, false, !tb), a.shape()));
  if (!context.wants(1)) return;
  // A weight shared by all leading dimensions: one product over all rows sums them on the way.
  if (b.shape().rank() == 2 && a.shape().rank() > 2 && !ta) {
    const Expr rows = reshape(a, {a.shape().count(0, a.shape().rank() - 1), a.shape().back()});
    const Expr drows = reshape(dy, {rows.shape()[0], dy.shape().back()});
    context.set(1, tb ? matmul(drows, rows, true, false) : matmul(rows, drows, true, false));
    return;
  }
  context.set(1, sum_to(tb ? matmul(dy, a, true, ta) : matmul(a, dy, !ta, false), b.shape()));
}

MatmulBatching collapse(const Shape& lead, const Shape& a_lead, const Shape& b_lead, Index a_step, Index b_step,
                        Index c_step) {
  const auto a = broadcast_strides(a_lead, lead), b = broadcast_strides(b_lead, lead);
  MatmulBatching batching;
  int used = 0;  // dimensions in use, innermost first, at extent[1 - i]
  for (int axis = lead.rank() - 1; axis >= 0; --axis) {
    if (lead[axis] == 1) continue;
    const Index sa = a[axis] * a_step, sb = b[axis] * b_step;
    const int inner = 2 - used;
    if (used > 0 && batching.a[inner] * batching.extent[inner] == sa &&
        batching.b[inner] * batching.extent[inner] == sb) {
      batching.extent[inner] *= lead[axis];
      continue;
    }
    if (used == 2) {
      batching.flat = false;
      return batching;
    }
    const int at = 1 - used++;
    batching.extent[at] = lead[axis];
    batching.a[at] = sa;
    batching.b[at] = sb;
  }
  batching.c[1] = c_step;
  batching.c[0] = c_step * batching.extent[1];
  return batching;
}

template <class Args>
void set_batches(Args& args, const MatmulBatching& batching);

template <>
void set_batches(GemmArgs& args, const MatmulBatching& batching) {
  for (int i = 0; i < 2; ++i) {
    args.batch[i] = batching.extent[i];
    args.a.batch[i] = batching.a[i];
    args.b.batch[i] = batching.b[i];
    args.c_batch[i] = batching.c[i];
  }
}

template <>
void set_batches(GemmF64Args& args, const MatmulBatching& batching) {
  for (int i = 0; i < 2; ++i) {
    args.batch[i] = batching.extent[i];
    args.a_batch[i] = batching.a[i];
    args.b_batch[i] = batching.b[i];
    args.c_batch[i] = batching.c[i];
  }
}

}  // namespace

MatmulGeometry matmul_geometry(const NodeContext& context) {
  const Type &a = context.input_type(0), &b = context.input_type(1);
  const auto [ta, tb] = attributes::matmul::of(context.attrs());
  MatmulGeometry g{sizes_of(a, b, context.attrs()), {}, 0, 0, 0, 0};
  auto& [m, n, k] = g.sizes;
  const Shape out = context.output_type().shape;
  g.a_row = ta ? 1 : k;
  g.a_col = ta ? m : 1;
  g.b_row = tb ? 1 : n;
  g.b_col = tb ? k : 1;
  Shape lead = leading(out), a_lead = leading(a.shape);
  if (b.shape.count(0, b.shape.rank() - 2) == 1 && !ta && a_lead.count() == lead.count()) {
    m *= lead.count();  // one tall product instead of many
    lead = a_lead = Shape{};
  }
  g.batching = collapse(lead, a_lead, lead.rank() == 0 ? Shape{} : leading(b.shape), m * k, k * n, m * n);
  check(g.batching.flat, Code::unsupported, [&] {
    return context.where() + ": leading dimensions " + to_string(leading(a.shape)) + " and " +
           to_string(leading(b.shape)) +
           " broadcast in a pattern that needs more than two loops; broadcast one operand with broadcastTo first";
  });
  return g;
}

namespace {

// A weight that no step of this program changes is packed once for all runs. -1 where it is not packed.
Slot packed_weight(LowerContext& context, const GemmArgs& args) {
  const bool one = args.b.batch[0] == 0 && args.b.batch[1] == 0;
  if (!one || !wants_packed_b(args)) return -1;
  const GemmKernels& gemm = context.kernels.gemm;
  const std::string key = std::string(context.kernels.isa) + " " + std::to_string(args.K) + " " +
                          std::to_string(args.b.row) + " " + std::to_string(args.b.col);
  return context.prepared({1}, key, [=](std::span<const std::byte* const> operands, Parallel& parallel) {
    GemmArgs whole = args;
    whole.b.data = reinterpret_cast<const float*>(operands[0]);
    Block block(gemm.packed_size(args.K, args.N) * static_cast<Index>(sizeof(float)));
    gemm.pack_b(whole, reinterpret_cast<float*>(block.data()), parallel);
    return block;
  });
}

void lower(LowerContext& context) {
  const MatmulGeometry g = matmul_geometry(context);
  const auto [m, n, k] = g.sizes;
  const Slot a = context.input(0), b = context.input(1), c = context.output();
  const double batches = static_cast<double>(g.batching.extent[0] * g.batching.extent[1]);
  const Work work{2.0 * batches * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), 0};
  if (context.output_type().dtype == DType::f64) {
    GemmF64Args args;
    args.M = m, args.N = n, args.K = k;
    args.a_row = g.a_row, args.a_col = g.a_col, args.b_row = g.b_row, args.b_col = g.b_col;
    args.ldc = n;
    set_batches(args, g.batching);
    const auto kernel = context.kernels.gemm.run_f64;
    context.emit(work, [=](Execution& run) {
      GemmF64Args now = args;
      now.a = run.at<const double>(a), now.b = run.at<const double>(b), now.c = run.at<double>(c);
      kernel(now, run.parallel);
    });
    return;
  }
  GemmArgs args;
  args.M = m, args.N = n, args.K = k;
  args.a.row = g.a_row, args.a.col = g.a_col, args.b.row = g.b_row, args.b.col = g.b_col;
  args.ldc = n;
  set_batches(args, g.batching);
  const std::shared_ptr<Epilogue> epilogue = Epilogue::of(context, 1, m);
  args.epilogue = epilogue ? Epilogue::call : nullptr;
  args.epilogue_self = epilogue.get();
  const Slot packed = packed_weight(context, args);
  args.b_packed = packed >= 0;
  const Slot workspace = context.workspace(context.kernels.gemm.workspace(args, context.workers));
  const auto kernel = context.kernels.gemm.run;
  context.emit(work, [=](Execution& run) {
    GemmArgs now = args;
    now.a.data = run.at<const float>(a), now.c = run.at<float>(c);
    now.b.data = run.at<const float>(packed >= 0 ? packed : b);
    if (epilogue) epilogue->bind(run);
    kernel(now, run.parallel, run.at(workspace));
  });
}

}  // namespace

const OpRule rule_matmul{infer, vjp, lower};

}  // namespace athanor
