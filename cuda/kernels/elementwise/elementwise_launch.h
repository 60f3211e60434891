// What the two units of elementwise programs share on the host.
#pragma once
#include "cuda/kernels/elementwise/elementwise.cuh"

namespace athanor::cuda {

inline constexpr int kEwThreads = 128;
template <class T>
inline constexpr int kEwWidth = 16 / static_cast<int>(sizeof(T));  // elements of a thread

device::Result run_elementwise_f64(device::Stream* stream, const EwProgramParams& p);

}  // namespace athanor::cuda
