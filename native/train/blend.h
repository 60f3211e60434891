// Samples blended with others of their group: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019; torchvision's box). A group is a run of
// consecutive samples of an epoch that begins at a multiple of its size, so that what becomes of a sample depends on (seed, epoch, index)
// and its group alone. Sample i is blended with sample (i + shift) mod n of its group, with a share λ ~ Beta(α, α) of its own.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

struct Blend {
  DType dtype = DType::u8;              // of x: u8 (rounded to the nearest) or f32
  Index rows = 0, C = 0, H = 0, W = 0;  // the group's x: (rows, C, H, W); mixup takes any split of a sample into three
  Index targets = 0;                    // of y: (rows, targets), shares of the classes
  bool is_cut = false;                  // CutMix; else mixup
  double alpha = 1;                     // of the Beta distribution
  double share = 1;                     // how often a sample is blended
  std::uint64_t seed = 0, epoch = 0, first = 0;  // the number of the first row
};

// A share λ ~ Beta(alpha, alpha) of two uniform numbers in (0, 1): Student's t with 2 alpha degrees of freedom by Bailey's polar method
// (1994), brought to 0 … 1 (Devroye 1996).
double symmetric_beta(double alpha, double u, double v);

// x and y of a whole group → blended ones; they must not overlap.
void blend_samples(const Blend& how, const std::byte* x, const float* y, std::byte* new_x, float* new_y,
                   Parallel& parallel);

}  // namespace athanor
