// Softmax and log-softmax over contiguous rows, and cross-entropy from logits with integer labels. All f32; exponentials are
// of x minus the row's maximum. A row with a NaN, a +inf or only -inf gives NaN.
//
//   softmax            y = exp(x - lse)               dx = y (dy - sum(dy y))
//   log_softmax        y = x - lse                    dx = dy - exp(y) sum(dy)
//   cross-entropy      loss = lse - sum_c target_c x_c,   target = (1 - s) onehot(label) + s / C
//                      dx = dloss (exp(x - lse) - target)
// with lse = log sum exp of the row and s the label smoothing (as in PyTorch). Rows of width 0 write nothing (lse -inf).
#pragma once
#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

struct SoftmaxArgs {
  bool log = false;
  Index rows = 0, cols = 0;
  const float* x = nullptr;  // (rows, cols)
  float* y = nullptr;        // (rows, cols); may be x
};

struct SoftmaxBackwardArgs {
  bool log = false;
  Index rows = 0, cols = 0;
  const float* y = nullptr;   // (rows, cols), what the forward call wrote
  const float* dy = nullptr;  // (rows, cols)
  float* dx = nullptr;        // (rows, cols); may be y or dy
};

// A row whose label is ignore_index has loss 0, gradient 0 and is not counted. Any other label outside [0, classes) is bad: its loss
// is NaN and its gradient 0; the caller looks at `bad` and raises the error.
struct CrossEntropyArgs {
  Index rows = 0, classes = 0;
  const float* x = nullptr;        // (rows, classes), logits
  const void* labels = nullptr;    // (rows)
  DType label_dtype = DType::i32;  // i32 or u8
  float smoothing = 0;             // in [0, 1]
  bool has_ignore_index = false;
  std::int32_t ignore_index = -100;
};

struct CrossEntropyCounts {
  Index counted = 0;    // rows that are neither ignored nor bad
  Index bad = 0;        // rows whose label is no class
  Index first_bad = 0;  // the first such row, rows where there is none
};

struct SoftmaxKernels {
  void (*forward)(const SoftmaxArgs& args, Parallel& parallel) = nullptr;
  void (*backward)(const SoftmaxBackwardArgs& args, Parallel& parallel) = nullptr;

  // loss (rows), lse (rows): saved for the backward call.
  CrossEntropyCounts (*cross_entropy)(const CrossEntropyArgs& args, float* loss, float* lse,
                                      Parallel& parallel) = nullptr;

  // dx (rows, classes), may be args.x. dloss is one value a row (dloss_stride 1) or one for all (0).
  void (*cross_entropy_backward)(const CrossEntropyArgs& args, const float* lse, const float* dloss, Index dloss_stride,
                                 float* dx, Parallel& parallel) = nullptr;
};

}  // namespace athanor
