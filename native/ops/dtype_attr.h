// The name of an element type, as the "dtype" attribute of operations that choose their result's has it.
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

}  // namespace athanor
