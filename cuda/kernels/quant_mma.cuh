// The tile of products with quantized weights on tensor cores: y = x · Wᵀ, x in rows along k, W in the cells of device/quant_launch.h. Operands
// come through three stages of shared memory filled by cp.async, one barrier a step; a scheme makes fragments of the cells in registers
// and says what a group's sum counts. Results go through shared memory, so that neighbours write side by side and
// the epilogue's program stands in the kernel once.
#pragma once
#include "cuda/kernels/elementwise/elementwise_machine.cuh"
#include "cuda/kernels/quant.cuh"

namespace athanor::cuda {

inline constexpr int kQuantStages = 3;

// kFM × kFN fragments of 16 × 8 a warp.
template <int kWarpsM_, int kWarpsN_, int kFM_, int kFN_>
struct QuantTile {
  static constexpr int kWarpsM = kWarpsM_, kWarpsN = kWarpsN_, kFM = kFM_, kFN = kFN_;
  static constexpr int kThreads = kWarpsM * kWarpsN * kWarpSize;
  static constexpr int kM = kWarpsM * kFM * 16, kN = kWarpsN * kFN * 8;
  static constexpr int kWarpM = kFM * 16, kWarpN = kFN * 8;
  static constexpr int kResultPitch = kN + 4;
};

template <class Scheme, class Tile>
struct QuantStage {
  static constexpr int kXBytes = Scheme::kDepth * Scheme::kXBytes, kXPitch = kXBytes + 16;
  static constexpr int kCellBytes = Scheme::kDepth * Scheme::kBits / 8, kCellPitch = Scheme::kCellPitch;
  static constexpr int kX = Scheme::kPlanes * Tile::kM * kXPitch, kSize = kX + Tile::kN * kCellPitch;
  static constexpr int kResult = Tile::kM * Tile::kResultPitch * 4;
  static constexpr int kShared = kQuantStages * kSize > kResult ? kQuantStages* kSize : kResult;

  template <int kRows, int kRowBytes, int kPitch>
  static ATHANOR_DEVICE void fetch(std::uint8_t* to, const std::uint8_t* from, Index pitch, Index first, Index most) {
    constexpr int kChunks = kRowBytes / 16;
    static_assert(kRowBytes % 16 == 0);
#pragma unroll
    for (int e0 = 0; e0 < kRows * kChunks; e0 += Tile::kThreads) {
      const int e = e0 + static_cast<int>(threadIdx.x), row = e / kChunks, at = e % kChunks * 16;
      if (kRows * kChunks % Tile::kThreads != 0 && e >= kRows * kChunks) continue;
      const bool inside = first + row < most;
      cp_async(to + row * kPitch + at, inside ? from + (first + row) * pitch + at : from, inside ? 16u : 0u);
    }
  }
};

template <class Scheme, class Tile, bool kGrouped>
ATHANOR_KERNEL(Tile::kThreads)
quant_mma_kernel(ATHANOR_PARAM(QuantProductParams) p, ATHANOR_PARAM(EwProgramParams) e) {
  using Stage = QuantStage<Scheme, Tile>;
  using Acc = typename Scheme::Acc;
  constexpr int kFM = Tile::kFM, kFN = Tile::kFN, kDepth = Scheme::kDepth, kSteps32 = kDepth / 32;
  DYNAMIC_SHARED(std::uint8_t, room);
  const Index m0 = blockIdx.x / p.tiles_n * Tile::kM, n0 = blockIdx.x % p.tiles_n * Tile::kN;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize, lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp_m = warp / Tile::kWarpsN * Tile::kWarpM, warp_n = warp % Tile::kWarpsN * Tile::kWarpN;
  const int steps = static_cast<int>(p.padded_k / kDepth);
  const std::uint8_t* cells = p.cells + p.first_n * p.row_bytes;

  const auto fetch = [&](int step) {
    if (step < steps) {
      std::uint8_t* stage = room + step % kQuantStages * Stage::kSize;
#pragma unroll
      for (int plane = 0; plane < Scheme::kPlanes; ++plane)
        Stage::template fetch<Tile::kM, Stage::kXBytes, Stage::kXPitch>(
            stage + plane * Tile::kM * Stage::kXPitch,
            p.x + plane * p.plane + static_cast<Index>(step) * Stage::kXBytes, p.ldx, m0, p.M);
      Stage::template fetch<Tile::kN, Stage::kCellBytes, Stage::kCellPitch>(
          stage + Stage::kX, cells + static_cast<Index>(step) * Stage::kCellBytes, p.row_bytes, n0, p.N);
    }
    cp_async_commit();  // an empty group keeps the count
  };

  Acc acc[kFM][kFN][4];
  float total[kGrouped ? kFM : 1][kFN][4];
#pragma unroll
  for (int i = 0; i < kFM; ++i)
#pragma unroll
    for (int j = 0; j < kFN; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        acc[i][j][c] = 0;
        if constexpr (kGrouped) total[i][j][c] = 0;
      }
  Scheme scheme(p);
  scheme.template begin_group<Tile>(p, n0 + warp_n, 0);

  int group = 0, left = p.steps_of_group;
#pragma unroll
  for (int s = 0; s < kQuantStages - 1; ++s) fetch(s);
  for (int step = 0; step < steps; ++step) {
    cp_async_wait<kQuantStages - 2>();
    __syncthreads();  // this step's tiles are there for all, and all have done with the stage that is filled next
    fetch(step + kQuantStages - 1);
    const std::uint8_t* stage = room + step % kQuantStages * Stage::kSize;
#pragma unroll
    for (int sub = 0; sub < kSteps32; ++sub) {
      scheme.template multiply<Stage, Tile>(stage, warp_m, warp_n, sub, acc);
      if constexpr (kGrouped) {
        if (--left == 0 && group < p.groups) {
#pragma unroll
          for (int i = 0; i < kFM; ++i)
#pragma unroll
            for (int j = 0; j < kFN; ++j)
#pragma unroll
              for (int c = 0; c < 4; ++c) {
                const Index m = m0 + warp_m + i * 16 + lane / 4 + c / 2 * 8;
                const Index n = n0 + warp_n + j * 8 + lane % 4 * 2 + c % 2;
                if (m < p.M && n < p.N) total[i][j][c] = scheme.add_group(p, m, n, group, acc[i][j][c], total[i][j][c]);
                acc[i][j][c] = 0;
              }
          left = p.steps_of_group;
          if (++group < p.groups) scheme.template begin_group<Tile>(p, n0 + warp_n, group);
        }
      }
    }
  }
  __syncthreads();
  auto* result = reinterpret_cast<float*>(room);
#pragma unroll
  for (int i = 0; i < kFM; ++i)
#pragma unroll
    for (int j = 0; j < kFN; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const int row = warp_m + i * 16 + lane / 4 + c / 2 * 8, col = warp_n + j * 8 + lane % 4 * 2 + c % 2;
        float sum = 0;
        if constexpr (kGrouped)
          sum = total[i][j][c];
        else if (m0 + row < p.M && n0 + col < p.N)
          sum = scheme.add_group(p, m0 + row, n0 + col, 0, acc[i][j][c], 0.0f);
        result[row * Tile::kResultPitch + col] = sum;
      }
  __syncthreads();
  SHARED(float, registers, [kEwMaxRegisters * Tile::kThreads]);
  // Along the pixels of an image, or else along columns: what lies side by side in y.
  const bool along_rows = p.pixels > 1;
  for (int at = static_cast<int>(threadIdx.x); at < Tile::kM * Tile::kN; at += Tile::kThreads) {
    const int row = along_rows ? at % Tile::kM : at / Tile::kN, col = along_rows ? at / Tile::kM : at % Tile::kN;
    const Index m = m0 + row, n = n0 + col;
    if (m >= p.M || n >= p.N) continue;
    const Index image = m / p.pixels, linear = (image * p.ld_n + p.first_n + n) * p.pixels + (m - image * p.pixels);
    const float value = Scheme::finish(p, image, result[row * Tile::kResultPitch + col]);
    if (p.fused != 0)
      finish_element<Tile::kThreads>(e, registers, linear, value);
    else
      p.y[linear] = value;
  }
}

template <class Scheme, class Tile, bool kGrouped>
device::Result run_quant_tile(device::Stream* stream, QuantProductParams p, const EwProgramParams& e) {
  p.tiles_n = (p.N + Tile::kN - 1) / Tile::kN;
  const Index blocks = (p.M + Tile::kM - 1) / Tile::kM * p.tiles_n;
  return LAUNCH((quant_mma_kernel<Scheme, Tile, kGrouped>), static_cast<std::uint32_t>(blocks), Tile::kThreads,
                (QuantStage<Scheme, Tile>::kShared), stream, p, e);
}

// By the sizes alone.
template <class Scheme>
device::Result run_quant_scheme(device::Stream* stream, const QuantProductParams& p, const EwProgramParams& e) {
  if ((p.M + 127) / 128 * ((p.N + 127) / 128) >= 128 && p.M >= 96 && p.N >= 96) {
    if (p.groups == 1) return run_quant_tile<Scheme, QuantTile<2, 4, 4, 4>, false>(stream, p, e);
    return run_quant_tile<Scheme, QuantTile<2, 4, Scheme::kGroupedFM, 4>, true>(stream, p, e);
  }
  if (p.M > 16) return run_quant_tile<Scheme, QuantTile<2, 2, 2, 4>, true>(stream, p, e);
  return run_quant_tile<Scheme, QuantTile<1, 4, 1, 2>, true>(stream, p, e);
}

}  // namespace athanor::cuda
