// How an optimizer keeps a state in memory: in f32, in bf16, or as codes of 8 or 4 bits in blocks with a scale each (block-wise
// quantization of Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization"; 4 bits of Li et al. 2023). A block is
//   f32 scale, then the codes       8 bits: 256 elements, a byte each       4 bits: 128 elements, the low halves of 64 bytes first
// and its largest element, by magnitude, is kept to the bit.
//   signed8, signed4    the dynamic map: decades of the scale, of 7 or 3 of them the i-th smallest in 2^i equal steps, the values
//                       in the middle of the steps; 0; the scale itself. The code is the rank with its sign in two's complement;
//                       the scale has the opposite sign of the largest element, whose code is the lowest
//   unsigned8           the same in 2^(i+1) steps; in a block with one that is not 0 nothing is 0: a mean square that vanishes
//                       would let its element jump
//   unsigned4           (code + 1) / 16 of the scale
// The last block is filled up with zeros. A block whose largest is below 2^-126 is 0.
#pragma once
#include <cstdint>

#include "base/index.h"

namespace athanor::optim {

// What a user chooses.
enum class StateCodec : int { f32, bf16, bits8, bits4 };

// What that comes to for one state slot of one parameter.
enum class StateFormat : std::uint8_t { f32, bf16, signed8, unsigned8, signed4, unsigned4 };

// What of a state a codec may leave out: nothing, the signs, or it has both signs. rules.def says it of every slot.
enum class StateRange : std::uint8_t { signs, positive, exact };

// Tensors with fewer elements keep f32 states where others have 8 or 4 bits: they take little memory, and biases and norms are
// what suffers first.
inline constexpr Index kLeastCoded = 4096;

// Chunks of a plan are cut between blocks.
inline constexpr Index kCodedStrip = 256;

[[gnu::always_inline]] constexpr StateFormat format_of(StateCodec codec, StateRange range, Index n) {
  if (codec == StateCodec::f32 || range == StateRange::exact) return StateFormat::f32;
  if (codec == StateCodec::bf16) return StateFormat::bf16;
  if (n < kLeastCoded) return StateFormat::f32;
  const bool positive = range == StateRange::positive;
  if (codec == StateCodec::bits8) return positive ? StateFormat::unsigned8 : StateFormat::signed8;
  return positive ? StateFormat::unsigned4 : StateFormat::signed4;
}

[[gnu::always_inline]] constexpr bool is_blocked(StateFormat format) {
  return format != StateFormat::f32 && format != StateFormat::bf16;
}

[[gnu::always_inline]] constexpr bool has_bytes(StateFormat format) {
  return format == StateFormat::signed8 || format == StateFormat::unsigned8;
}

// Elements and bytes of a block; of formats without blocks, of an element.
[[gnu::always_inline]] constexpr Index block_elements(StateFormat format) {
  if (!is_blocked(format)) return 1;
  return has_bytes(format) ? 256 : 128;
}
[[gnu::always_inline]] constexpr Index block_bytes(StateFormat format) {
  if (format == StateFormat::f32) return 4;
  if (format == StateFormat::bf16) return 2;
  return has_bytes(format) ? 4 + 256 : 4 + 64;
}

[[gnu::always_inline]] constexpr Index state_blocks(StateFormat format, Index n) {
  return (n + block_elements(format) - 1) / block_elements(format);
}

// Of the first n elements, n a multiple of a block's.
[[gnu::always_inline]] constexpr Index state_bytes(StateFormat format, Index n) {
  return state_blocks(format, n) * block_bytes(format);
}

}  // namespace athanor::optim
