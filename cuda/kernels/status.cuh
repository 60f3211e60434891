// The device's side of the run's record (native/device/run_record.h).
#pragma once
#include "cuda/kernels/lane.cuh"
#include "device/run_record.h"

namespace athanor::cuda {

ATHANOR_DEVICE unsigned long long* word_of(std::uint64_t* p) { return reinterpret_cast<unsigned long long*>(p); }

// The node claims the record if nobody has; of its bad elements the first in memory's order stays.
ATHANOR_DEVICE void report_bad(const device::Check& check, device::StatusCode code, Index position,
                               std::uint32_t value) {
  if (check.run == nullptr) return;
  const unsigned long long mine = static_cast<unsigned long long>(check.node + 1) << 32 | static_cast<unsigned>(code);
  const unsigned long long before = atomicCAS(word_of(&check.run->owner), 0ull, mine);
  if (before != 0 && before != mine) return;
  atomicMin(word_of(&check.run->first), static_cast<unsigned long long>(position) << 32 | value);
  atomicAdd(word_of(&check.run->count), 1ull);
}

// Whether effects are to do nothing.
ATHANOR_DEVICE bool is_stopped(const device::RunRecord* run) {
  return run != nullptr && (run->owner != 0 || run->stop != 0);
}

}  // namespace athanor::cuda
