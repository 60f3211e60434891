#include "ops/sparse/sparse_weight.h"

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/op.h"

namespace athanor {

void require_bitmap(const InferContext& context, int index, Index rows, Index columns) {
  const Type wanted{DType::u8, Shape{rows, sparse::bitmap_row_bytes(columns)}};
  check(context.inputs[index] == wanted, Code::shape, [&] {
    return std::string(context.name) + ": the bitmap of a weight [" + std::to_string(rows) + ", " +
           std::to_string(columns) + "] is " + to_string(wanted) + ", one bit an element, got " +
           to_string(context.inputs[index]);
  });
}

void require_values(const InferContext& context, int index) {
  const Type& values = context.inputs[index];
  check(values.dtype == DType::f32 && values.shape.rank() == 1, Code::shape, [&] {
    return std::string(context.name) + ": values must be f32 [nnz], one for each set bit, got " + to_string(values);
  });
}

Type values_attr(const InferContext& context) {
  const Index nnz = attributes::sparse_matmul_grad_values::of(context.attrs).nnz;
  check(nnz >= 0, Code::argument, [&] {
    return std::string(context.name) + ": nnz, the number of values, must be 0 or more, got " + std::to_string(nnz);
  });
  return {DType::f32, Shape{nnz}};
}

DenseWeight::DenseWeight(LowerContext& context, Index rows, Index columns, Index nnz, Slot bits, Slot values)
    : rows_(rows),
      columns_(columns),
      nnz_(nnz),
      bits_(bits),
      values_(values),
      starts_(context.workspace((rows + 1) * static_cast<Index>(sizeof(Index)))),
      dense_(context.workspace(rows * columns * static_cast<Index>(sizeof(float)))),
      where_(context.where()) {}

sparse::Bitmap DenseWeight::bind(const Execution& run) const {
  const sparse::Bitmap bitmap{rows_, columns_, run.at<const std::uint8_t>(bits_)};
  sparse::check_bitmap(where_, bitmap, nnz_);
  sparse::row_starts(bitmap, run.at<Index>(starts_));
  return bitmap;
}

void DenseWeight::expand(Execution& run) const {
  sparse::expand(bind(run), run.at<const Index>(starts_), run.at<const float>(values_), data(run), run.parallel);
}

void DenseWeight::collect(Execution& run, float* values) const {
  sparse::collect(bind(run), run.at<const Index>(starts_), data(run), values, run.parallel);
}

}  // namespace athanor
