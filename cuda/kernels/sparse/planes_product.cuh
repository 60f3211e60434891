// What products of three planes of bf16 share: copies of a stage, and results that go through shared memory, so that neighbours write side by
// side and the epilogue's program stands in the kernel once.
#pragma once
#include "cuda/kernels/elementwise/elementwise_machine.cuh"
#include "cuda/kernels/planes.cuh"
#include "cuda/kernels/quant.cuh"

namespace athanor::cuda {

// x as kPlanes planes of [M][padded_k] of bf16, and where y goes.
struct PlanesOperands {
  Index M, N, padded_k;
  const std::uint8_t* x;
  float* y;
  int fused;
};

inline Index planes_bytes(Index rows, Index padded_k) { return (rows * padded_k * 2 * kPlanes + 255) / 256 * 256; }

inline device::Result split_planes_of(device::Stream* stream, const float* x, Index rows, Index k, Index padded_k,
                                      void* to) {
  QuantRows split{};
  split.rows = rows, split.K = split.group = k, split.padded_group = split.padded_k = padded_k, split.groups = 1;
  split.x = x, split.to = static_cast<std::uint8_t*>(to);
  return padded_k > 0 && rows > 0 ? split_rows(stream, split) : device::Result::ok;
}

// kRows rows of kRowBytes from `first` on of every plane, kPitch apart in the stage; rows from `most` on are zero.
template <int kRows, int kRowBytes, int kPitch, int kThreads>
ATHANOR_DEVICE void fetch_planes(std::uint8_t* to, const std::uint8_t* from, Index row_bytes, Index plane, Index first,
                                 Index most) {
  constexpr int kChunks = kRowBytes / 16, kAll = kPlanes * kRows * kChunks;
#pragma unroll
  for (int e0 = 0; e0 < kAll; e0 += kThreads) {
    const int e = e0 + static_cast<int>(threadIdx.x), line = e / kChunks, at = e % kChunks * 16;
    if (kAll % kThreads != 0 && e >= kAll) continue;
    const Index row = first + line % kRows;
    const bool inside = row < most;
    cp_async(to + line * kPitch + at, inside ? from + line / kRows * plane + row * row_bytes + at : from,
             inside ? 16u : 0u);
  }
}

// result: [kM][kN + 4] of the block at (m0, n0), written by all and not yet awaited.
template <int kM, int kN, int kThreads>
ATHANOR_DEVICE void finish_tile(const PlanesOperands& p, const EwProgramParams& e, const float* result, Index m0,
                                Index n0) {
  SHARED(float, registers, [kEwMaxRegisters * kThreads]);
  __syncthreads();
  for (int at = static_cast<int>(threadIdx.x); at < kM * kN; at += kThreads) {
    const int row = at / kN, col = at % kN;
    const Index m = m0 + row, n = n0 + col;
    if (m >= p.M || n >= p.N) continue;
    const float value = result[row * (kN + 4) + col];
    if (p.fused != 0)
      finish_element<kThreads>(e, registers, m * p.N + n, value);
    else
      p.y[m * p.N + n] = value;
  }
}

inline EwProgramParams program_of(const device::Epilogue& epilogue) {
  return epilogue.raw >= 0 ? make_program(epilogue.args, epilogue.raw, epilogue.run) : EwProgramParams{};
}

}  // namespace athanor::cuda
