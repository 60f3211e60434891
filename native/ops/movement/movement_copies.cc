#include "ops/movement/movement_copies.h"
#include "graph/attributes.h"

#include <algorithm>

namespace athanor {
namespace {

kernels::StridedCopy copy_of(const Shape& shape, DType dtype) {
  kernels::StridedCopy copy{};
  copy.rank = shape.rank();
  copy.element_size = size_of(dtype);
  std::copy(shape.begin(), shape.end(), copy.shape);
  return copy;
}

}  // namespace

PlacedCopy transpose_copy(const NodeContext& context) {
  const Type& y = context.output_type();
  const auto x_strides = context.input_type(0).shape.strides(), y_strides = y.shape.strides();
  const std::vector<Index> order = *attributes::transpose::of(context.attrs()).order;
  kernels::StridedCopy copy = copy_of(y.shape, y.dtype);
  for (int axis = 0; axis < copy.rank; ++axis) {
    copy.x_stride[axis] = x_strides[order[axis]];
    copy.y_stride[axis] = y_strides[axis];
  }
  return {copy, 0, 0};
}

std::vector<PlacedCopy> concat_copies(const NodeContext& context) {
  const int axis = static_cast<int>(attributes::concat::of(context.attrs()).axis);
  const auto y_strides = context.output_type().shape.strides();
  std::vector<PlacedCopy> copies;
  Index at = 0;
  for (int i = 0; i < context.input_count(); ++i) {
    const Type& x = context.input_type(i);
    kernels::StridedCopy copy = copy_of(x.shape, x.dtype);
    const auto x_strides = x.shape.strides();
    std::copy(x_strides.begin(), x_strides.end(), copy.x_stride);
    std::copy(y_strides.begin(), y_strides.end(), copy.y_stride);
    copies.push_back({copy, 0, at * y_strides[axis]});
    at += x.shape[axis];
  }
  return copies;
}

PlacedCopy slice_copy(const NodeContext& context) {
  const Type& y = context.output_type();
  const auto x_strides = context.input_type(0).shape.strides(), y_strides = y.shape.strides();
  const auto at = attributes::slice::of(context.attrs());
  const std::vector<Index>&start = at.start, &step = *at.step;
  kernels::StridedCopy copy = copy_of(y.shape, y.dtype);
  Index offset = 0;
  for (int axis = 0; axis < copy.rank; ++axis) {
    copy.x_stride[axis] = x_strides[axis] * step[axis];
    copy.y_stride[axis] = y_strides[axis];
    offset += start[axis] * x_strides[axis];
  }
  return {copy, offset, 0};
}

std::vector<std::byte> pad_value(const NodeContext& context) {
  Graph graph;
  const ValueId id = graph.scalar(attributes::pad::of(context.attrs()).value, context.output_type().dtype);
  return graph.constant_of(graph.producer(id)).bytes;
}

PlacedCopy pad_copy(const NodeContext& context) {
  const Type &x = context.input_type(0), &y = context.output_type();
  const auto at = attributes::pad::of(context.attrs());
  const std::vector<Index>&low = at.low, &step = *at.step;
  const auto x_strides = x.shape.strides(), y_strides = y.shape.strides();
  kernels::StridedCopy copy = copy_of(x.shape, x.dtype);
  Index offset = 0;
  for (int axis = 0; axis < copy.rank; ++axis) {
    copy.x_stride[axis] = x_strides[axis];
    copy.y_stride[axis] = y_strides[axis] * step[axis];
    offset +=
        (low[axis] + (step[axis] < 0 && x.shape[axis] > 0 ? (x.shape[axis] - 1) * -step[axis] : 0)) * y_strides[axis];
  }
  return {copy, 0, offset};
}

}  // namespace athanor
