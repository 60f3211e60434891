// Sums and the like over the threads of a warp or block, in a fixed tree: the same bits in every run.
#pragma once
#include "cuda/kernels/lane.cuh"

namespace athanor::cuda {

// All lanes get the result. combine(a, b) takes the lower lane's value first.
template <class T, class Combine>
ATHANOR_DEVICE T warp_reduce(T value, Combine combine) {
#pragma unroll
  for (int bit = 1; bit < kWarpSize; bit <<= 1) {
    const T other = __shfl_xor_sync(~0u, value, bit);
    value = (threadIdx.x & static_cast<unsigned>(bit)) != 0 ? combine(other, value) : combine(value, other);
  }
  return value;
}

// All threads get the result; kThreads a multiple of 32. `room`: shared memory of kThreads / 32 values, free again after a barrier.
template <int kThreads, class T, class Combine>
ATHANOR_DEVICE T block_reduce(T value, T* room, Combine combine) {
  value = warp_reduce(value, combine);
  if constexpr (kThreads == kWarpSize) return value;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  __syncthreads();
  if (threadIdx.x % kWarpSize == 0) room[warp] = value;
  __syncthreads();
  T total = room[0];
#pragma unroll
  for (int w = 1; w < kThreads / kWarpSize; ++w) total = combine(total, room[w]);
  return total;
}

struct Add {
  template <class T>
  ATHANOR_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

// NaN wins.
struct MaxNan {
  template <class T>
  ATHANOR_DEVICE T operator()(T a, T b) const {
    return a != a ? a : a > b ? a : b;
  }
};
struct MinNan {
  template <class T>
  ATHANOR_DEVICE T operator()(T a, T b) const {
    return a != a ? a : a < b ? a : b;
  }
};

}  // namespace athanor::cuda
