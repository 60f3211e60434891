// The names of CUDA that kernels use, on the emulator. cuda/platform/platform.h includes this or the toolkit's own.
#pragma once
#include <math.h>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "base/half.h"
#include "cuda/emulator/async.h"
#include "cuda/emulator/block.h"
#include "cuda/emulator/shadow.h"
#include "cuda/emulator/shared.h"
#include "cuda/emulator/stream.h"
#include "cuda/emulator/warp.h"

#define ATHANOR_KERNEL(threads) static void
#define ATHANOR_KERNEL_BLOCKS(threads, blocks) static void
#define ATHANOR_PARAM(Type) const Type&
#define ATHANOR_DEVICE inline
#define ATHANOR_CONSTANT static const

#define threadIdx (::athanor::emulator::here.thread)
#define blockIdx (::athanor::emulator::here.block)
#define blockDim (::athanor::emulator::here.block_dim)
#define gridDim (::athanor::emulator::here.grid_dim)
#define __syncthreads() (::athanor::emulator::block_barrier(__FILE__, __LINE__))

// SHARED(float, tile, [16][17]); the array has its place in the block's shared memory.
#define SHARED(T, name, dims)                                                                              \
  using name##_type = T dims;                                                                              \
  static constinit ::athanor::emulator::SharedSite name##_site{sizeof(name##_type), alignof(name##_type)}; \
  name##_type& name = *static_cast<name##_type*>(::athanor::emulator::place_shared(name##_site))
#define DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(::athanor::emulator::dynamic_shared())

#define LAUNCH(kernel, grid, block, shared, stream, ...) \
  ::athanor::emulator::launch(#kernel, kernel, grid, block, shared, stream, __VA_ARGS__)

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(16) uint4 {
  std::uint32_t x, y, z, w;
};
struct alignas(8) uint2 {
  std::uint32_t x, y;
};
struct alignas(16) int4 {
  std::int32_t x, y, z, w;
};

namespace athanor::cuda {

using Dim3 = emulator::Dim3;

inline void __syncwarp(std::uint32_t mask = ~0u) { emulator::sync_warp(mask); }

template <class T>
T emulated_shuffle(std::uint32_t mask, T value, int source, const char* name) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return __builtin_bit_cast(T,
                            static_cast<Bits>(emulator::shuffle(mask, __builtin_bit_cast(Bits, value), source, name)));
}
inline int emulated_lane() { return static_cast<int>(emulator::here.linear % emulator::kWarp); }
template <class T>
T __shfl_sync(std::uint32_t mask, T value, int source) {
  return emulated_shuffle(mask, value, source & 31, "__shfl_sync");
}
template <class T>
T __shfl_xor_sync(std::uint32_t mask, T value, int bits) {
  return emulated_shuffle(mask, value, emulated_lane() ^ bits, "__shfl_xor_sync");
}
// Past the end of the warp a lane gets its own value back.
template <class T>
T __shfl_down_sync(std::uint32_t mask, T value, int by) {
  const int source = emulated_lane() + by;
  return emulated_shuffle(mask, value, source < 32 ? source : emulated_lane(), "__shfl_down_sync");
}
template <class T>
T __shfl_up_sync(std::uint32_t mask, T value, int by) {
  const int source = emulated_lane() - by;
  return emulated_shuffle(mask, value, source >= 0 ? source : emulated_lane(), "__shfl_up_sync");
}
inline std::uint32_t __ballot_sync(std::uint32_t mask, bool predicate) { return emulator::ballot(mask, predicate); }
inline bool __any_sync(std::uint32_t mask, bool predicate) { return emulator::ballot(mask, predicate) != 0; }
inline bool __all_sync(std::uint32_t mask, bool predicate) { return emulator::ballot(mask, !predicate) == 0; }

template <class T>
T atomicAdd(T* p, T x) {
  return emulator::atomic_add(p, x);
}
template <class T>
T atomicMin(T* p, T x) {
  return emulator::atomic_min(p, x);
}
template <class T>
T atomicMax(T* p, T x) {
  return emulator::atomic_max(p, x);
}
template <class T>
T atomicCAS(T* p, T expected, T x) {
  return emulator::atomic_cas(p, expected, x);
}

// A vector as one access, aligned to its size.
template <class V>
V vector_load(const void* p) {
  emulator::shadow_vector(p, sizeof(V), false);
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
void vector_store(void* p, V v) {
  emulator::shadow_vector(p, sizeof(V), true);
  __builtin_memcpy(p, &v, sizeof v);
}

inline int __popc(std::uint32_t x) { return __builtin_popcount(x); }
inline int __clz(std::int32_t x) { return x == 0 ? 32 : __builtin_clz(static_cast<std::uint32_t>(x)); }
inline std::uint32_t __umulhi(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>(std::uint64_t{a} * b >> 32);
}

// What is in platform/mma.h and platform/async.h for the device.
inline void cp_async(void* to, const void* from, std::uint32_t valid) { emulator::async_copy(to, from, 16, valid); }
inline void cp_async4(void* to, const void* from, std::uint32_t valid) { emulator::async_copy(to, from, 4, valid); }
inline void cp_async_commit() { emulator::async_commit(); }
template <int kNewest>
void cp_async_wait() {
  emulator::async_wait(kNewest);
}
inline void load_matrix_x4(std::uint32_t (&f)[4], const void* row) { emulator::load_matrices(f, row, 4, false); }
inline void load_matrix_x4_transposed(std::uint32_t (&f)[4], const void* row) {
  emulator::load_matrices(f, row, 4, true);
}
inline void load_matrix_x2(std::uint32_t (&f)[2], const void* row) { emulator::load_matrices(f, row, 2, false); }
inline void load_matrix_x2_transposed(std::uint32_t (&f)[2], const void* row) {
  emulator::load_matrices(f, row, 2, true);
}
inline void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  emulator::mma(emulator::MmaKind::bf16_16x8x16, d, a, b);
}
inline void mma_f16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  emulator::mma(emulator::MmaKind::f16_16x8x16, d, a, b);
}
inline void mma_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  emulator::mma(emulator::MmaKind::tf32_16x8x8, d, a, b);
}

inline void mma_s8(std::int32_t (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  emulator::mma(emulator::MmaKind::s8_16x8x32, d, a, b);
}
inline void mma_s8u8(std::int32_t (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  emulator::mma(emulator::MmaKind::s8u8_16x8x32, d, a, b);
}

inline void mma_sparse_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[4],
                            std::uint32_t kept) {
  emulator::mma_sparse(d, a, b, kept);
}

inline std::uint32_t byte_permute(std::uint32_t low, std::uint32_t high, std::uint32_t select) {
  const std::uint64_t bytes = std::uint64_t{high} << 32 | low;
  std::uint32_t result = 0;
  for (int i = 0; i < 4; ++i)
    result |= static_cast<std::uint32_t>(bytes >> (select >> (4 * i) & 7u) * 8 & 0xffu) << (8 * i);
  return result;
}
inline std::uint32_t add_bf16x2(std::uint32_t a, std::uint32_t b) {
  const auto add = [](std::uint32_t x, std::uint32_t y) -> std::uint32_t {
    return to_bf16(to_f32(Bf16{static_cast<std::uint16_t>(x)}) + to_f32(Bf16{static_cast<std::uint16_t>(y)})).bits;
  };
  return add(a & 0xffffu, b & 0xffffu) | add(a >> 16, b >> 16) << 16;
}

}  // namespace athanor::cuda
