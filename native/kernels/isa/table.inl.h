// Gathers the families of the instruction set being compiled. Each isa/<name>.cc includes this file once; the family of quantized
// weights comes from isa/<name>_quant.cc.
#pragma once
#include "kernels/attention/attention.inl.h"
#include "kernels/conv/conv.inl.h"
#include "kernels/elementwise/elementwise.inl.h"
#include "kernels/gemm/gemm.inl.h"
#include "kernels/movement/movement_index.inl.h"
#include "kernels/norm/batch_norm.inl.h"
#include "kernels/optim/optim.h"
#include "kernels/pool/pool.inl.h"
#include "kernels/quant/quant.h"
#include "kernels/reduce/reduce.inl.h"
#include "kernels/softmax/softmax.inl.h"
#include "kernels/sparse/sparse_conv.inl.h"
#include "kernels/table.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {

const KernelTable& table();
OptimKernels optim_table();
QuantKernels quant_table();

const KernelTable& table() {
  static const KernelTable kTable = {
      .isa = ATHANOR_ISA_NAME,
      .lanes = kLanes,
      .attention = attention_kernels(),
      .conv = conv_kernels(),
      .gemm = gemm::kernels(),
      .elementwise = elementwise_kernels(),
      .movement = movement_kernels(),
      .optim = optim_table(),
      .pool = pool_kernels(),
      .quant = quant_table(),
      .norm = norm_kernels(),
      .reduce = reduce_kernels(),
      .softmax = softmax_kernels(),
      .sparse = sparse::kernels(),
  };
  return kTable;
}

}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
