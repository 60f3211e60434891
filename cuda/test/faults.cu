// Kernels that are wrong, one fault each: the emulator must find every one by name in every order of threads. Each stands beside the
// right kernel where the difference is a line.
#include "cuda/platform/platform.h"
#include "cuda/test/faults.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 128;

template <bool kRight>
ATHANOR_KERNEL(kThreads)
exchange_kernel(const float* x, float* y) {
  SHARED(float, tile, [kThreads]);
  const int t = static_cast<int>(threadIdx.x);
  tile[t] = x[t];
  if (kRight) __syncthreads();
  y[t] = tile[kThreads - 1 - t];
}

// A double buffer, filled by plain stores: the barrier at the end of a turn keeps the fast from overwriting what the slow still read.
template <bool kRight>
ATHANOR_KERNEL(kThreads)
double_buffer_kernel(const float* x, float* y, int turns) {
  SHARED(float, tile, [2][kThreads]);
  const int t = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (int turn = 0; turn < turns; ++turn) {
    // One barrier a turn is enough for two buffers; the wrong kernel uses one buffer as if there were two.
    const int at = kRight ? turn % 2 : 0;
    tile[at][t] = x[turn * kThreads + t];
    __syncthreads();
    sum += tile[at][kThreads - 1 - t];
  }
  y[t] = sum;
}

// The same with cp.async: results are right in every order of threads, because a copy lands at its wait; only the shadow can tell.
template <bool kRight>
ATHANOR_KERNEL(kThreads)
async_buffer_kernel(const float4* x, float* y, int turns) {
  SHARED(float4, tile, [2][kThreads]);
  const int t = static_cast<int>(threadIdx.x);
  cp_async(&tile[0][t], &x[t], 16);
  cp_async_commit();
  float sum = 0;
  for (int turn = 0; turn < turns; ++turn) {
    if (turn + 1 < turns) cp_async(&tile[(turn + 1) % 2][t], &x[(turn + 1) * kThreads + t], 16);
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    sum += tile[turn % 2][kThreads - 1 - t].x;
    if (kRight) __syncthreads();
  }
  y[t] = sum;
}

ATHANOR_KERNEL(kThreads) divergent_kernel(float* y) {
  const int t = static_cast<int>(threadIdx.x);
  if (t % 2 == 0) {
    __syncthreads();
  } else {
    y[t] = 1;
    __syncthreads();
  }
}

ATHANOR_KERNEL(kThreads) left_early_kernel(float* y) {
  const int t = static_cast<int>(threadIdx.x);
  if (t == 5) return;  // one lane: the others of its warp wait for it
  __syncthreads();
  y[t] = 1;
}

// A whole warp may leave.
ATHANOR_KERNEL(kThreads) warp_left_kernel(float* y) {
  const int t = static_cast<int>(threadIdx.x);
  y[t] = 1;
  if (t < 32) return;
  __syncthreads();
}

ATHANOR_KERNEL(kThreads) wait_one_short_kernel(const float4* x, float* y) {
  SHARED(float4, tile, [2][kThreads]);
  const int t = static_cast<int>(threadIdx.x);
  cp_async(&tile[0][t], &x[t], 16);
  cp_async_commit();
  cp_async(&tile[1][t], &x[kThreads + t], 16);
  cp_async_commit();
  cp_async_wait<1>();
  __syncthreads();
  y[t] = tile[0][kThreads - 1 - t].x + tile[1][kThreads - 1 - t].x;
  cp_async_wait<0>();
}

ATHANOR_KERNEL(kThreads) never_awaited_kernel(const float4* x, float* y) {
  SHARED(float4, tile, [kThreads]);
  const int t = static_cast<int>(threadIdx.x);
  cp_async(&tile[t], &x[t], 16);
  cp_async_commit();
  y[t] = x[t].x;
}

template <bool kRight>
ATHANOR_KERNEL(32)
warp_exchange_kernel(const float* x, float* y) {
  SHARED(float, tile, [32]);
  const int t = static_cast<int>(threadIdx.x);
  tile[t] = x[t];
  if (kRight) __syncwarp();
  y[t] = tile[31 - t];
}

ATHANOR_KERNEL(32) shuffle_mask_kernel(const float* x, float* y) {
  const int t = static_cast<int>(threadIdx.x);
  y[t] = __shfl_xor_sync(0x0000ffffu, x[t], 1);  // all 32 lanes call it
}

ATHANOR_KERNEL(32) shuffle_absent_kernel(const float* x, float* y) {
  const int t = static_cast<int>(threadIdx.x);
  y[t] = 0;
  if (t < 16) y[t] = __shfl_xor_sync(~0u, x[t], 1);  // the mask names lanes that go elsewhere
  __syncthreads();
}

ATHANOR_KERNEL(kThreads) outside_global_kernel(const float* x, float* y) {
  const int t = static_cast<int>(threadIdx.x);
  y[t] = x[t + 1];
}

ATHANOR_KERNEL(kThreads) outside_shared_kernel(float* y) {
  SHARED(float, tile, [kThreads]);
  const int t = static_cast<int>(threadIdx.x);
  tile[t + 1] = static_cast<float>(t);
  __syncthreads();
  y[t] = tile[t == 0 ? 1 : t];
}

ATHANOR_KERNEL(kThreads) misaligned_kernel(const float* x, float* y) {
  const int t = static_cast<int>(threadIdx.x);
  const float4 four = vector_load<float4>(x + t);
  y[t] = four.x + four.w;
}

ATHANOR_KERNEL(kThreads) dynamic_kernel(float* y) {
  DYNAMIC_SHARED(float, tile);
  const int t = static_cast<int>(threadIdx.x);
  tile[t] = 1;
  __syncthreads();
  y[t] = tile[t];
}

ATHANOR_KERNEL(kThreads) unwritten_kernel(const float* x, float* y, int n) {
  const int t = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (t < n - 1) y[t] = x[t];  // the last element is forgotten
}

ATHANOR_KERNEL(kThreads) unwritten_shared_kernel(float* y) {
  SHARED(float, tile, [kThreads]);
  const int t = static_cast<int>(threadIdx.x);
  if (t != 7) tile[t] = 1;
  __syncthreads();
  y[t] = tile[t];
}

ATHANOR_KERNEL(kThreads) block_order_kernel(float* y) {
  const int t = static_cast<int>(threadIdx.x), b = static_cast<int>(blockIdx.x);
  y[b * kThreads + t] = b == 0 ? 1.0f : y[(b - 1) * kThreads + t] + 1.0f;
}

ATHANOR_KERNEL(kThreads) sum_without_atomic_kernel(float* y) {
  if (threadIdx.x == 0) y[0] += 1.0f;
}

ATHANOR_KERNEL(kThreads) copy_kernel(const float* x, float* y) {
  const int t = static_cast<int>(threadIdx.x);
  y[t] = x[t];
}

}  // namespace

device::Result run_exchange(bool right, const float* x, float* y) {
  return right ? LAUNCH((exchange_kernel<true>), 1, kThreads, 0, nullptr, x, y)
               : LAUNCH((exchange_kernel<false>), 1, kThreads, 0, nullptr, x, y);
}
device::Result run_double_buffer(bool right, const float* x, float* y, int turns) {
  return right ? LAUNCH((double_buffer_kernel<true>), 1, kThreads, 0, nullptr, x, y, turns)
               : LAUNCH((double_buffer_kernel<false>), 1, kThreads, 0, nullptr, x, y, turns);
}
device::Result run_async_buffer(bool right, const float* x, float* y, int turns) {
  const auto* from = reinterpret_cast<const float4*>(x);
  return right ? LAUNCH((async_buffer_kernel<true>), 1, kThreads, 0, nullptr, from, y, turns)
               : LAUNCH((async_buffer_kernel<false>), 1, kThreads, 0, nullptr, from, y, turns);
}
device::Result run_divergent(float* y) { return LAUNCH(divergent_kernel, 1, kThreads, 0, nullptr, y); }
device::Result run_left_early(float* y) { return LAUNCH(left_early_kernel, 1, kThreads, 0, nullptr, y); }
device::Result run_warp_left(float* y) { return LAUNCH(warp_left_kernel, 1, kThreads, 0, nullptr, y); }
device::Result run_wait_one_short(const float* x, float* y) {
  return LAUNCH(wait_one_short_kernel, 1, kThreads, 0, nullptr, reinterpret_cast<const float4*>(x), y);
}
device::Result run_never_awaited(const float* x, float* y) {
  return LAUNCH(never_awaited_kernel, 1, kThreads, 0, nullptr, reinterpret_cast<const float4*>(x), y);
}
device::Result run_warp_exchange(bool right, const float* x, float* y) {
  return right ? LAUNCH((warp_exchange_kernel<true>), 1, 32, 0, nullptr, x, y)
               : LAUNCH((warp_exchange_kernel<false>), 1, 32, 0, nullptr, x, y);
}
device::Result run_shuffle_mask(const float* x, float* y) {
  return LAUNCH(shuffle_mask_kernel, 1, 32, 0, nullptr, x, y);
}
device::Result run_shuffle_absent(const float* x, float* y) {
  return LAUNCH(shuffle_absent_kernel, 1, 32, 0, nullptr, x, y);
}
device::Result run_outside_global(const float* x, float* y) {
  return LAUNCH(outside_global_kernel, 1, kThreads, 0, nullptr, x, y);
}
device::Result run_outside_shared(float* y) { return LAUNCH(outside_shared_kernel, 1, kThreads, 0, nullptr, y); }
device::Result run_misaligned(const float* x, float* y) {
  return LAUNCH(misaligned_kernel, 1, kThreads, 0, nullptr, x, y);
}
device::Result run_dynamic(float* y, int bytes) { return LAUNCH(dynamic_kernel, 1, kThreads, bytes, nullptr, y); }
device::Result run_unwritten(const float* x, float* y, int n) {
  return LAUNCH(unwritten_kernel, (n + kThreads - 1) / kThreads, kThreads, 0, nullptr, x, y, n);
}
device::Result run_unwritten_shared(float* y) { return LAUNCH(unwritten_shared_kernel, 1, kThreads, 0, nullptr, y); }
device::Result run_block_order(float* y, int blocks) {
  return LAUNCH(block_order_kernel, blocks, kThreads, 0, nullptr, y);
}
device::Result run_sum_without_atomic(float* y) {
  return LAUNCH(sum_without_atomic_kernel, 4, kThreads, 0, nullptr, y);
}
device::Result run_copy(const float* x, float* y) { return LAUNCH(copy_kernel, 1, kThreads, 0, nullptr, x, y); }

}  // namespace athanor::cuda
