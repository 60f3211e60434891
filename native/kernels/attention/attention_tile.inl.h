// The tiles of attention: a register micro-kernel for every product in it, and the packing of its operands.
//
// A panel is kPanel columns of a matrix, row after row: [columns / kPanel][rows][kPanel], the last panel padded with zeros.
// The micro-kernel forms R <= kRows rows of one panel of C = A B: B streams as a panel, A is broadcast from memory at
// a[i * kRowStep + k * kStep]. One body serves all five products, because A may lie in rows or in columns:
//   S = Q Kᵀ, dP = dY Vᵀ    A: panels of Q (kRowStep = kPanel, kStep = 1), B: panels of the transposed K
//   Y = P V,  dQ = dS K     A: rows of P (kRowStep = kPitch, kStep = 1), B: panels of V
//   dV = Pᵀ dY, dK = dSᵀ Q  A: columns of P (kRowStep = 1, kStep = kPitch), B: panels of dY
// Registers: AVX-512 14 x 2 sums + 2 of B + 1 of A of 32; AVX2 6 x 2 + 2 + 1 of 16; NEON 6 x 4 + 4 + 1 of 32.
#pragma once
#include "kernels/attention/attention.h"
#include "simd/transpose.inl.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace attention {

#if defined(ATHANOR_ISA_AVX512)
inline constexpr int kRows = 14;
inline constexpr int kVecs = 2;
#elif defined(ATHANOR_ISA_NEON)
inline constexpr int kRows = 6;
inline constexpr int kVecs = 4;
#else
inline constexpr int kRows = 6;
inline constexpr int kVecs = 2;
#endif
inline constexpr Index kPanel = Index{kVecs} * kLanes;
inline constexpr Index kKeyBlock = 128;          // keys held packed at a time
inline constexpr Index kQueryBlock = 32;         // queries whose logits live in the first cache level at a time
inline constexpr Index kPitch = kKeyBlock + 16;  // of a row of logits: spreads rows over the sets of the cache
static_assert(kKeyBlock % kPanel == 0 && kPanel % kLanes == 0);

constexpr Index divide_up(Index a, Index b) { return (a + b - 1) / b; }
constexpr Index round_up(Index a, Index b) { return divide_up(a, b) * b; }
constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }
constexpr Index larger(Index a, Index b) { return a > b ? a : b; }

// Part i of n items cut into equal parts: [begin, end).
struct Part {
  Index begin, end;
};
constexpr Part part_of(Index n, Index parts, Index i) { return {n * i / parts, n * (i + 1) / parts}; }

template <int R, Index kRowStep, Index kStep>
ATHANOR_INLINE void multiply(Vec (&sum)[R][kVecs], const float* a, const float* b, Index depth) {
  for (Index k = 0; k < depth; ++k) {
    Vec column[kVecs];
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) column[j] = Vec::load(b + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const Vec x = Vec::broadcast(a[i * kRowStep]);
#pragma GCC unroll 4
      for (int j = 0; j < kVecs; ++j) sum[i][j] = fma(x, column[j], sum[i][j]);
    }
    a += kStep;
    b += kPanel;
  }
}

// What becomes of the R x kPanel sums.
enum class Store { set, add, rescale };

struct Tile {
  const float* a;
  Index a_panel = 0;  // from one panel of A to the next; used when A lies in panels
  const float* b;     // (depth, kPanel)
  Index depth;
  float* c;  // (R, kPanel), rows c_row apart
  Index c_row;
  const float* factor = nullptr;  // (R), of Store::rescale: c = c * factor + sum
};

template <int R>
ATHANOR_INLINE void put(const Vec (&sum)[R][kVecs], const Tile& tile, Store store) {
  float* c = tile.c;
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i, c += tile.c_row) {
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) {
      Vec x = sum[i][j];
      if (store == Store::add) x = Vec::load(c + j * kLanes) + x;
      if (store == Store::rescale) x = fma(Vec::load(c + j * kLanes), Vec::broadcast(tile.factor[i]), x);
      x.store(c + j * kLanes);
    }
  }
}

template <int R>
[[gnu::noinline]] void panels_by_panel(const Tile& tile) {
  Vec sum[R][kVecs];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) sum[i][j] = Vec::zero();
  const float* a = tile.a;
  const float* b = tile.b;
  for (Index k = 0; k < tile.depth; k += kPanel) {
    multiply<R, kPanel, 1>(sum, a, b, smaller(kPanel, tile.depth - k));
    a += tile.a_panel;
    b += kPanel * kPanel;
  }
  put<R>(sum, tile, Store::set);
}

template <int R, Index kRowStep, Index kStep, Store store>
[[gnu::noinline]] void logits_by_panel(const Tile& tile) {
  Vec sum[R][kVecs];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) sum[i][j] = Vec::zero();
  multiply<R, kRowStep, kStep>(sum, tile.a, tile.b, tile.depth);
  put<R>(sum, tile, store);
}

// One kernel for each number of rows up to kRows.
struct TileTable {
  using Kernel = void (*)(const Tile&);
  Kernel panels[kRows + 1] = {};   // S, dP
  Kernel rows[kRows + 1] = {};     // Y of the first keys, dQ: set
  Kernel rescale[kRows + 1] = {};  // Y of later keys
  Kernel columns[kRows + 1] = {};  // dV, dK: add

  template <int R>
  constexpr void fill() {
    panels[R] = panels_by_panel<R>;
    rows[R] = logits_by_panel<R, kPitch, 1, Store::set>;
    rescale[R] = logits_by_panel<R, kPitch, 1, Store::rescale>;
    columns[R] = logits_by_panel<R, 1, kPitch, Store::add>;
    if constexpr (R < kRows) fill<R + 1>();
  }
  constexpr TileTable() { fill<1>(); }
};
inline constexpr TileTable kTiles;

// Rows of a fused projection lie pages apart, where the processor's own prefetcher does not follow.
inline constexpr Index kRowsAhead = 8;
inline constexpr Index kCacheLine = 16;  // floats

ATHANOR_INLINE void prefetch_row(const float* row, Index depth) {
  for (Index d = 0; d < depth; d += kCacheLine) prefetch(row + d);
}

// rows x depth of a strided matrix, times factor, into panels of dst (panel_rows rows each). Up to
// `readable` rows from src exist and are worth fetching ahead.
inline void pack_rows(const float* src, Index ld, Index rows, Index depth, float factor, float* dst, Index panel_rows,
                      Index readable = 0) {
  readable = larger(rows, readable);
  const Vec f = Vec::broadcast(factor);
  for (Index r = 0; r < rows; ++r, src += ld) {
    if (r + kRowsAhead < readable) prefetch_row(src + kRowsAhead * ld, depth);
    for (Index d = 0; d < depth; d += kPanel) {
      float* to = dst + d * panel_rows + r * kPanel;
      for (Index j = 0; j < kPanel; j += kLanes, to += kLanes) {
        const Index left = depth - d - j;
        const Vec x = left >= kLanes ? Vec::load(src + d + j) : left > 0 ? Vec::load(src + d + j, left) : Vec::zero();
        (x * f).store(to);
      }
    }
  }
}

// The transpose of rows x depth, in panels of rows: dst [rows / kPanel][depth][kPanel], missing rows zero.
inline void pack_transposed(const float* src, Index ld, Index rows, Index depth, float* dst) {
  for (Index r = 0; r < round_up(rows, kPanel); r += kLanes) {
    float* panel = dst + r / kPanel * kPanel * depth + r % kPanel;
    const float* from = src + r * ld;
    const Index present = larger(0, smaller(kLanes, rows - r));
    for (Index i = kLanes; i < smaller(2 * kLanes, rows - r); ++i) prefetch_row(from + i * ld, depth);
    for (Index d = 0; d < depth; d += kLanes) {
      const Index left = smaller(kLanes, depth - d);
      Vec x[kLanes];
      if (present == kLanes && left == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) x[i] = Vec::load(from + i * ld + d);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) x[i] = i < present ? Vec::load(from + i * ld + d, left) : Vec::zero();
      }
      transpose(x);
      if (left == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) x[i].store(panel + (d + i) * kPanel);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i)
          if (i < left) x[i].store(panel + (d + i) * kPanel);
      }
    }
  }
}

}  // namespace attention
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
