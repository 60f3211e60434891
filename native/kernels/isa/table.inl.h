// Gathers the families of the instruction set being compiled. Each isa/<name>.cc includes this file once.
#pragma once
#include "kernels/optim.inl.h"
#include "kernels/table.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {

const KernelTable& table();

const KernelTable& table() {
  static constexpr KernelTable kTable = {
      .isa = ATHANOR_ISA_NAME,
      .lanes = kLanes,
      .optim = optim_kernels(),
  };
  return kTable;
}

}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
