// The pooling kernels of one instruction set. Stride 2, the usual one, separates even and odd columns in registers; windows that
// tile the image 2 x 2 have a backward pass of their own, which writes every dx once; the others scatter in order.
#pragma once
#include "kernels/pool/pool_average.inl.h"
#include "kernels/pool/pool_max.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

constexpr PoolKernels pool_kernels() { return {max_pool, max_pool_backward, average_pool, average_pool_backward}; }

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
