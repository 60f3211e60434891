// What the kernels of the optimizer's step share: the groups' scalars, and what the step decided before its update.
#pragma once
#include "cuda/kernels/status.cuh"
#include "device/launch.h"
#include "device/plugin.h"
#include "update_rules/all.h"

namespace athanor::cuda {

inline constexpr int kOptimThreads = 256;

// Whether a rule of several passes has kernels: all but those with products of matrices between two passes.
template <class Rule>
inline constexpr bool kRunsPasses = optim::kHasPasses<Rule> && !std::is_same_v<Rule, optim::Muon>;

struct OptimGroup {
  int variant[2];  // of a vector, of a matrix
  float sign;
  float scalars[optim::kMaxScalars];
};

// What prepare leaves for update.
struct OptimDecision {
  double norm_squared;
  float multiplier;  // of the gradient: unscaling and the clip factor
  int skip;
};

struct OptimParams {
  device::OptimStep step;
  double* partial;  // (chunk_count)
  OptimDecision* decision;
  OptimGroup* groups;  // (step.groups)
  std::byte* passes;   // passes_workspace
  int wants_norm;
};

// The first tensor whose update is not finite: report[3] = 2 + its number. Rare.
ATHANOR_DEVICE void report_nonfinite(double* report, int tensor) {
  auto* word = reinterpret_cast<unsigned long long*>(report + 3);
  const double mine = 2.0 + static_cast<double>(tensor);
  unsigned long long seen = atomicAdd(word, 0ull);
  while (true) {
    const double value = __builtin_bit_cast(double, seen);
    if (value != 0 && value <= mine) return;
    const unsigned long long before = atomicCAS(word, seen, __builtin_bit_cast(unsigned long long, mine));
    if (before == seen) return;
    seen = before;
  }
}

// The passes of step.rule, after what prepare decided.
Index passes_workspace(const device::OptimStep& step);
device::Result run_passes(device::Stream* stream, const OptimParams& p);

}  // namespace athanor::cuda
