// The launchers of fragments.cu: one warp, fragments in and out as lanes hold them.
#pragma once
#include <cstdint>

#include "device/plugin.h"

namespace athanor::cuda {

enum class Fragments : std::uint8_t { bf16, f16, tf32 };
device::Result run_mma(device::Stream* stream, Fragments kind, const std::uint32_t* a, const std::uint32_t* b,
                       float* d);  // (32, 4), (32, 2), (32, 4)
// m16n8k32: a of s8, b of s8 or u8, d of s32.
device::Result run_mma_bytes(device::Stream* stream, bool unsigned_b, const std::uint32_t* a, const std::uint32_t* b,
                             std::int32_t* d);
// mma.sp m16n8k32 of bf16: b (32, 4), kept (32).
device::Result run_mma_sparse(device::Stream* stream, const std::uint32_t* a, const std::uint32_t* b,
                              const std::uint32_t* kept, float* d);
device::Result run_load_matrices(device::Stream* stream, const std::uint16_t* from, std::uint32_t* to, int matrices,
                                 bool transposed);  // (m, 8, 8), (32, m)
device::Result run_async_fill(device::Stream* stream, const std::uint32_t* from, std::uint32_t* to,
                              std::uint32_t valid);

}  // namespace athanor::cuda
