// Products of a few rows of x in f32, which wait for the weights: a warp a column, its lanes along k, every cell read once and met with
// all rows. Values of 16-entry tables come from the lanes' registers, those of 256 from shared memory.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/elementwise/elementwise_machine.cuh"
#include "cuda/kernels/quant.cuh"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 128, kTable = 256;

struct RowsParams {
  device::QuantLayout l;
  Index M;
  const std::byte* packed;
  const float* x;
  float* y;
  int fused;
};

template <int kBits, bool kLookUp>
struct Values {
  float own = 0;  // entry lane % 16 of the table
  const float* table = nullptr;

  // All lanes of the warp call it. A cell's bits in those of 2^23 are 2^23 + cell: `over` is 2^23 + zero.
  ATHANOR_DEVICE float operator()(std::uint32_t cell, float over) const {
    if constexpr (!kLookUp)
      return __builtin_bit_cast(float, 0x4b000000u | cell) - over;
    else if constexpr (kBits == 4)
      return __shfl_sync(~0u, own, static_cast<int>(cell));
    else
      return table[cell];
  }
};

template <int kBits, bool kLookUp, int kRows>
ATHANOR_KERNEL(kThreads)
quant_rows_kernel(ATHANOR_PARAM(RowsParams) p, ATHANOR_PARAM(EwProgramParams) e) {
  SHARED(float, registers, [kEwMaxRegisters * kThreads]);
  constexpr int kCells = 32 / kBits, kWordsOfStep = kBits;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const Index n = static_cast<Index>(blockIdx.x) * (kThreads / kWarpSize) + threadIdx.x / kWarpSize;
  Values<kBits, kLookUp> values;
  const auto* entries = reinterpret_cast<const float*>(p.packed + device::kQuantTableAt);
  if constexpr (kLookUp && kBits == 4) values.own = entries[lane % 16];
  if constexpr (kLookUp && kBits == 8) {
    SHARED(float, table, [kTable]);
    for (int i = static_cast<int>(threadIdx.x); i < kTable; i += kThreads) table[i] = entries[i];
    __syncthreads();
    values.table = table;
  }
  if (n >= p.l.N) return;
  const auto* words = reinterpret_cast<const std::uint32_t*>(p.packed + device::kQuantCellsAt + n * p.l.row_bytes);
  const auto* scales = reinterpret_cast<const float*>(p.packed + p.l.scale_at);
  const auto* zeros = reinterpret_cast<const std::uint8_t*>(p.packed + p.l.zero_at);
  const Index count = p.l.row_bytes / 4;
  const auto steps_of_group = static_cast<std::uint32_t>(p.l.padded_group / 32);
  const bool in_pairs = p.l.K % 2 == 0 && reinterpret_cast<std::uintptr_t>(p.x) % 8 == 0;
  float total[kRows];
#pragma unroll
  for (int m = 0; m < kRows; ++m) total[m] = 0;
  for (Index first = 0; first < count; first += kWarpSize) {
    const Index at = first + lane;
    // In 32 bits, for a division of 64 costs more than the cells of a word.
    const std::uint32_t step = static_cast<std::uint32_t>(at) / kWordsOfStep, group = step / steps_of_group;
    const Index g = group;
    const bool inside = at < count && g < p.l.groups;
    const std::uint32_t word = inside ? words[at] : 0;
    const Index within = (step - group * steps_of_group) * 32, k = g * p.l.group + within;
    // Cells of this word that are no padding: those below `most` within the step.
    const Index group_left = p.l.group - within, row_left = p.l.K - k;
    const Index most = inside ? (group_left < row_left ? group_left : row_left) : 0;
    const float over = 8388608.0f + (inside && p.l.has_zeros ? static_cast<float>(zeros[g * p.l.N + n]) : 0.0f);
    const float scale = inside ? scales[g * p.l.N + n] : 0.0f;
    const int unit = static_cast<int>(at % kWordsOfStep);
    float part[kRows];
#pragma unroll
    for (int m = 0; m < kRows; ++m) part[m] = 0;
    // Pairs of cells stand for neighbouring k: (0, 1) and (2, 3) of 8 bits, (i, i + 4) of 4.
#pragma unroll
    for (int pair = 0; pair < kCells / 2; ++pair) {
      const int one = kBits == 8 ? pair * 2 : pair, other = kBits == 8 ? one + 1 : one + 4;
      const float first_value = values(word >> (one * kBits) & ((1u << kBits) - 1u), over);
      const float second_value = values(word >> (other * kBits) & ((1u << kBits) - 1u), over);
      const int offset = k_of_cell(CellOrder::pairs, kBits, unit, one);
      if (most >= 32 && in_pairs && k % 2 == 0) {
#pragma unroll
        for (int m = 0; m < kRows; ++m)
          if (m < p.M) {
            const float2 x = vector_load<float2>(p.x + m * p.l.K + k + offset);
            part[m] = fmaf(x.y, second_value, fmaf(x.x, first_value, part[m]));
          }
      } else {
#pragma unroll
        for (int m = 0; m < kRows; ++m) {
          const float* x = p.x + m * p.l.K + k + offset;
          if (m < p.M && offset < most) part[m] = fmaf(x[0], first_value, part[m]);
          if (m < p.M && offset + 1 < most) part[m] = fmaf(x[1], second_value, part[m]);
        }
      }
    }
#pragma unroll
    for (int m = 0; m < kRows; ++m) total[m] = fmaf(part[m], scale, total[m]);
  }
  float own = 0;
#pragma unroll
  for (int m = 0; m < kRows; ++m) {
    const float sum = warp_reduce(total[m], Add{});
    if (lane == m) own = sum;
  }
  if (lane >= p.M) return;
  const Index linear = lane * p.l.N + n;
  if (p.fused != 0)
    finish_element<kThreads>(e, registers, linear, own);
  else
    p.y[linear] = own;
}

template <int kBits, bool kLookUp, int kRows>
device::Result run_count(device::Stream* stream, const RowsParams& p, const EwProgramParams& e) {
  return LAUNCH((quant_rows_kernel<kBits, kLookUp, kRows>), blocks_for(p.l.N, kThreads / kWarpSize), kThreads, 0,
                stream, p, e);
}
template <int kBits, bool kLookUp>
device::Result run_cells(device::Stream* stream, const RowsParams& p, const EwProgramParams& e) {
  if (p.M == 1) return run_count<kBits, kLookUp, 1>(stream, p, e);
  if (p.M <= 4) return run_count<kBits, kLookUp, 4>(stream, p, e);
  return run_count<kBits, kLookUp, 16>(stream, p, e);
}

}  // namespace

device::Result run_quant_rows(device::Stream* stream, const device::QuantMatmul& args, const EwProgramParams& e) {
  const RowsParams p{args.w, args.M, args.packed, args.x, args.y, args.epilogue.raw >= 0 ? 1 : 0};
  const bool looked_up = args.w.codes == device::QuantCodes::codebook;
  if (args.w.bits == 4) return looked_up ? run_cells<4, true>(stream, p, e) : run_cells<4, false>(stream, p, e);
  return looked_up ? run_cells<8, true>(stream, p, e) : run_cells<8, false>(stream, p, e);
}

}  // namespace athanor::cuda
