// Element types of tensors. bf16 is a storage type: kernels load it to f32 and round on store.
#pragma once
#include <cstdint>

#include "base/index.h"

namespace athanor {

enum class DType : std::uint8_t { f32, f64, i32, u8, boolean, bf16 };

inline constexpr int kDTypeCount = 6;

constexpr Index size_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return 4;
    case DType::f64: return 8;
    case DType::i32: return 4;
    case DType::u8: return 1;
    case DType::boolean: return 1;
    case DType::bf16: return 2;
  }
  return 0;
}

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f64: return "f64";
    case DType::i32: return "i32";
    case DType::u8: return "u8";
    case DType::boolean: return "bool";
    case DType::bf16: return "bf16";
  }
  return "?";
}

constexpr bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16; }

}  // namespace athanor
