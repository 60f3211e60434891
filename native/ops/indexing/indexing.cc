// Reading and adding by index: embedding rows, gather and scatter_add along an axis, one-hot.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "graph/vjp.h"
#include "ops/dtype_attr.h"
#include "ops/indexing/indexing_args.h"
#include "ops/sentences.h"

namespace athanor {
namespace {

void check_index(const char* name, const Type& index) {
  check(index.dtype == DType::i32 || index.dtype == DType::u8, Code::dtype, [&] {
    return std::string(name) + ": indices must be i32 or u8, got " + name_of(index.dtype) + "; cast them to i32";
  });
}

// Raises the error of a run that met an index out of range.
void check_report(const std::string& where, const kernels::IndexReport& report, const void* index, DType dtype,
                  Index limit) {
  check(report.bad == 0, Code::argument, [&] {
    const int value = dtype == DType::u8 ? static_cast<const std::uint8_t*>(index)[report.first]
                                         : static_cast<const std::int32_t*>(index)[report.first];
    return bad_index(where, {value, report.first, report.bad}, limit);
  });
}

// table [V, D], index […] → […, D]
void infer_embedding(InferContext& context) {
  const Type &table = context.inputs[0], &index = context.inputs[1];
  check_index(context.name, index);
  check(table.shape.rank() == 2, Code::shape,
        [&] { return "embedding: the table must be [rows, width], got " + to_string(table.shape); });
  Shape shape = index.shape;
  shape.push_back(table.shape[1]);
  context.outputs.push_back({table.dtype, shape});
}

void vjp_embedding(VjpContext& context) {
  context.set(0, apply(Op::embedding_grad, {context.dy(), context.input(1)},
                       attributes::embedding_grad{.rows = context.input(0).shape()[0]}));
}

void lower_embedding(LowerContext& context) {
  const Type &table = context.input_type(0), &index = context.input_type(1);
  const Slot from = context.input(0), at = context.input(1), y = context.output();
  const Index rows = index.count(), limit = table.shape[0], row_bytes = table.shape[1] * size_of(table.dtype);
  const DType dtype = index.dtype;
  const auto kernel = context.kernels.movement.gather_rows;
  const std::string where = context.where();
  context.emit({0, 2.0 * static_cast<double>(rows * row_bytes)}, [=](Execution& run) {
    const auto report = kernel({run.at(y), run.at(from), run.at(at), dtype, rows, limit, row_bytes}, run.parallel);
    check_report(where, report, run.at(at), dtype, limit);
  });
}

// dy […, D], index […] → [rows, D]
void infer_embedding_grad(InferContext& context) {
  const Type &dy = context.inputs[0], &index = context.inputs[1];
  check_index(context.name, index);
  check(dy.dtype == DType::f32 || dy.dtype == DType::f64, Code::dtype,
        [&] { return std::string("embedding_grad: takes f32 or f64, got ") + name_of(dy.dtype); });
  bool fits = dy.shape.rank() == index.shape.rank() + 1;
  for (int axis = 0; fits && axis < index.shape.rank(); ++axis) fits = dy.shape[axis] == index.shape[axis];
  check(fits, Code::shape, [&] {
    return "embedding_grad: takes dy like the index with one axis more and 0 or more rows, got " + to_string(dy) +
           ", " + to_string(index) + " and " + to_string(context.attrs);
  });
  context.outputs.push_back({context.inputs[0].dtype, Shape{attributes::embedding_grad::of(context.attrs).rows,
                                                            context.inputs[0].shape.back()}});
}

// The gradient is linear in dy, and its adjoint is the embedding of the gradient's gradient.
void vjp_embedding_grad(VjpContext& context) { context.set(0, apply(Op::embedding, {context.dy(), context.input(1)})); }

void lower_embedding_grad(LowerContext& context) {
  const Type& index = context.input_type(1);
  const Slot dy = context.input(0), at = context.input(1), y = context.output();
  const Shape& shape = context.output_type().shape;
  const Index rows = index.count(), limit = shape[0], width = shape[1];
  const DType dtype = context.output_type().dtype, index_dtype = index.dtype;
  const auto kernel = context.kernels.movement.scatter_add_rows;
  const std::string where = context.where();
  context.emit({static_cast<double>(rows * width), 0}, [=](Execution& run) {
    const auto report =
        kernel({run.at(y), run.at(dy), run.at(at), dtype, index_dtype, rows, limit, width, false}, run.parallel);
    check_report(where, report, run.at(at), index_dtype, limit);
  });
}

// x, index of the same rank → like index; y[i…] = x[i… with i_axis = index[i…]]
void infer_gather(InferContext& context) {
  const Type &x = context.inputs[0], &index = context.inputs[1];
  check_index(context.name, index);
  const int axis = normalize_axis(context.name, attributes::gather::of(context.attrs).axis, x.shape.rank());
  context.attrs.set("axis", Index{axis});
  bool ok = x.shape.rank() == index.shape.rank();
  for (int other = 0; ok && other < x.shape.rank(); ++other) ok = other == axis || index.shape[other] <= x.shape[other];
  check(ok, Code::shape, [&] {
    return "gather: the index must have x's rank and nowhere but along axis " + std::to_string(axis) +
           " be larger, got x " + to_string(x.shape) + " and index " + to_string(index.shape);
  });
  context.outputs.push_back({x.dtype, index.shape});
}

void vjp_gather(VjpContext& context) {
  context.set(0, apply(Op::scatter_add, {zeros_like(context.input(0)), context.input(1), context.dy()},
                       attributes::scatter_add{.axis = attributes::gather::of(context.attrs()).axis}));
}

}  // namespace

kernels::Gather gather_args(const NodeContext& context) {
  const Type &x = context.input_type(0), &index = context.input_type(1);
  kernels::Gather args{};
  args.index_dtype = index.dtype;
  args.element_size = size_of(x.dtype);
  args.rank = x.shape.rank();
  args.axis = static_cast<int>(attributes::gather::of(context.attrs()).axis);
  args.limit = x.shape[args.axis];
  const auto strides = x.shape.strides();
  std::copy(index.shape.begin(), index.shape.end(), args.shape);
  std::copy(strides.begin(), strides.end(), args.x_stride);
  return args;
}

namespace {

void lower_gather(LowerContext& context) {
  const kernels::Gather args = gather_args(context);
  const Slot from = context.input(0), at = context.input(1), y = context.output();
  const auto kernel = context.kernels.movement.gather;
  const std::string where = context.where();
  context.emit({}, [=](Execution& run) {
    kernels::Gather now = args;
    now.x = run.at(from), now.index = run.at(at), now.y = run.at(y);
    check_report(where, kernel(now, run.parallel), now.index, now.index_dtype, now.limit);
  });
}

// y, index, x → y with x added at the index along the axis
void infer_scatter_add(InferContext& context) {
  const Type &y = context.inputs[0], &index = context.inputs[1], &x = context.inputs[2];
  check_index(context.name, index);
  const int axis = normalize_axis(context.name, attributes::scatter_add::of(context.attrs).axis, y.shape.rank());
  context.attrs.set("axis", Index{axis});
  const bool types = x.dtype == y.dtype && (y.dtype == DType::f32 || y.dtype == DType::f64 || y.dtype == DType::i32);
  bool ok = types && x.shape == index.shape && y.shape.rank() == index.shape.rank();
  for (int other = 0; ok && other < y.shape.rank(); ++other) ok = other == axis || index.shape[other] <= y.shape[other];
  check(ok, types ? Code::shape : Code::dtype, [&] {
    return "scatter_add: takes y, an index of y's rank and x like the index (f32, f64 or i32), got " + to_string(y) +
           ", " + to_string(index) + " and " + to_string(x);
  });
  context.outputs.push_back(y);
}

void vjp_scatter_add(VjpContext& context) {
  context.set(0, context.dy());
  if (context.wants(2)) {
    context.set(2, apply(Op::gather, {context.dy(), context.input(1)},
                         attributes::gather{.axis = attributes::scatter_add::of(context.attrs()).axis}));
  }
}

}  // namespace

kernels::ScatterAdd scatter_add_args(const NodeContext& context) {
  const Type &y = context.output_type(), &index = context.input_type(1);
  kernels::ScatterAdd args{};
  args.dtype = y.dtype;
  args.index_dtype = index.dtype;
  args.rank = y.shape.rank();
  args.axis = static_cast<int>(attributes::gather::of(context.attrs()).axis);
  args.limit = y.shape[args.axis];
  const auto strides = y.shape.strides();
  std::copy(index.shape.begin(), index.shape.end(), args.shape);
  std::copy(strides.begin(), strides.end(), args.y_stride);
  return args;
}

namespace {

void lower_scatter_add(LowerContext& context) {
  const Type& y = context.output_type();
  const kernels::ScatterAdd args = scatter_add_args(context);
  kernels::StridedCopy copy{};
  copy.rank = 1;
  copy.element_size = size_of(y.dtype);
  copy.shape[0] = y.count();
  copy.x_stride[0] = copy.y_stride[0] = 1;
  const Slot base = context.input(0), at = context.input(1), x = context.input(2), to = context.output();
  const auto copy_kernel = context.kernels.movement.copy;
  const auto kernel = context.kernels.movement.scatter_add;
  const std::string where = context.where();
  context.emit({}, [=](Execution& run) {
    kernels::StridedCopy first = copy;
    first.x = run.at(base), first.y = run.at(to);
    copy_kernel(first, run.parallel);
    kernels::ScatterAdd now = args;
    now.y = run.at(to), now.x = run.at(x), now.index = run.at(at);
    check_report(where, kernel(now, run.parallel), now.index, now.index_dtype, now.limit);
  });
}

// index […] → […, classes]
void infer_one_hot(InferContext& context) {
  check_index(context.name, context.inputs[0]);
  const Index classes = attributes::one_hot::of(context.attrs).classes;
  Shape shape = context.inputs[0].shape;
  shape.push_back(classes);
  const DType dtype = parse_dtype(context.name, attributes::one_hot::of(context.attrs).dtype);
  check(dtype != DType::bf16, Code::dtype, [] { return "one_hot: makes no bf16; make f32 and cast it after"; });
  context.outputs.push_back({dtype, shape});
}

void lower_one_hot(LowerContext& context) {
  const DType index_dtype = context.input_type(0).dtype, dtype = context.output_type().dtype;
  const Index rows = context.input_type(0).count(), classes = attributes::one_hot::of(context.attrs()).classes;
  const Slot at = context.input(0), y = context.output();
  const auto kernel = context.kernels.movement.one_hot;
  const std::string where = context.where();
  context.emit({}, [=](Execution& run) {
    const auto report = kernel({run.at(y), dtype, run.at(at), index_dtype, rows, classes}, run.parallel);
    check_report(where, report, run.at(at), index_dtype, classes);
  });
}

}  // namespace

const OpRule rule_embedding{infer_embedding, vjp_embedding, lower_embedding};
const OpRule rule_embedding_grad{infer_embedding_grad, vjp_embedding_grad, lower_embedding_grad};
const OpRule rule_gather{infer_gather, vjp_gather, lower_gather};
const OpRule rule_scatter_add{infer_scatter_add, vjp_scatter_add, lower_scatter_add};
const OpRule rule_one_hot{infer_one_hot, nullptr, lower_one_hot};

}  // namespace athanor
