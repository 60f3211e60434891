// Products with a sparse weight W [N, K], given as bitmap u8 [N, ceil(K / 8)] and values f32 [nnz] (sparse/bitmap.h):
//   sparse_matmul(x f32 […, K], bitmap, values) → f32 […, N] = x · Wᵀ
//   sparse_matmul_grad_input(dy […, N], bitmap, values; k = K) → […, K] = dy · W
//   sparse_matmul_grad_values(dy […, N], x […, K], bitmap; nnz) → [nnz] = those of dyᵀ · x that the bitmap marks
// layout ("auto", "dense", "1x1", "1x4", "4x1", "4x4", "slots") overrides the choice of sparse/choice.h, for tests and measurements.
// The pattern is fixed: it has no gradient. A bitmap that marks another number of weights than there are values is refused with a
// sentence when it is read.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/body/body.h"
#include "graph/vjp.h"
#include "ops/require.h"
#include "ops/sparse/sparse_product.h"
#include "ops/sparse/sparse_weight.h"
#include "sparse/choice.h"

namespace athanor {
namespace {

void require_rows(const InferContext& context, int index, const char* what) {
  const Type& x = context.inputs[index];
  check(x.dtype == DType::f32 && x.shape.rank() >= 2, Code::shape, [&] {
    return std::string(context.name) + ": " + what + " must be f32 of at least 2 dimensions, got " + to_string(x) +
           "; cast it, or reshape a vector to [1, n]";
  });
}

// `x` with another last extent.
Type with_columns(const Type& x, Index columns) {
  Type type = x;
  type.shape[type.shape.rank() - 1] = columns;
  return type;
}

Index rows_of(const Type& x) { return x.shape.count(0, x.shape.rank() - 1); }

Index bitmap_rows(const InferContext& context, int index) {
  const Type& bitmap = context.inputs[index];
  check(bitmap.dtype == DType::u8 && bitmap.shape.rank() == 2, Code::shape, [&] {
    return std::string(context.name) + ": the bitmap must be u8 [N, ceil(K / 8)], got " + to_string(bitmap);
  });
  return bitmap.shape[0];
}

void infer_matmul(InferContext& context) {
  require_rows(context, 0, "x");
  const Index n = bitmap_rows(context, 1);
  require_bitmap(context, 1, n, context.inputs[0].shape.back());
  require_values(context, 2);
  context.outputs.push_back(with_columns(context.inputs[0], n));
}

void infer_grad_input(InferContext& context) {
  require_rows(context, 0, "dy");
  const Index k = attributes::sparse_matmul_grad_input::of(context.attrs).k;
  check(k >= 0, Code::argument, [&] {
    return std::string(context.name) + ": k, the columns of the weight, must be 0 or more, got " + std::to_string(k);
  });
  require_bitmap(context, 1, context.inputs[0].shape.back(), k);
  require_values(context, 2);
  context.outputs.push_back(with_columns(context.inputs[0], k));
}

void infer_grad_values(InferContext& context) {
  require_rows(context, 0, "dy");
  require_rows(context, 1, "x");
  const Type &dy = context.inputs[0], &x = context.inputs[1];
  require_type(context, 0, "dy", with_columns(x, dy.shape.back()));
  require_bitmap(context, 2, dy.shape.back(), x.shape.back());
  context.outputs.push_back(values_attr(context));
}

Expr grad_input(Expr dy, Expr bitmap, Expr values, Index k) {
  return apply(Op::sparse_matmul_grad_input, {dy, bitmap, values}, attributes::sparse_matmul_grad_input{.k = k});
}

Expr grad_values(Expr dy, Expr x, Expr bitmap, Index nnz) {
  return apply(Op::sparse_matmul_grad_values, {dy, x, bitmap}, attributes::sparse_matmul_grad_values{.nnz = nnz});
}

void vjp_matmul(VjpContext& context) {
  const Expr x = context.input(0), bitmap = context.input(1), values = context.input(2), dy = context.dy();
  if (context.wants(0)) context.set(0, grad_input(dy, bitmap, values, x.shape().back()));
  if (context.wants(2)) context.set(2, grad_values(dy, x, bitmap, values.shape()[0]));
}

void vjp_grad_input(VjpContext& context) {
  const Expr dy = context.input(0), bitmap = context.input(1), values = context.input(2), g = context.dy();
  if (context.wants(0)) context.set(0, apply(Op::sparse_matmul, {g, bitmap, values}));
  if (context.wants(2)) context.set(2, grad_values(dy, g, bitmap, values.shape()[0]));
}

void vjp_grad_values(VjpContext& context) {
  const Expr dy = context.input(0), x = context.input(1), bitmap = context.input(2), g = context.dy();
  if (context.wants(0)) context.set(0, apply(Op::sparse_matmul, {x, bitmap, g}));
  if (context.wants(1)) context.set(1, grad_input(dy, bitmap, g, x.shape().back()));
}

void lower_product(LowerContext& context, Index k, bool transposed) {
  const Index n = context.input_type(1).shape[0], nnz = context.input_type(2).shape[0];
  const Index m = rows_of(context.input_type(0));
  lower_sparse_product(context, {m, n, k, nnz, transposed, 1, 2, context.input(0), context.output()});
}

void lower_matmul(LowerContext& context) { lower_product(context, context.input_type(0).shape.back(), false); }

void lower_grad_input(LowerContext& context) {
  lower_product(context, attributes::sparse_matmul_grad_input::of(context.attrs()).k, true);
}

void lower_grad_values(LowerContext& context) {
  const Index m = rows_of(context.input_type(0)), nnz = context.output_type().shape[0];
  const Index n = context.input_type(0).shape.back(), k = context.input_type(1).shape.back();
  const DenseWeight weight(context, n, k, nnz, context.input(2), -1);
  GemmArgs args;
  args.M = n, args.N = k, args.K = m;
  args.a.row = 1, args.a.col = n;
  args.b.row = k, args.b.col = 1;
  args.ldc = k;
  const Slot dy = context.input(0), x = context.input(1), values = context.output();
  const Slot workspace = context.workspace(context.kernels.gemm.workspace(args, context.workers));
  const auto kernel = context.kernels.gemm.run;
  context.emit({2.0 * static_cast<double>(m) * static_cast<double>(nnz), 0}, [=](Execution& run) {
    GemmArgs now = args;
    now.a.data = run.at<const float>(dy), now.b.data = run.at<const float>(x), now.c = weight.data(run);
    kernel(now, run.parallel, run.at(workspace));
    weight.collect(run, run.at<float>(values));
  });
}

}  // namespace

const OpRule rule_sparse_matmul{infer_matmul, vjp_matmul, lower_matmul};
const OpRule rule_sparse_matmul_grad_input{infer_grad_input, vjp_grad_input, lower_grad_input};
const OpRule rule_sparse_matmul_grad_values{infer_grad_values, vjp_grad_values, lower_grad_values};

}  // namespace athanor
