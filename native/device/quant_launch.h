// Launches with quantized weights, and the layout that the products' kernels read them in. A weight comes as it is stored
// (formats/weights.h); `QuantPack` brings it into one of three layouts, once for a weight that nothing changes:
//   integers   for products of integers: cells of 8 bits, or of 4
//   floats     for products with x in f32: cells of 8 or 4 bits, and the values of a table
//   dense      f32 [N, K]
// In bytes, from layout.cells_at on: cells [N][padded_k], behind them scales f32 [groups][N], zeros u8 [groups][N], sums s32 [groups][N] of
// the integers. A group of k is padded to a multiple of 32, which one step of mma takes, a row to one of 64, with cells that stand
// for 0. Where a row has zeros, a cell c stands for c - zero; the cells of int4 and int2 hold c + 8 with a zero of 8, those of
// int8 c + 128 with 128 for products in f32 and are signed for integers. A table's cells are its codes in 4 bits, in 8 its rounded integers,
// or codes for products in f32.
// Within 32 k, cells lie so that a lane reads its fragment of mma in one word: in which order says cuda/kernels/quant.cuh.
#pragma once
#include <cstdint>

#include "device/launch.h"

namespace athanor::device {

enum class QuantCodes : std::uint8_t { symmetric, affine, codebook };
enum class QuantUse : std::uint8_t { integers, floats, dense };

// [N, K] as stored. One of the scale types; groups = ceil(K / group).
struct QuantizedWeight {
  QuantCodes codes = QuantCodes::symmetric;
  std::int32_t bits = 8;  // of a cell
  Index N = 0, K = 0, group = 1, groups = 0;
  const std::uint8_t* q = nullptr;
  Index q_bytes = 0;
  const void* scale = nullptr;
  DType scale_dtype = DType::f32;  // f32, bf16, or u8 for the exponents of e8m0
  bool one_scale = false;
  const std::uint8_t* zero = nullptr;
  bool one_zero = false;
  const float* table = nullptr;
  Index table_size = 0;
  bool has_own_table = false;  // the format's, of 16 values at most, in place of `table`
  float own_table[16] = {};
  const std::uint8_t* bitmap = nullptr;
};

struct QuantLayout {
  QuantUse use = QuantUse::integers;
  QuantCodes codes = QuantCodes::symmetric;
  Index N = 0, K = 0, group = 1, groups = 0, padded_group = 32, padded_k = 0;
  std::int32_t bits = 8;   // of a cell; 32 for dense
  bool has_zeros = false;  // cells are unsigned
  Index row_bytes = 0, scale_at = 0, zero_at = 0, sum_at = 0, bytes = 0;
};

inline constexpr Index kQuantTableAt = 64;    // f32 [256]; the unit of a rounded table is the first f32 of all,
inline constexpr Index kQuantRoundedAt = 16;  // the first 16 integers of it lie here
inline constexpr Index kQuantCellsAt = 1280;
inline constexpr Index kQuantStep = 64;  // padded_k is a multiple

constexpr Index quant_rounded(Index value, Index to) { return (value + to - 1) / to * to; }

// A hole of a sparse weight needs a code of its own where codes are looked up.
constexpr bool quant_has_holes_code(const QuantizedWeight& w) {
  return w.codes != QuantCodes::codebook || w.bitmap == nullptr || w.table_size < 256;
}

constexpr QuantLayout quant_layout(const QuantizedWeight& w, QuantUse use) {
  QuantLayout l;
  l.use = use, l.codes = w.codes;
  l.N = w.N, l.K = w.K, l.group = w.group, l.groups = w.groups;
  const Index group = w.group < w.K ? w.group : w.K;
  l.padded_group = quant_rounded(group > 0 ? group : 1, 32);
  l.padded_k = quant_rounded(l.groups * l.padded_group, kQuantStep);
  const bool looked_up = w.codes == QuantCodes::codebook;
  l.bits = w.bits <= 4 && !(looked_up && w.bitmap != nullptr) ? 4 : 8;
  l.has_zeros = !looked_up && (l.bits == 4 || use == QuantUse::floats || w.codes == QuantCodes::affine);
  if (use == QuantUse::dense) {
    l.bits = 32, l.has_zeros = false;
    l.row_bytes = w.K * 4;
    l.scale_at = l.zero_at = l.sum_at = l.bytes = kQuantCellsAt + quant_rounded(w.N * l.row_bytes, 256);
    return l;
  }
  l.row_bytes = l.padded_k * l.bits / 8;
  l.scale_at = kQuantCellsAt + quant_rounded(w.N * l.row_bytes, 256);
  l.zero_at = l.scale_at + quant_rounded(w.N * w.groups * 4, 256);
  l.sum_at = l.zero_at + quant_rounded(w.N * w.groups, 256);
  l.bytes = l.sum_at + (use == QuantUse::integers ? quant_rounded(w.N * w.groups * 4, 256) : 0);
  return l;
}

// A weight whose bitmap marks another number of codes than there are, or with a code past its table, is reported to `check`.
struct QuantPack {
  QuantizedWeight w;
  QuantLayout layout;
  std::byte* to = nullptr;
  Check check;
};

// y[M, N] = x[M, K] · Wᵀ by the rules of kernels/quant/quant.h: rows of x are rounded to integers where the layout is one of integers.
struct QuantMatmul {
  Index M = 0;
  QuantLayout w;  // integers or floats
  const std::byte* packed = nullptr;
  const float* x = nullptr;    // (M, K)
  const float* act = nullptr;  // null: dynamic
  bool is_static = false;
  float* y = nullptr;  // (M, N)
  Epilogue epilogue;
};

// The same of images, in integers.
struct QuantConv {
  ConvShape shape;
  QuantLayout w;  // integers, of W [C_out, C_in / groups * KH * KW]
  const std::byte* packed = nullptr;
  const float* x = nullptr;
  const float* act = nullptr;
  bool is_static = false;
  float* y = nullptr;
  Epilogue epilogue;
};

}  // namespace athanor::device
