// Elementwise programs in f64: for references, not for speed. The library's functions of large arguments use local memory.
#include "cuda/kernels/elementwise/elementwise_f64.cuh"

#include "cuda/kernels/elementwise/elementwise_launch.h"

namespace athanor::cuda {
namespace {

ATHANOR_KERNEL(kEwThreads) elementwise_f64_kernel(ATHANOR_PARAM(EwProgramParams) p) {
  SHARED(double, registers, [kEwMaxRegisters * kEwWidth<double> * kEwThreads]);
  const Index first = static_cast<Index>(blockIdx.x) * (kEwWidth<double> * kEwThreads) + threadIdx.x;
  const EwMachine<double, kEwWidth<double>, kEwThreads> machine{p, registers + threadIdx.x};
  machine.run(
      [first, &p](int j) {
        const Index i = first + static_cast<Index>(j) * kEwThreads;
        return i < p.size ? i : Index{-1};
      },
      [](int) { return 0.0; });
}

}  // namespace

device::Result run_elementwise_f64(device::Stream* stream, const EwProgramParams& p) {
  return LAUNCH(elementwise_f64_kernel, blocks_for(p.size, kEwWidth<double> * kEwThreads), kEwThreads, 0, stream, p);
}

}  // namespace athanor::cuda
