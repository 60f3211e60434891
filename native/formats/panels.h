// The execution layout of a quantized weight for products: panels of `columns` rows of W (columns of the product), in which
// `depth` consecutive k of a column lie side by side, as one multiply-add instruction takes them. Each group of k is padded to a
// multiple of 2 * depth or more, with elements that meet zeros of x. In bytes:
//   64 bytes   table of 16 cells for nibbles, then at byte 16 the table's unit in f32; for products in f32 a table of 16 values
//   a panel    cells [padded_k / depth][columns][depth]; nibbles share a byte with those of the next step: even low, odd high
//              scales [groups][columns], zeros u8 [groups][columns], sums s32 [groups][columns] of the integers, each where wanted
// A cell is a code c; the integer is c - offset, c - zero[g, n], or table[c] - offset. For products in f32 that is the value, offset 0.
#pragma once
#include <cstddef>

#include "base/parallel.h"
#include "formats/weights.h"

namespace athanor::quant {

// What an instruction set's kernels take.
struct Layout {
  int columns = 0;
  int depth = 0;
  Index align = 0;         // of a padded group; a multiple of 2 * depth
  bool is_signed = false;  // cells of 8 bits, and tables, hold integers as they are; else 128 is added (8 to nibbles)
  bool sums = false;       // static activations with a zero point need the sums of the integers
  bool f32 = false;        // products in f32 look up the values of a table, not its integers
};

struct Panels {
  Layout layout;
  Index N = 0, K = 0, group = 0, groups = 0;
  Index padded_group = 0, padded_k = 0;  // the first 1 or more, whatever K
  Index count = 0;                       // panels
  int bits = 8;                          // of a cell: 8 or 4
  bool lookup = false;                   // nibbles index the table
  bool zeros = false;                    // affine
  bool bf16 = false;                     // scales
  bool sums = false;
  int offset = 0;
  Index scale_at = 0, zero_at = 0, sum_at = 0, panel_bytes = 0;  // from a panel's first byte
  Index bytes = 0;                                               // of it all
};

// Whether panels for products in f32 can say the weight: codebooks fit in nibbles that leave a code for holes.
bool has_f32_panels(const Weights& weights);

inline constexpr Index kPanelHeader = 64;
inline constexpr Index kUnitAt = 16;

// Only formats, sizes and the presence of operands in `weights` count. `taps`: 1, or KH * KW of a convolution whose k run over
// (channel, tap); a panel has them as (tap, channel).
Panels panels_of(const Weights& weights, const Layout& layout);
void pack_panels(const Weights& weights, const Panels& panels, Index taps, std::byte* to, Parallel& parallel);

}  // namespace athanor::quant
