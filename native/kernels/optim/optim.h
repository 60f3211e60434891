// The optimizer step on one run of elements, and the sum of squares behind the global gradient norm.
//   g = clamp(grad · multiplier, ±clip_value);  param, state = rule(param, g, state);  where mask = 0 both become 0
// An element whose new parameter or state would not be finite keeps both, and the kernel says so.
// One kernel a (rule, variant) pair; the maths is optim/rules/<id>.h, the driver over many tensors optim/optimizer.h.
// Every element is computed alone: any cut into runs gives the same bits. Pointers need no alignment.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "update_rules/rule.h"

namespace athanor::kernels {

struct OptimRun {
  float* param;                   // (n)
  const float* grad;              // (n)
  void* state[optim::kMaxState];  // (n) each, of the kernel's state codec; unused slots are never read
  const std::uint8_t* mask;       // (n), or null
  Index n;
  float scalars[optim::kMaxScalars];  // from Rule::prepare
  float multiplier;                   // sign · clip factor / (loss scale · accumulation)
  float clip_value;                   // infinity: no clip by value
};

using OptimUpdate = bool (*)(const OptimRun&);  // whether every element's update was finite

struct OptimKernels {
  OptimUpdate update[optim::kRuleCount][optim::kMaxVariants];  // f32 state; null where a rule has fewer variants
  // Over the elements whose mask (n, or null) is not 0. In double, lanes in fixed order; not finite if and only if some x is not.
  double (*sum_squares)(const float* x, const std::uint8_t* mask, Index n);
};

}  // namespace athanor::kernels
