// What the shape rules of gradients share: each of their operands has just one type that fits the others.
#pragma once
#include <string>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/op.h"

namespace athanor {

inline void require_operands(const InferContext& context, std::size_t count) {
  check(context.inputs.size() == count, Code::argument, [&] {
    return std::string(context.name) + ": takes " + std::to_string(count) + " operands, got " +
           std::to_string(context.inputs.size());
  });
}

inline void require_type(const InferContext& context, int operand, const char* what, const Type& wanted) {
  check(context.inputs[operand] == wanted, Code::shape, [&] {
    return std::string(context.name) + ": " + what + " must be " + to_string(wanted) + ", got " +
           to_string(context.inputs[operand]);
  });
}

// The "shape" attribute of the adjoint of an image operation: [N, C, H, W] of what it gives.
inline Type image_attr(const InferContext& context) {
  const Shape shape(attributes::reshape::of(context.attrs).shape);
  bool ok = shape.rank() == 4;
  for (const Index extent : shape) ok = ok && extent >= 0;
  check(ok, Code::shape, [&] {
    return std::string(context.name) + ": the shape must have four extents of 0 or more, got " + to_string(shape);
  });
  return {DType::f32, shape};
}

}  // namespace athanor
