// The order in which an epoch visits its samples: Fisher–Yates over Philox4x32-10, keyed by (seed, epoch).
// A pure function of its arguments: the same on every machine, instruction set and number of threads. Unbiased: draws are
// bounded by Lemire's multiply and reject (Lemire 2019, "Fast random integer generation in an interval").
#pragma once
#include <cstdint>

#include "base/index.h"

namespace athanor::kernels {

// out = a permutation of 0 … n-1; n < 2^31.
void permutation(std::uint64_t seed, std::uint64_t epoch, Index n, std::int32_t* out);

}  // namespace athanor::kernels
