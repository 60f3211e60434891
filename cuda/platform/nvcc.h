// The device's side of platform.h: names of ours over CUDA's.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "cuda/plugin/runtime_cuda.h"

#define ATHANOR_KERNEL(threads) static __global__ void __launch_bounds__(threads, 1)
#define ATHANOR_KERNEL_BLOCKS(threads, blocks) static __global__ void __launch_bounds__(threads, blocks)
#define ATHANOR_PARAM(Type) const __grid_constant__ Type
#define ATHANOR_DEVICE __device__ __forceinline__
#define ATHANOR_CONSTANT static __constant__ const

#define SHARED(T, name, dims) __shared__ T name dims
#define DYNAMIC_SHARED(T, name)                                  \
  extern __shared__ __align__(128) unsigned char name##_bytes[]; \
  T* const name = reinterpret_cast<T*>(name##_bytes)

#define LAUNCH(kernel, grid, block, shared, stream, ...) \
  ::athanor::cuda::launch(#kernel, kernel, grid, block, shared, stream, __VA_ARGS__)

namespace athanor::cuda {

using Dim3 = dim3;

template <class... P, class... A>
device::Result launch(const char* name, void (*kernel)(P...), Dim3 grid, Dim3 block, std::size_t shared,
                      device::Stream* stream, const A&... arguments) {
  static_assert((std::is_same_v<std::decay_t<P>, A> && ...), "pass what the kernel takes");
  void* pointers[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
  return launch_kernel(name, reinterpret_cast<const void*>(kernel), grid, block, pointers, shared, stream);
}

template <class V>
ATHANOR_DEVICE V vector_load(const void* p) {
  return *static_cast<const V*>(p);
}
template <class V>
ATHANOR_DEVICE void vector_store(void* p, V v) {
  *static_cast<V*>(p) = v;
}

ATHANOR_DEVICE std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

ATHANOR_DEVICE void cp_async(void* to, const void* from, std::uint32_t valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid)
               : "memory");
}
ATHANOR_DEVICE void cp_async4(void* to, const void* from, std::uint32_t valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid)
               : "memory");
}
ATHANOR_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kNewest>
ATHANOR_DEVICE void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kNewest) : "memory");
}

ATHANOR_DEVICE void load_matrix_x4(std::uint32_t (&f)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
               : "r"(shared_address(row))
               : "memory");
}
ATHANOR_DEVICE void load_matrix_x4_transposed(std::uint32_t (&f)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
               : "r"(shared_address(row))
               : "memory");
}
ATHANOR_DEVICE void load_matrix_x2(std::uint32_t (&f)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(f[0]), "=r"(f[1])
               : "r"(shared_address(row))
               : "memory");
}
ATHANOR_DEVICE void load_matrix_x2_transposed(std::uint32_t (&f)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(f[0]), "=r"(f[1])
               : "r"(shared_address(row))
               : "memory");
}

// d += a b
ATHANOR_DEVICE void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
ATHANOR_DEVICE void mma_f16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
ATHANOR_DEVICE void mma_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d += a b in whole numbers: a of s8, b of s8 or u8.
ATHANOR_DEVICE void mma_s8(std::int32_t (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
ATHANOR_DEVICE void mma_s8u8(std::int32_t (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.u8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d += a b with a of 2:4 sparsity: 16 × 32 of which each row keeps two in four, in the order of their columns. `kept`: their columns within four,
// 2 bits each; lanes l % 4 = 0 and 1 say those of rows l / 4 (low half) and l / 4 + 8 for the first and second 16 columns.
ATHANOR_DEVICE void mma_sparse_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[4],
                                    std::uint32_t kept) {
  asm volatile(
      "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9, %10, %11}, {%0, %1, %2, %3}, %12, 0x0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(kept));
}

// Byte i of the result is the byte of (high, low) whose number is nibble i of `select`, 0 to 7.
ATHANOR_DEVICE std::uint32_t byte_permute(std::uint32_t low, std::uint32_t high, std::uint32_t select) {
  return __byte_perm(low, high, select);
}
// Two of a · 1 + b in bf16, rounded once.
ATHANOR_DEVICE std::uint32_t add_bf16x2(std::uint32_t a, std::uint32_t b) {
  std::uint32_t sum;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(0x3f803f80u), "r"(b));
  return sum;
}

}  // namespace athanor::cuda
