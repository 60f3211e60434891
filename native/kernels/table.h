// Everything that one instruction set offers: a plain struct of plain function pointers, one member a kernel family.
// A new family is one line here and two in isa/table.inl.h.
#pragma once
#include "kernels/attention/attention.h"
#include "kernels/conv/conv.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/movement/movement.h"
#include "kernels/norm/norm.h"
#include "kernels/optim/optim.h"
#include "kernels/pool/pool.h"
#include "kernels/quant/quant.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"
#include "kernels/sparse/sparse.h"

namespace athanor {

struct KernelTable {
  const char* isa;  // "scalar", "avx2", "avx512", "neon"
  int lanes;        // f32 lanes of its vectors
  AttentionKernels attention;
  ConvKernels conv;
  GemmKernels gemm;
  ElementwiseKernels elementwise;
  kernels::MovementKernels movement;
  kernels::OptimKernels optim;
  PoolKernels pool;
  QuantKernels quant;
  NormKernels norm;
  ReduceKernels reduce;
  SoftmaxKernels softmax;
  SparseKernels sparse;
};

}  // namespace athanor
