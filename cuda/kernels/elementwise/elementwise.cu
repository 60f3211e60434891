// Elementwise programs in f32 and i32. 128 threads of 4 elements: 16 registers of shared memory are 32 KiB a block.
#include "cuda/kernels/elementwise/elementwise_launch.h"
#include "cuda/kernels/elementwise/elementwise_machine.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

template <class T>
ATHANOR_KERNEL(kEwThreads)
elementwise_kernel(ATHANOR_PARAM(EwProgramParams) p) {
  SHARED(T, registers, [kEwMaxRegisters * kEwWidth<T> * kEwThreads]);
  const Index first = static_cast<Index>(blockIdx.x) * (kEwWidth<T> * kEwThreads) + threadIdx.x;
  const EwMachine<T, kEwWidth<T>, kEwThreads> machine{p, registers + threadIdx.x};
  machine.run(
      [first, &p](int j) {
        const Index i = first + static_cast<Index>(j) * kEwThreads;
        return i < p.size ? i : Index{-1};
      },
      [](int) { return T{0}; });
}

const char* refuses(const device::Elementwise& args) { return refuse_program(args.args); }
Index workspace(const device::Elementwise&) { return 0; }

device::Result run_program(device::Stream* stream, const EwProgramParams& p, DType compute) {
  if (p.size == 0) return device::Result::ok;
  switch (compute) {
    case DType::f64: return run_elementwise_f64(stream, p);
    case DType::i32:
      return LAUNCH((elementwise_kernel<std::int32_t>), blocks_for(p.size, kEwWidth<std::int32_t> * kEwThreads),
                    kEwThreads, 0, stream, p);
    default:
      return LAUNCH((elementwise_kernel<float>), blocks_for(p.size, kEwWidth<float> * kEwThreads), kEwThreads, 0,
                    stream, p);
  }
}

device::Result run(device::Stream* stream, const device::Elementwise& args, void*) {
  return run_program(stream, make_program(args.args, -1, args.run), args.args.program.compute);
}

}  // namespace

device::Result run_epilogue(device::Stream* stream, const device::Epilogue& epilogue, const float* raw) {
  EwProgramParams p = make_program(epilogue.args, -1, epilogue.run);
  p.data[epilogue.raw] = const_cast<float*>(raw);
  p.types[epilogue.raw] = static_cast<std::uint8_t>(DType::f32);
  p.access[epilogue.raw] = EwAccess::linear;
  return run_program(stream, p, DType::f32);
}

const char* refuse_program(const EwArgs& args) {
  if (args.size() > Index{0x7fffffff} * 256) return "a tensor of more than 2^39 elements";
  return ew_fault(args.program);
}

EwProgramParams make_program(const EwArgs& given, int raw, const device::RunRecord* run) {
  EwArgs args = given;
  ew_collapse(args);
  EwProgramParams p;
  p.size = args.size();
  p.rank = args.rank;
  p.length = args.program.length;
  p.raw = raw;
  p.random = args.random;
  p.run = run;
  for (int k = 0; k < p.length; ++k) p.code[k] = args.program.code[k];
  for (int d = 0; d < args.rank; ++d) p.shape[d] = args.shape[d];
  for (int i = 0; i < args.program.operands; ++i) {
    bool scalar = true, linear = true;
    Index expected = 1;
    for (int d = args.rank - 1; d >= 0; --d) {
      const Index stride = args.operands[i].strides[d];
      scalar = scalar && stride == 0;
      linear = linear && stride == expected;
      expected *= args.shape[d];
      p.strides[i][d] = stride;
    }
    p.data[i] = args.operands[i].data;
    p.types[i] = static_cast<std::uint8_t>(args.program.operand_types[i]);
    p.access[i] = linear ? EwAccess::linear : scalar ? EwAccess::scalar : EwAccess::nest;
  }
  return p;
}

void fill_elementwise(device::Launchers& launch) { launch.elementwise = {refuses, workspace, run}; }

}  // namespace athanor::cuda
