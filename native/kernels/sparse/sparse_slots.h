// Product of a few rows of x with a sparse weight of any pattern, as slots that are filled without gaps: it streams a little more
// than the weights that are left, and needs no gather.
//
// A vector of values holds one slot for each of as many rows of W. A slot sees eight places of x, a window, and three bits say which
// of them its value multiplies: one permutation of a register. If windows were the columns in eights, those with more weights
// than slots would overflow and others stay empty. So a column is in several windows: window t · Q + q, Q = ceil(K / 8), is in
// arrangement t, and its place i shows column 8 · ((q + shift) mod Q) + i, where shift depends on t and is 0 for half of the
// places (SlotWindows). Which slot of its row takes which weight is then a matching, found once (sparse/matching.h), which fills nine
// of ten slots. What finds no slot is in the rest, with columns.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "base/parallel.h"
#include "kernels/gemm/gemm.h"

namespace athanor {

inline constexpr Index kSlotRows = 4;    // of x, at most
inline constexpr int kSlotPlaces = 8;    // of a window, and windows of a block: eight picks of four bits fill a word
inline constexpr int kArrangements = 8;  // at most: as many slots as columns

// Which columns the windows show.
struct SlotWindows {
  Index count;  // Q, of an arrangement
  explicit constexpr SlotWindows(Index K) : count((K + kSlotPlaces - 1) / kSlotPlaces) {}

  // Places of arrangement t that its shift moves, a bit each: any two places are moved apart by some arrangement.
  static constexpr std::uint8_t moved(int t) {
    constexpr std::uint8_t kMoved[kArrangements] = {0x00, 0xf0, 0xcc, 0xaa, 0x3c, 0x5a, 0x66, 0x96};
    return kMoved[t];
  }
  // Shifts without pattern: sums of some that are others would close short circles, and leave weights without a slot.
  constexpr Index shift(int t) const { return (count * (t * t * t * 11 % 61) / 61 + t) % count; }
  // The window of arrangement t that shows column k, at place k % 8.
  constexpr Index window(int t, Index k) const {
    const Index q = k / kSlotPlaces, back = (moved(t) >> k % kSlotPlaces & 1) != 0 ? shift(t) : 0;
    return t * count + (q >= back ? q - back : q - back + count);
  }
};

// A group is kSlotVectors vectors of rows, which share the loads of x: from L2, mostly, because W passes through L1.
inline constexpr int kSlotVectors = 4;

struct SlotGroup {
  Index block;          // where its blocks begin
  std::int32_t blocks;  // of kSlotPlaces windows each
};

struct SparseSlots {
  Index rows = 0, columns = 0;  // N, K; K at most 65536
  int lanes = 0;
  Index windows = 0;                    // of the longest group: what x is arranged for
  Index strip = 0;                      // rows of a task: whole groups
  const SlotGroup* group = nullptr;     // one for every kSlotVectors * lanes rows
  const std::int32_t* row = nullptr;    // [group][vector][lane]: its row of W, in the group's strip; -1: none
  const float* blocks = nullptr;        // [block]{[vector][lane] picks, low bits first; [window][vector][lane] values}
  const std::int32_t* rests = nullptr;  // [group][vector] and one more: where the steps of its rest begin
  const std::uint16_t* rest = nullptr;  // [step][lane]: columns
  const float* rest_values = nullptr;   // [step][lane]
};

struct SparseSlotsArgs {
  SparseSlots w;
  Index M = 0;               // 1 to kSlotRows
  const float* x = nullptr;  // (M, K), contiguous
  float* y = nullptr;        // (M, N), contiguous
  GemmEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

}  // namespace athanor
