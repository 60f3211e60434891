// What kernels are written in: CUDA's own names and a few of ours, read by nvcc for the device and by g++ for the emulator. This folder
// and cuda/emulator are the only places that know which of the two it is; no kernel has a second body.
//
//   ATHANOR_KERNEL(threads) name(ATHANOR_PARAM(Params) p)   a kernel of blocks of at most so many threads; a struct by value
//   ATHANOR_DEVICE                                          a function of the device
//   SHARED(T, name, [16][17]); DYNAMIC_SHARED(T, name);     shared memory
//   LAUNCH((kernel<T>), grid, block, shared, stream, p)     a device::Result
//   vector_load<float4>(p) vector_store(p, v)               one access, aligned to its size; never a cast and a copy
//   cp_async(to, from, valid) cp_async_commit() cp_async_wait<newest>()     16 bytes, of which `valid` are read, the others zero
//   load_matrix_x4 … mma_bf16 mma_tf32 mma_f16 mma_s8 …     ldmatrix and mma.sync, see the PTX manual
//   byte_permute(low, high, select) add_bf16x2(a, b)        prmt; two sums in bf16
#pragma once

#if defined(ATHANOR_EMULATOR)
#include "cuda/emulator/platform.h"
#else
#include "cuda/platform/nvcc.h"
#endif
