// The "dtype" attribute of operations that choose their result's element type.
#pragma once
#include <string>

#include "base/error.h"
#include "graph/op.h"

namespace athanor {

inline DType parse_dtype(const char* operation, const std::string& name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (name == name_of(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  throw Error(Code::argument, std::string(operation) + ": there is no element type \"" + name +
                                  "\"; use f32, f64, i32, u8, bool or bf16");
}

inline DType dtype_attr(const InferContext& context, DType fallback) {
  return context.attrs.has("dtype") ? parse_dtype(context.name, context.attrs.text("dtype")) : fallback;
}

}  // namespace athanor
