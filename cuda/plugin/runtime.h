// Fills the part of the table that is not kernels: devices, memory, streams, events, graphs. One implementation over the CUDA runtime
// (plugin/runtime_cuda.cc), one in the emulator (emulator/runtime.cc).
#pragma once
#include "device/plugin.h"

namespace athanor::cuda {

void fill_runtime(device::Plugin& plugin);

}  // namespace athanor::cuda
