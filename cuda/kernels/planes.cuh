// f32 as the sum of three bf16, for products of f32's accuracy on tensor cores.
#pragma once
#include "base/half.h"
#include "cuda/kernels/lane.cuh"

namespace athanor::cuda {

inline constexpr int kPlanes = 3;

struct Planes {
  std::uint16_t of[kPlanes];
};

// x = high + middle + low exactly, 8 bits of its fraction each; what is not finite is high alone.
ATHANOR_DEVICE Planes split_planes(float x) {
  const auto upper = [](float value) {
    return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, value) & 0xffff0000u);
  };
  const auto bits = [](float value) {
    return static_cast<std::uint16_t>(__builtin_bit_cast(std::uint32_t, value) >> 16);
  };
  const bool finite = x - x == 0.0f;
  const float high = finite ? upper(x) : to_f32(to_bf16(x)), rest = finite ? x - high : 0.0f, middle = upper(rest);
  return {{bits(high), bits(middle), bits(rest - middle)}};
}

}  // namespace athanor::cuda
