// Where every value of a program lives in its one arena: values whose lifetimes do not overlap share memory.
#pragma once
#include <vector>

#include "base/index.h"

namespace athanor {

// A piece of memory needed from step `first` to step `last`, both included.
struct Lifetime {
  Index bytes = 0;
  int first = 0;
  int last = 0;
  int reuse = -1;  // take over the memory of this earlier item (an operand that dies in step `first`), or -1
};

struct Placement {
  std::vector<Index> offsets;  // one per item, multiples of the alignment
  Index arena_bytes = 0;
  Index unplanned_bytes = 0;  // the sum of all items
};

// Offset assignment by decreasing size, first gap that fits (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural
// Net Inference", 2020, greedy by size). Deterministic.
Placement place(const std::vector<Lifetime>& items, Index alignment = 64);

}  // namespace athanor
