// Products of x in f32 with integer weights on tensor cores. x is three bf16 that sum up to it exactly, a cell less its zero is a whole
// number of at most 8 bits, which bf16 holds: three products give f32's accuracy, and scales apply to the sums of groups.
#include "cuda/kernels/quant_mma.cuh"

namespace athanor::cuda {
namespace {

template <int kBits_>
struct Floats {
  using Acc = float;
  static constexpr int kBits = kBits_, kDepth = 32, kXBytes = 2, kPlanes = 3;
  static constexpr int kGroupedFM = 2;  // more would spill
  static constexpr int kCellPitch = kDepth * kBits / 8;
  static constexpr int kMostColumns = 4;  // fragments of a warp

  // Of this lane's column in every fragment: 4 bits: -(128 + zero) twice in bf16; 8 bits: 2^23 + zero in f32.
  std::uint32_t zero[kMostColumns];

  ATHANOR_DEVICE explicit Floats(const QuantProductParams&) {}

  template <class Tile>
  ATHANOR_DEVICE void begin_group(const QuantProductParams& p, Index n0, int group) {
    static_assert(Tile::kFN <= kMostColumns);
#pragma unroll
    for (int j = 0; j < Tile::kFN; ++j) {
      const Index n = n0 + j * 8 + threadIdx.x % kWarpSize / 4;
      const std::uint32_t z = n < p.N && group < p.groups ? p.zero[group * p.ld_n + p.first_n + n] : 0;
      zero[j] =
          kBits == 4 ? (0xc300u | z) * 0x10001u : __builtin_bit_cast(std::uint32_t, 8388608.0f + static_cast<float>(z));
    }
  }

  // Adding the cell's bits to those of 128 or 2^23 makes a float of it; what is over goes with the zero, exactly.
  ATHANOR_DEVICE std::uint32_t pair(std::uint32_t word, int which, int j) const {
    if constexpr (kBits == 4) {
      return add_bf16x2((word >> (4 * which) & 0x000f000fu) | 0x43004300u, zero[j]);
    } else {
      const float over = __builtin_bit_cast(float, zero[j]);
      const auto value = [&](std::uint32_t byte) {
        return __builtin_bit_cast(std::uint32_t,
                                  __builtin_bit_cast(float, byte_permute(word, 0x4b000000u, 0x7440u | byte)) - over);
      };
      const auto first = static_cast<std::uint32_t>(which % 2 * 2);
      return byte_permute(value(first), value(first + 1), 0x7632u);
    }
  }

  template <class Stage, class Tile>
  ATHANOR_DEVICE void multiply(const std::uint8_t* stage, int warp_m, int warp_n, int,
                               Acc (&acc)[Tile::kFM][Tile::kFN][4]) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize, matrix = lane / 8, line = lane % 8;
    const std::uint8_t* cells = stage + Stage::kX;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      std::uint32_t b[Tile::kFN][2];
#pragma unroll
      for (int j = 0; j < Tile::kFN; ++j) {
        const std::uint8_t* column = cells + (warp_n + j * 8 + lane / 4) * kCellPitch;
        const std::uint32_t word = *reinterpret_cast<const std::uint32_t*>(
            kBits == 4 ? column + lane % 4 * 4 : column + lane % 4 * 8 + half * 4);
        b[j][0] = pair(word, half * 2, j), b[j][1] = pair(word, half * 2 + 1, j);
      }
#pragma unroll
      for (int i = 0; i < Tile::kFM; ++i)
#pragma unroll
        for (int plane = kPlanes - 1; plane >= 0; --plane) {
          std::uint32_t a[4];
          load_matrix_x4(a, stage + (plane * Tile::kM + warp_m + i * 16 + matrix % 2 * 8 + line) * Stage::kXPitch +
                                half * 32 + matrix / 2 * 16);
#pragma unroll
          for (int j = 0; j < Tile::kFN; ++j) mma_bf16(acc[i][j], a, b[j]);
        }
    }
  }

  ATHANOR_DEVICE float add_group(const QuantProductParams& p, Index, Index n, int group, Acc sum, float total) const {
    return fmaf(sum, p.scale[group * p.ld_n + p.first_n + n], total);
  }
  static ATHANOR_DEVICE float finish(const QuantProductParams&, Index, float total) { return total; }
};

}  // namespace

device::Result run_quant_floats(device::Stream* stream, const QuantProductParams& p, int bits,
                                const EwProgramParams& e) {
  if (bits == 4) return run_quant_scheme<Floats<4>>(stream, p, e);
  return run_quant_scheme<Floats<8>>(stream, p, e);
}

}  // namespace athanor::cuda
