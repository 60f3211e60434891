// The table of `entries` values with the least Σ weight (x − nearest entry)²: k-means on a line, where clusters are intervals of
// the sorted values and dynamic programming finds the best cut (Wang and Song 2011), each of its layers by divide and conquer,
// since best cuts move only upwards. Up to kKmeansExact distinct values are cut anywhere; more are cut at the borders of so many
// bins (half of them of equal counts, half of equal widths), and Lloyd's algorithm on all values then moves the cuts.
//
// Where a value is 0 exactly, as pruned weights are, an entry is: one cluster of the cut has its centre there.
#pragma once
#include <vector>

#include "base/index.h"

namespace athanor::quant {

inline constexpr Index kKmeansExact = 4096;

struct KmeansArgs {
  Index count = 0;
  const float* x = nullptr;       // finite
  const float* weight = nullptr;  // 0 or more; of 0: it does not count
  Index entries = 1;
};

// Ascending. Of fewer distinct values than entries the last is repeated.
std::vector<float> kmeans_table(const KmeansArgs& args);

}  // namespace athanor::quant
