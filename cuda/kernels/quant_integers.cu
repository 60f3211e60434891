// Products of integers on tensor cores: x in s8, cells of 8 bits or nibbles of 4, sums in s32, exact. A group's integer sum, corrected for
// zero points, then counts as the CPU's does: the same bits.
#include "cuda/kernels/quant_mma.cuh"

namespace athanor::cuda {
namespace {

// kUnsigned: cells have zeros.
template <CellOrder kOrder, bool kUnsigned>
struct Integers {
  using Acc = std::int32_t;
  static constexpr int kDepth = 64, kXBytes = 1, kPlanes = 1, kGroupedFM = 4;
  static constexpr int kBits = kOrder == CellOrder::bytes ? 8 : 4;
  static constexpr int kCellPitch = kBits == 8 ? 80 : 48;  // eight rows, or columns of four words, meet every bank once

  std::uint32_t table[kOrder == CellOrder::codes ? 4 : 1];
  std::int32_t shift;

  ATHANOR_DEVICE explicit Integers(const QuantProductParams& p) {
    shift = p.act != nullptr ? static_cast<std::int32_t>(p.act[1]) - 128 : 0;
    if constexpr (kOrder == CellOrder::codes) {
#pragma unroll
      for (int i = 0; i < 4; ++i) table[i] = p.rounded[i];
    }
  }

  template <class Tile>
  ATHANOR_DEVICE void begin_group(const QuantProductParams&, Index, int) {}

  // The integers of four codes, nibbles of the low half of `codes`: bytes of the table by three permutations.
  ATHANOR_DEVICE std::uint32_t look_up(std::uint32_t codes) const {
    if constexpr (kOrder == CellOrder::codes) {
      const std::uint32_t within = codes & 0x7777u;
      const std::uint32_t low = byte_permute(table[0], table[1], within),
                          high = byte_permute(table[2], table[3], within);
      return byte_permute(low, high, 0x3210u | (codes & 0x8888u) >> 1);
    }
    return codes;
  }

  template <class Stage, class Tile>
  ATHANOR_DEVICE void fragments(const std::uint8_t* cells, int warp_n, int sub,
                                std::uint32_t (&b)[Tile::kFN][2]) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize, matrix = lane / 8, line = lane % 8;
    if constexpr (kOrder == CellOrder::bytes) {
#pragma unroll
      for (int j = 0; j < Tile::kFN; j += 2) {
        std::uint32_t four[4];
        load_matrix_x4(four,
                       cells + (warp_n + j * 8 + matrix / 2 * 8 + line) * kCellPitch + sub * 32 + matrix % 2 * 16);
        b[j][0] = four[0], b[j][1] = four[1], b[j + 1][0] = four[2], b[j + 1][1] = four[3];
      }
    } else {
#pragma unroll
      for (int j = 0; j < Tile::kFN; ++j) {
        const std::uint32_t word = *reinterpret_cast<const std::uint32_t*>(
            cells + (warp_n + j * 8 + lane / 4) * kCellPitch + sub * 16 + lane % 4 * 4);
        if constexpr (kOrder == CellOrder::nibbles) {
          b[j][0] = word & 0x0f0f0f0fu, b[j][1] = word >> 4 & 0x0f0f0f0fu;
        } else {
          b[j][0] = look_up(word & 0xffffu), b[j][1] = look_up(word >> 16);
        }
      }
    }
  }

  template <class Stage, class Tile>
  ATHANOR_DEVICE void multiply(const std::uint8_t* stage, int warp_m, int warp_n, int sub,
                               Acc (&acc)[Tile::kFM][Tile::kFN][4]) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize, matrix = lane / 8, line = lane % 8;
    std::uint32_t b[Tile::kFN][2];
    fragments<Stage, Tile>(stage + Stage::kX, warp_n, sub, b);
#pragma unroll
    for (int i = 0; i < Tile::kFM; ++i) {
      std::uint32_t a[4];
      load_matrix_x4(a,
                     stage + (warp_m + i * 16 + matrix % 2 * 8 + line) * Stage::kXPitch + sub * 32 + matrix / 2 * 16);
#pragma unroll
      for (int j = 0; j < Tile::kFN; ++j) {
        if constexpr (kUnsigned)
          mma_s8u8(acc[i][j], a, b[j]);
        else
          mma_s8(acc[i][j], a, b[j]);
      }
    }
  }

  // Differences wrap; what they come to is in range.
  ATHANOR_DEVICE float add_group(const QuantProductParams& p, Index m, Index n, int group, Acc sum, float total) const {
    const Index at = group * p.ld_n + p.first_n + n;
    auto integer = static_cast<std::uint32_t>(sum);
    if constexpr (kUnsigned)
      integer -= static_cast<std::uint32_t>(p.zero[at]) * static_cast<std::uint32_t>(p.x_sums[m * p.groups + group]);
    if (shift != 0) integer -= static_cast<std::uint32_t>(shift) * static_cast<std::uint32_t>(p.sums[at]);
    return fmaf(static_cast<float>(static_cast<std::int32_t>(integer)), p.scale[at], total);
  }
  static ATHANOR_DEVICE float finish(const QuantProductParams& p, Index image, float total) {
    return total * p.factors[image];
  }
};

}  // namespace

device::Result run_quant_integers(device::Stream* stream, const QuantProductParams& p, CellOrder order, bool has_zeros,
                                  const EwProgramParams& e) {
  if (order == CellOrder::nibbles) return run_quant_scheme<Integers<CellOrder::nibbles, true>>(stream, p, e);
  if (order == CellOrder::codes) return run_quant_scheme<Integers<CellOrder::codes, false>>(stream, p, e);
  if (has_zeros) return run_quant_scheme<Integers<CellOrder::bytes, true>>(stream, p, e);
  return run_quant_scheme<Integers<CellOrder::bytes, false>>(stream, p, e);
}

}  // namespace athanor::cuda
