// The optimizer's step over many tensors as a device runs it: a table of tensors, a table of chunks, counter and hyper-parameters in
// device memory, so that a step needs no look from the host and can be captured.
#pragma once
#include <cstdint>
#include <limits>

#include "base/index.h"
#include "device/run_record.h"
#include "update_rules/rule.h"

namespace athanor::device {

// The optimizer's step over many tensors: norm where it is asked for, preparation by one block, update; three kernels at most, no wait. Rules
// of several passes (update_rules/passes.h) take a few for each pass, whatever the number of tensors.
struct OptimTensor {
  float* param = nullptr;
  const float* grad = nullptr;
  void* state[optim::kMaxState] = {};
  const std::uint8_t* mask = nullptr;  // one byte an element, or null
  Index n = 0;
  std::int32_t group = 0;
  // For rules of several passes: whether it has two axes or more, the last two of which are `batch` matrices of rows · columns; how many rows
  // of the matrices of other tensors come before.
  std::int32_t is_matrix = 0;
  Index batch = 1, rows = 1, columns = 1;
  Index first_row = 0;
};

// A piece of one tensor, the work of one block. Large tensors are cut at multiples of kOptimChunk.
struct OptimChunk {
  std::int32_t tensor = 0;
  std::int32_t n = 0;
  Index offset = 0;
};
inline constexpr Index kOptimChunk = 4096;

// State beside the parameters, in device memory; to be saved with them. Starts as zeros.
struct OptimCounter {
  std::int64_t steps;  // done and not skipped
};

struct OptimStep {
  optim::RuleId rule = optim::RuleId::sgd;
  const OptimTensor* tensors = nullptr;  // (tensor_count), in device memory
  const OptimChunk* chunks = nullptr;    // (chunk_count), in device memory, made by optim_chunks
  std::int32_t tensor_count = 0, chunk_count = 0, groups = 0;
  Index rows = 0;                 // of all matrices
  const double* hyper = nullptr;  // (groups, HYPER and FLAG rows of the rule)
  OptimCounter* counter = nullptr;
  double grad_scale = 1;  // see optim::StepOptions
  double max_norm = std::numeric_limits<double>::infinity();
  double clip_value = std::numeric_limits<double>::infinity();
  bool skip_nonfinite = false;
  bool want_norm = false;
  const float* guard = nullptr;  // a loss: the step is skipped where it is not finite
  // (4): norm (NaN when nothing asked for it), clip factor, 1 if finite, and 0, 1 for a skipped step or 2 + the first tensor whose update
  // is not finite.
  double* report = nullptr;
  Check check;
};

// The chunk table of tensors of these sizes, in their order. Call with chunks = null for the number.
inline std::int32_t optim_chunks(const Index* sizes, std::int32_t tensors, OptimChunk* chunks) {
  std::int32_t count = 0;
  for (std::int32_t t = 0; t < tensors; ++t) {
    for (Index offset = 0; offset < sizes[t]; offset += kOptimChunk) {
      const Index left = sizes[t] - offset;
      if (chunks != nullptr)
        chunks[count] = {t, static_cast<std::int32_t>(left < kOptimChunk ? left : kOptimChunk), offset};
      ++count;
    }
  }
  return count;
}

}  // namespace athanor::device
