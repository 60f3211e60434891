// How large the tables of the update rules are: what kernels and their callers share without knowing a single rule.
#pragma once
#include "base/index.h"

namespace athanor::optim {

inline constexpr int kMaxState = 8;
inline constexpr int kMaxVariants = 4;
inline constexpr int kMaxScalars = 16;
inline constexpr int kMaxPasses = 3;
inline constexpr int kMaxSums = 2;

}  // namespace athanor::optim
