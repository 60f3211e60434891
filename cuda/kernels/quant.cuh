// What the kernels with quantized weights share: where a cell's k lies within 32, and the parameters of their products.
#pragma once
#include "cuda/kernels/elementwise/elementwise.cuh"
#include "device/quant_launch.h"

namespace athanor::cuda {

// How cells lie within 32 k, by which a lane's fragment of mma is one or two of its words. t: lane % 4.
//   bytes    8 bits, in order (m16n8k32 reads 4 t + i and 16 + 4 t + i)
//   nibbles  word t: k = 4 t + i in the low half of byte i, 16 + 4 t + i in the high half
//   codes    word t: k = 4 t + i in nibble i, 16 + 4 t + i in nibble 4 + i; four of them select bytes of a table
//   pairs    8 bits: words 2 t and 2 t + 1; 4 bits: word t, whose nibbles p and p + 4 are a pair: (2 t, 2 t + 1), and the same + 8, + 16, + 24,
//            which are the two fragments of m16n8k16
enum class CellOrder : std::uint8_t { bytes, nibbles, codes, pairs };

inline CellOrder order_of(const device::QuantLayout& l) {
  if (l.use == device::QuantUse::floats) return CellOrder::pairs;
  if (l.bits == 8) return CellOrder::bytes;
  return l.codes == device::QuantCodes::codebook ? CellOrder::codes : CellOrder::nibbles;
}

// The k within 32 of cell `slot` of word `word`.
ATHANOR_DEVICE int k_of_cell(CellOrder order, int bits, int word, int slot) {
  if (order == CellOrder::bytes) return word * 4 + slot;
  if (order == CellOrder::nibbles) return slot % 2 * 16 + word * 4 + slot / 2;
  if (order == CellOrder::codes) return slot / 4 * 16 + word * 4 + slot % 4;
  if (bits == 8) return word % 2 * 16 + slot / 2 * 8 + word / 2 * 2 + slot % 2;
  return slot % 4 * 8 + word * 2 + slot / 4;
}

// y of M rows: x in rows of cells, of s8 or of bf16 in three planes that sum up to the f32.
struct QuantProductParams {
  Index M, N, padded_k;        // N: of the columns from first_n on
  Index first_n, ld_n;         // ld_n: all columns of the weight
  int groups, steps_of_group;  // steps: of 32 k
  const std::uint8_t* x;       // (planes, M, ldx bytes)
  Index ldx, plane;            // in bytes
  const std::uint8_t* cells;
  Index row_bytes;
  const float* scale;          // (groups, ld_n)
  const std::uint8_t* zero;    // (groups, ld_n)
  const std::int32_t* sums;    // (groups, ld_n), for static activations
  const std::int32_t* x_sums;  // (M, groups)
  const float* factors;        // of a row, or of an image
  const float* act;
  const std::uint32_t* rounded;  // 16 integers of a table, in 4 words
  int has_zeros;
  float* y;  // (M / pixels, ld_n, pixels)
  Index pixels;
  Index tiles_n;
  int fused;
};

device::Result run_quant_integers(device::Stream* stream, const QuantProductParams& p, CellOrder order, bool has_zeros,
                                  const EwProgramParams& e);
device::Result run_quant_floats(device::Stream* stream, const QuantProductParams& p, int bits,
                                const EwProgramParams& e);

// A few rows of x in f32, at most kQuantFewRows.
inline constexpr Index kQuantFewRows = 16;
device::Result run_quant_rows(device::Stream* stream, const device::QuantMatmul& args, const EwProgramParams& e);

// Activations: rows of x as integers, images as the rows of their windows, rows of x in three planes of bf16.
struct QuantRows {
  Index rows, K, group, padded_group, groups, padded_k;
  const float* x;
  const float* act;  // null: dynamic
  const float* unit;
  std::uint8_t* to;    // (rows, padded_k)
  float* factors;      // (rows)
  std::int32_t* sums;  // (rows, groups)
};
inline constexpr Index kQuantMostGroups = 12288;  // whose sums a block has in shared memory
device::Result round_rows(device::Stream* stream, const QuantRows& p);

struct QuantWindows {
  ConvShape shape;
  Index conv_group;  // of the convolution's groups
  Index K, group, padded_group, groups, padded_k;
  const float* x;
  const float* act;
  const float* unit;
  float* steps;      // (images): made by find_image_steps
  float* factors;    // (images)
  std::uint8_t* to;  // (pixels of all images, padded_k)
  std::int32_t* sums;
};
device::Result find_image_steps(device::Stream* stream, const QuantWindows& p);
device::Result round_windows(device::Stream* stream, const QuantWindows& p);

device::Result split_rows(device::Stream* stream, const QuantRows& p);

}  // namespace athanor::cuda
