// The launchers of faults.cu. `right`: the kernel as it should be.
#pragma once
#include "device/plugin.h"

namespace athanor::cuda {

device::Result run_exchange(bool right, const float* x, float* y);
device::Result run_double_buffer(bool right, const float* x, float* y, int turns);
device::Result run_async_buffer(bool right, const float* x, float* y, int turns);
device::Result run_divergent(float* y);
device::Result run_left_early(float* y);
device::Result run_warp_left(float* y);
device::Result run_wait_one_short(const float* x, float* y);
device::Result run_never_awaited(const float* x, float* y);
device::Result run_warp_exchange(bool right, const float* x, float* y);
device::Result run_shuffle_mask(const float* x, float* y);
device::Result run_shuffle_absent(const float* x, float* y);
device::Result run_outside_global(const float* x, float* y);
device::Result run_outside_shared(float* y);
device::Result run_misaligned(const float* x, float* y);
device::Result run_dynamic(float* y, int bytes);
device::Result run_unwritten(const float* x, float* y, int n);
device::Result run_unwritten_shared(float* y);
device::Result run_block_order(float* y, int blocks);
device::Result run_sum_without_atomic(float* y);
device::Result run_copy(const float* x, float* y);

}  // namespace athanor::cuda
