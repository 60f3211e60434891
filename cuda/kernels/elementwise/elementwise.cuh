// The interpreter of elementwise programs (kernels/elementwise/elementwise.h) on the device: every thread runs the program for a few elements of its
// own. A register is a column of shared memory that only its thread touches, so that no barrier stands between instructions and
// the number of a register may be data. Instructions come from the kernel's parameters, the same for all threads: no divergence.
#pragma once
#include "base/half.h"
#include "base/philox.h"
#include "cuda/kernels/lane.cuh"
#include "device/launch.h"
#include "device/plugin.h"
#include "kernels/elementwise/elementwise.h"

namespace athanor::cuda {

enum class EwAccess : std::uint8_t { linear, scalar, nest };

// A program and its operands as a kernel's parameter.
struct EwProgramParams {
  EwInstruction code[kEwMaxLength];
  void* data[kEwMaxOperands];
  Index strides[kEwMaxOperands][kMaxRank];
  Index shape[kMaxRank];
  Index size = 0;
  std::uint8_t types[kEwMaxOperands];
  EwAccess access[kEwMaxOperands];
  int length = 0, rank = 0, raw = -1;
  EwRandom random;
  const device::RunRecord* run = nullptr;
};

// Collapses the nest and finds how each operand is walked. `raw`: see device::Epilogue.
EwProgramParams make_program(const EwArgs& args, int raw, const device::RunRecord* run);

// Why a program does not run here, or null.
const char* refuse_program(const EwArgs& args);

// Runs an epilogue over a result that lies dense in memory in f32.
device::Result run_epilogue(device::Stream* stream, const device::Epilogue& epilogue, const float* raw);

// Offset of linear element `i` in an operand's memory.
ATHANOR_DEVICE Index nest_offset(const EwProgramParams& p, int operand, Index i) {
  Index offset = 0;
  if (p.size <= 0x7fffffff) {
    std::uint32_t rest = static_cast<std::uint32_t>(i);
    for (int d = p.rank - 1; d > 0; --d) {
      const std::uint32_t extent = static_cast<std::uint32_t>(p.shape[d]), next = rest / extent;
      offset += static_cast<Index>(rest - next * extent) * p.strides[operand][d];
      rest = next;
    }
    return offset + static_cast<Index>(rest) * p.strides[operand][0];
  }
  for (int d = p.rank - 1; d > 0; --d) {
    const Index next = i / p.shape[d];
    offset += (i - next * p.shape[d]) * p.strides[operand][d];
    i = next;
  }
  return offset + i * p.strides[operand][0];
}

ATHANOR_DEVICE Index operand_offset(const EwProgramParams& p, int operand, Index i) {
  const EwAccess access = p.access[operand];
  return access == EwAccess::linear ? i : access == EwAccess::scalar ? 0 : nest_offset(p, operand, i);
}

}  // namespace athanor::cuda
