// A quantized weight [N, K] as it is stored, the same on every processor:
//   q       u8 [N, ceil(K * bits / 8)], cells of a row low bits first. With a bitmap, u8 [ceil(nnz * bits / 8)]: the cells of the
//           kept elements alone, row after row without a gap
//   scale   f32, bf16 or (formats of e8m0) u8 [N, G], group g covers k in [g * group, (g + 1) * group); or [1, 1], one for all
//   zero    u8 [N, G] or [1, 1], the code of 0 (affine formats)
//   table   f32 [C], C <= 2^bits (codebook formats)
//   bitmap  u8 [N, ceil(K / 8)], bit k % 8 of byte k / 8 marks a kept element; the others are 0
//
// Integer products see every weight as an integer in [-255, 255]: q, q - zero, or round(table[q] / unit), half to even, where
// unit = max |table| / 127 in f32 (1 for the other kinds, and for a table of zeros). The weight is then scale * unit * integer.
#pragma once
#include "base/half.h"
#include "formats/format.h"

namespace athanor::quant {

struct Weights {
  Format format = Format::int8;
  Index N = 0, K = 0, group = 0;
  const std::uint8_t* q = nullptr;
  const float* scale = nullptr;  // one of the three
  const Bf16* scale_bf16 = nullptr;
  const std::uint8_t* scale_e8m0 = nullptr;
  bool one_scale = false;
  const std::uint8_t* zero = nullptr;
  bool one_zero = false;
  const float* table = nullptr;
  Index table_size = 0;
  const std::uint8_t* bitmap = nullptr;

  int bits() const { return info(format).bits; }
  Kind kind() const { return info(format).kind; }
  Index groups() const { return group > 0 ? (K + group - 1) / group : 0; }
  Index row_bytes() const { return cell_bytes(K, bits()); }

  float scale_of(Index n, Index g) const {
    const Index at = one_scale ? 0 : n * groups() + g;
    return scale != nullptr ? scale[at] : scale_bf16 != nullptr ? to_f32(scale_bf16[at]) : from_e8m0(scale_e8m0[at]);
  }
  int zero_of(Index n, Index g) const { return zero == nullptr ? 0 : zero[one_zero ? 0 : n * groups() + g]; }
};

// max |table| / 127, and the table in that unit.
float table_unit(const float* table, Index size);
void round_table(const float* table, Index size, std::int8_t* rounded);

// Kept elements of the rows before n.
Index kept_before(const Weights& weights, Index n);

Index kept_in_row(const Weights& weights, Index n);

// Row n: the codes of its elements, with -1 where the bitmap has none. `first` is kept_before(n) and is ignored without one.
void unpack_codes(const Weights& weights, Index n, Index first, std::int16_t* codes);

// Row n as the integers of the integer products, or in f32; 0 where the bitmap has none.
void integers(const Weights& weights, Index n, Index first, const std::int8_t* rounded_table, std::int16_t* out);
void dequantize(const Weights& weights, Index n, Index first, float* out);

// Whether the bitmap marks as many elements as q has cells for, no code is past the table and every scale of one byte is a number: what
// a stranger's file must prove.
bool is_consistent(const Weights& weights, Index q_bytes);

}  // namespace athanor::quant
