// Everything that one instruction set offers: a plain struct of plain function pointers, one member a kernel family.
// A new family is one line here and two in isa/table.inl.h.
#pragma once
#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/movement.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pool.h"
#include "kernels/quant.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "kernels/sparse.h"

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
