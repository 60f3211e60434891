// The register tile of products of signed bytes on AVX2, four k a column at a time, without loss: x and w are in [-127, 127] (or w
// is -128), so a pair of products is at most 2 * 127 * 128 = 32512, which vpmaddubsw does not saturate at, given one operand
// without a sign.
//   a row of x without negatives (after a ReLU)   vpmaddubsw(x, w)
//   few rows of any others                        vpmaddubsw(|w|, x · sign(w)), one instruction more
//   many                                          vpmaddubsw(|w|, x ^ (w < 0)), from a block of |w| and w < 0 in L1
// then vpmaddwd by ones and an addition: 3 or 4 instructions for 32 products. Of a negative w the last one's x ^ -1 = -x - 1 takes |w|
// off, so that sums start at those of the negative |w|; vpxor is the faster of the two (docs/internals/quantized.md).
// Which of them a row takes does not show: the integers are the same.
#pragma once
#include "kernels/quant/quant_codes.inl.h"

#if defined(ATHANOR_ISA_AVX2)
#define ATHANOR_QUANT_BYTES

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

inline constexpr int kSignedTileRows = 4;  // |w| takes registers
inline constexpr int kPositiveTileRows = 5;
inline constexpr Index kFoldedRows = 16;  // that are worth a folded block

inline quant::Layout bytes_layout() { return {kQuantColumns, kCodesDepth, 2 * kCodesDepth, true, false}; }

// Whether a row of x has a negative integer, where the tiles of codes have sums.
inline void mark_negative(const std::int8_t* x, Index n, std::int32_t* mark) {
  std::int32_t signs = 0;
  for (Index k = 0; k < n; ++k) signs |= x[k];
  *mark = signs < 0;
}

ATHANOR_INLINE bool has_negative(const CodesTile& t, Index rows) {
  std::int32_t marks = 0;
  for (Index r = 0; r < rows; ++r) marks |= t.x_sums[r * t.ld_sums];
  return marks != 0;
}

ATHANOR_INLINE IVec add_products(IVec acc, Codes without_sign, Codes with_sign) {
  const __m256i pairs = _mm256_maddubs_epi16(without_sign, with_sign);
  acc.v = _mm256_add_epi32(acc.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  asm("" : "+x"(acc.v));  // as in quant_half.inl.h
  return acc;
}

template <bool positive>
ATHANOR_INLINE IVec bytes_dot(IVec acc, Codes w, Codes magnitude, Codes x) {
  return positive ? add_products(acc, x, w) : add_products(acc, magnitude, _mm256_sign_epi8(x, w));
}

// R rows by P panels that lie next to each other.
template <bool positive, int R, int P, class Source>
void run_bytes_tile(const CodesTile& t) {
  Source source[P];
  open_panels<R>(t, source);
  const Index group = t.w->padded_group;
  for (Index k = t.k0; k < t.k1;) {
    const Index g = k / group, end = (g + 1) * group < t.k1 ? (g + 1) * group : t.k1;
    IVec acc[P][R][2];
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) {
      ATHANOR_UNROLL
      for (int i = 0; i < 2 * R; ++i) acc[p][i / 2][i % 2] = IVec::broadcast(0);
    }
    const std::int8_t* x = t.x + k;
    const std::int8_t* const x_end = t.x + end;
    for (; x < x_end; x += 2 * kCodesDepth) {
      ATHANOR_UNROLL
      for (int s = 0; s < 2; ++s) {
        ATHANOR_UNROLL
        for (int p = 0; p < P; ++p) {
          Codes w[2], magnitude[2];
          source[p].next(s, w);
          for (int v = 0; v < 2; ++v) magnitude[v] = positive ? w[v] : _mm256_abs_epi8(w[v]);
          ATHANOR_UNROLL
          for (int r = 0; r < R; ++r) {
            const Codes xv = x_broadcast(x + r * t.ldx + s * kCodesDepth);
            for (int v = 0; v < 2; ++v) acc[p][r][v] = bytes_dot<positive>(acc[p][r][v], w[v], magnitude[v], xv);
          }
        }
      }
    }
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) put_codes<R>(t, p, g, k == g * group, end == (g + 1) * group, acc[p]);
    k = end;
  }
}

template <bool positive>
constexpr auto kBytesTiles =
    tile_row<CodesTile>([]<int R>() { return run_bytes_tile<positive, R, 1, DecodedCodes>; },
                        std::make_integer_sequence<int, positive ? kPositiveTileRows : kSignedTileRows>{});

template <bool positive, int bits>
constexpr auto kDirectBytes =
    direct_row<CodesTile>([]<int R, int P>() { return run_bytes_tile<positive, R, P, PanelCodes<bits, bits == 4>>; });

inline void run_bytes_direct(CodesTile t, Index rows, Index panels) {
  t.k0 = 0, t.k1 = t.w->padded_k;
  const bool negative = has_negative(t, rows);
  if (t.w->bits == 8)
    run_panels(negative ? kDirectBytes<false, 8> : kDirectBytes<true, 8>, t, rows, panels);
  else
    run_panels(negative ? kDirectBytes<false, 4> : kDirectBytes<true, 4>, t, rows, panels);
}

// A block for many rows: of every step |w|, then w < 0; and of every group and column the sum of |w| where w < 0.
struct FoldedBlock {
  std::uint8_t cells[2 * kBlockCells];
  std::int32_t sums[kBlockCells / (2 * kCodesDepth)];
};
struct FoldedTile : CodesTile {
  const FoldedBlock* block;
};
struct BytesBlock {
  FoldedBlock folded;
  std::uint8_t unfolded[kBlockCells];
};

ATHANOR_INLINE Codes is_below_zero(Codes w) { return _mm256_cmpgt_epi8(_mm256_setzero_si256(), w); }

template <class Source>
void fold(const CodesTile& t, FoldedBlock& block) {
  Source source;
  source.open(t, 0);
  std::uint8_t* to = block.cells;
  std::int32_t* sums = block.sums;
  for (Index k = t.k0; k < t.k1; sums += kQuantColumns) {
    const Index group_end = (k / t.w->padded_group + 1) * t.w->padded_group, end = group_end < t.k1 ? group_end : t.k1;
    IVec sum[2] = {IVec::broadcast(0), IVec::broadcast(0)};
    for (; k < end; k += 2 * kCodesDepth)
      for (int s = 0; s < 2; ++s, to += 2 * kCodesStep) {
        Codes w[2];
        source.next(s, w);
        for (int v = 0; v < 2; ++v) {
          const Codes below = is_below_zero(w[v]), magnitude = _mm256_abs_epi8(w[v]);
          codes_store(to + v * kVectorCells, magnitude);
          codes_store(to + kCodesStep + v * kVectorCells, below);
          sum[v] = add_products(sum[v], _mm256_and_si256(magnitude, below), _mm256_set1_epi8(1));
        }
      }
    for (int v = 0; v < 2; ++v) sum[v].store(sums + v * kLanes);
  }
}

// R rows by the panel that the block is of.
template <int R>
void run_folded_tile(const FoldedTile& t) {
  clear_totals<R>(t, 0);
  const Index group = t.w->padded_group;
  const std::uint8_t* cells = t.block->cells;
  const std::int32_t* sums = t.block->sums;
  for (Index k = t.k0; k < t.k1; sums += kQuantColumns) {
    const Index g = k / group, end = (g + 1) * group < t.k1 ? (g + 1) * group : t.k1;
    IVec acc[R][2];
    ATHANOR_UNROLL
    for (int i = 0; i < 2 * R; ++i) acc[i / 2][i % 2] = IVec::load(sums + i % 2 * kLanes);
    const std::int8_t* x = t.x + k;
    const std::int8_t* const x_end = t.x + end;
    for (; x < x_end; x += kCodesDepth, cells += 2 * kCodesStep) {
      const Codes magnitude[2] = {codes_load(cells), codes_load(cells + kVectorCells)};
      ATHANOR_UNROLL
      for (int r = 0; r < R; ++r) {
        const Codes xv = x_broadcast(x + r * t.ldx);
        for (int v = 0; v < 2; ++v) {
          const Codes below = codes_load(cells + kCodesStep + v * kVectorCells);
          acc[r][v] = add_products(acc[r][v], magnitude[v], _mm256_xor_si256(xv, below));
        }
      }
    }
    put_codes<R>(t, 0, g, k == g * group, end == (g + 1) * group, acc);
    k = end;
  }
}

constexpr auto kFoldedTiles = tile_row<FoldedTile>([]<int R>() { return run_folded_tile<R>; },
                                                   std::make_integer_sequence<int, kPositiveTileRows>{});

// The sums of one panel over [t.k0, t.k1) for `rows` rows from t.x on.
inline void run_bytes_block(CodesTile t, Index rows, BytesBlock& block) {
  const bool folds = rows >= kFoldedRows;
  bool is_folded = false;
  ask_evenly(t, parts_of(rows, kPositiveTileRows));
  for (Index n; rows > 0; rows -= n) {
    n = rows_in_tile(rows, kPositiveTileRows);
    const bool negative = has_negative(t, n);
    if (negative && folds) {
      if (!is_folded)
        t.w->bits == 8 ? fold<PanelCodes<8, false>>(t, block.folded) : fold<PanelCodes<4, true>>(t, block.folded);
      is_folded = true;
      kFoldedTiles[static_cast<std::size_t>(n - 1)]({t, &block.folded});
    } else {
      if (t.decoded == nullptr) unfold_block(t, block.unfolded);
      if (negative) n = rows_in_tile(rows, kSignedTileRows);
      const auto at = static_cast<std::size_t>(n - 1);
      (negative ? kBytesTiles<false>[at] : kBytesTiles<true>[at])(t);
    }
    t.ahead += t.ahead_step * ((t.k1 - t.k0) / kCodesDepth);
    t.x += n * t.ldx, t.x_sums += n * t.ld_sums, t.sums += n * kQuantColumns, t.parts += n * kQuantColumns;
  }
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
#endif
