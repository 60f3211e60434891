// Launching on the device: what platform.h's LAUNCH calls under nvcc.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>

#include "device/plugin.h"

namespace athanor::device {

struct Stream {
  cudaStream_t handle;
  int device;
};

}  // namespace athanor::device

namespace athanor::cuda {

device::Result launch_kernel(const char* name, const void* kernel, dim3 grid, dim3 block, void** arguments,
                             std::size_t shared, device::Stream* stream);

}  // namespace athanor::cuda
