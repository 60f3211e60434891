// The optimizer step on one run of elements, and the sum of squares behind the global gradient norm.
//   g = clamp(grad · multiplier, ±clip_value);  param, state = rule(param, g, state);  where mask = 0 both become 0
// An element whose new parameter or state would not be finite keeps both, and the kernel says so.
// One kernel a (rule, variant, pass); the maths is update_rules/<id>.h, the driver over many tensors optim/optimizer.h.
// In rules of one pass every element is computed alone: any cut into runs gives the same bits. Pointers need no alignment.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "base/philox.h"
#include "update_rules/limits.h"
#include "update_rules/state_format.h"

namespace athanor::kernels {

struct OptimRun {
  float* param;                   // (n)
  const float* grad;              // (n)
  void* state[optim::kMaxState];  // (n) each, f32 but for update_coded; unused slots are never read
  const std::uint8_t* mask;       // (n), or null
  Index n;
  float scalars[optim::kMaxScalars];  // from Rule::prepare
  float multiplier;                   // sign · clip factor / (loss scale · accumulation)
  float clip_value;                   // infinity: no clip by value
};

// One pass of a rule that has several (update_rules/passes.h), on a piece of one tensor; a factored one on whole rows of it.
struct OptimPass : OptimRun {
  float* scratch = nullptr;  // (n), what one pass leaves to the next
  double* sums = nullptr;    // (kMaxSums), written where the pass has sums

  Index width = 0;                  // elements of a row
  Index rows = 0;                   // of each matrix of the tensor
  Index first_row = 0;              // of the piece, counted through all matrices of the tensor
  const float* row = nullptr;       // a factor for every row of the tensor
  const float* column = nullptr;    // (matrices, width)
  double* row_squares = nullptr;    // for every row of the tensor; the piece writes its own
  float* column_squares = nullptr;  // (matrices that the piece touches, width), zeros at first
};

using OptimUpdate = bool (*)(const OptimRun&);  // whether every element's update was finite
using OptimPassUpdate = bool (*)(const OptimPass&);

// How the states of a run lie in memory, where one of them is not f32. Blocks begin with the run.
struct OptimStates {
  optim::StateFormat format[optim::kMaxState];
  unsigned used;       // bit k set: the rule reads and writes slot k
  PhiloxStream noise;  // bf16 is rounded by it, up or down, so that what a step adds is not lost; four slots a stream
  Index first;         // of the run, among the elements of its tensor
};

struct OptimKernels {
  OptimUpdate (*update)(int rule, int variant);  // null where the rule has fewer variants, or several passes
  OptimPassUpdate (*pass)(int rule, int variant, int pass);  // null where there is no such pass, or the rule has one
  // The same with states in any format: strips of them in f32, beside the loop.
  bool (*update_coded)(OptimUpdate update, const OptimRun& run, const OptimStates& states);
  // All n elements of a state; bf16 to the nearest.
  void (*decode)(optim::StateFormat format, const void* state, float* x, Index n);
  void (*encode)(optim::StateFormat format, const float* x, void* state, Index n);
  // Over the elements whose mask (n, or null) is not 0. In double, lanes in fixed order; not finite if and only if some x is not.
  double (*sum_squares)(const float* x, const std::uint8_t* mask, Index n);
};

}  // namespace athanor::kernels
