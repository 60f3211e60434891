// Elementwise programs of one instruction set: f32 here, the other compute types in elementwise_plain.cc.
#pragma once
#include "kernels/elementwise/elementwise_f32.inl.h"
#include "kernels/elementwise/elementwise_machine.inl.h"
#include "kernels/elementwise/elementwise_plain.h"
#include "kernels/elementwise/elementwise_sum.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

void run_range(const EwArgs& args, Index begin, Index end) {
  if (begin >= end) return;
  if (args.program.compute != DType::f32) return plain::run_range(args, begin, end);
  run_range_typed<float>(args, begin, end);
}

void run_elementwise(const EwArgs& args, Parallel& parallel) {
  constexpr Index kTask = 32768;  // elements: long against the cost of a task, short against the caches
  const Index size = args.size();
  const Index tasks = (size + kTask - 1) / kTask;
  if (tasks <= 1) return run_range(args, 0, size);
  parallel.run(static_cast<int>(tasks), [&](int task, int) {
    const Index begin = task * kTask;
    run_range(args, begin, size - begin < kTask ? size : begin + kTask);
  });
}

void run_row(const EwProgram& program, void* const* pointers, std::uint32_t scalars, Index n, Index first,
             const EwRandom& random) {
  if (n <= 0) return;
  if (program.compute != DType::f32) return plain::run_row(program, pointers, scalars, n, first, random);
  run_row_typed<float>(program, pointers, scalars, n, first, random);
}

constexpr ElementwiseKernels elementwise_kernels() { return {run_elementwise, run_range, run_row, run_sum}; }

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
