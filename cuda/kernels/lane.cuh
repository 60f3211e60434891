// The engine's elementary functions for one element: simd/math.inl.h over vectors of one lane.
#pragma once
#define ATHANOR_ISA_LANE 1
#include "cuda/platform/platform.h"

#include "simd/math.inl.h"

namespace athanor::cuda {

using kernels::lane::IVec;
using kernels::lane::Mask;
using kernels::lane::Vec;

inline constexpr int kWarpSize = 32;

// Of x <= 0: below 2^-126 the result is 0.
ATHANOR_DEVICE float exp_nonpositive(float x) { return kernels::lane::exp_nonpositive(Vec{x}).v; }
ATHANOR_DEVICE float log_f32(float x) { return kernels::lane::log(Vec{x}).v; }

ATHANOR_DEVICE float quiet_nan() { return __builtin_bit_cast(float, 0x7fc00000u); }
ATHANOR_DEVICE float infinity() { return __builtin_bit_cast(float, 0x7f800000u); }

// Blocks of `per_block` for n elements, within what a grid takes.
inline std::uint32_t blocks_for(Index n, Index per_block) {
  return static_cast<std::uint32_t>((n + per_block - 1) / per_block);
}

}  // namespace athanor::cuda
