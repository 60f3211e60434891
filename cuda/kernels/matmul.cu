// Dense products with f32 or f64 sums: a block a tile of C, each thread TM × TN of it in registers, operands through a double buffer of
// shared memory, the next tile on its way in registers meanwhile. Every element is one chain over k (or over a piece of k), in order.
// Operands have any strides; whichever of the two is contiguous is what neighbouring threads read along.
// Where C has few tiles and K is long, K is cut by the sizes alone, and a second kernel adds the pieces in order.
#include "cuda/kernels/matmul.cuh"

#include "cuda/kernels/elementwise/elementwise_machine.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

template <class T>
ATHANOR_DEVICE auto as_sum(T x) {
  if constexpr (std::is_same_v<T, std::uint16_t>)
    return to_f32(Bf16{x});
  else
    return x;
}

// A tile of an operand: kAcross rows of A (or columns of B) by kDepth of k.
template <class T, class Acc, int kAcross, int kDepth, int kThreads>
struct TileLoader {
  static constexpr int kEach = kAcross * kDepth / kThreads;
  static_assert(kEach * kThreads == kAcross * kDepth);
  Acc values[kEach];

  ATHANOR_DEVICE static void place(int e, bool deep, int& across, int& k) {
    if (deep) {
      k = e % kDepth;
      across = e / kDepth;
    } else {
      across = e % kAcross;
      k = e / kAcross;
    }
  }
  ATHANOR_DEVICE void fetch(const T* data, Index stride, Index k_stride, bool deep, Index first, Index most, Index k0,
                            Index k_end) {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      int across, k;
      place(static_cast<int>(threadIdx.x) + j * kThreads, deep, across, k);
      const bool inside = first + across < most && k0 + k < k_end;
      values[j] = inside ? static_cast<Acc>(as_sum(data[(first + across) * stride + (k0 + k) * k_stride])) : Acc(0);
    }
  }
  template <int kPitch>
  ATHANOR_DEVICE void put(Acc (&tile)[kDepth][kPitch], bool deep) const {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      int across, k;
      place(static_cast<int>(threadIdx.x) + j * kThreads, deep, across, k);
      tile[k][across] = values[j];
    }
  }
};

template <class A, class B, class Acc, int kM, int kN, int kK, int kTM, int kTN, bool kFused>
ATHANOR_KERNEL((kM / kTM) * (kN / kTN))
matmul_kernel(ATHANOR_PARAM(MatmulParams) p, ATHANOR_PARAM(EwProgramParams) e) {
  constexpr int kThreads = (kM / kTM) * (kN / kTN), kAcrossN = kN / kTN, kAcrossM = kM / kTM;
  SHARED(Acc, a_tile, [2][kK][kM + 4]);
  SHARED(Acc, b_tile, [2][kK][kN + 4]);
  const Index tiles = p.tiles_m * p.tiles_n;
  const Index batch = blockIdx.x / tiles, tile = blockIdx.x - batch * tiles;
  const Index b0 = batch / p.batch[1], b1 = batch - b0 * p.batch[1];
  const Index m0 = tile / p.tiles_n * kM, n0 = tile % p.tiles_n * kN;
  const A* a = static_cast<const A*>(p.a.data) + b0 * p.a.batch[0] + b1 * p.a.batch[1];
  const B* b = static_cast<const B*>(p.b.data) + b0 * p.b.batch[0] + b1 * p.b.batch[1];
  const bool a_deep = p.a.col == 1, b_deep = p.b.row == 1 && p.b.col != 1;
  const Index k_begin = blockIdx.y * p.piece, k_end = k_begin + p.piece < p.K ? k_begin + p.piece : p.K;

  TileLoader<A, Acc, kM, kK, kThreads> a_loader;
  TileLoader<B, Acc, kN, kK, kThreads> b_loader;
  Acc c[kTM][kTN];
#pragma unroll
  for (int i = 0; i < kTM; ++i)
#pragma unroll
    for (int j = 0; j < kTN; ++j) c[i][j] = Acc(0);

  // A thread's rows and columns lie kAcross apart: threads side by side read and write side by side.
  const int row = static_cast<int>(threadIdx.x) / kAcrossN, col = static_cast<int>(threadIdx.x) % kAcrossN;
  if (k_begin < k_end) {
    a_loader.fetch(a, p.a.row, p.a.col, a_deep, m0, p.M, k_begin, k_end);
    b_loader.fetch(b, p.b.col, p.b.row, b_deep, n0, p.N, k_begin, k_end);
    a_loader.put(a_tile[0], a_deep);
    b_loader.put(b_tile[0], b_deep);
    __syncthreads();
  }
  int at = 0;
  for (Index k0 = k_begin; k0 < k_end; k0 += kK) {
    const bool more = k0 + kK < k_end;
    if (more) {
      a_loader.fetch(a, p.a.row, p.a.col, a_deep, m0, p.M, k0 + kK, k_end);
      b_loader.fetch(b, p.b.col, p.b.row, b_deep, n0, p.N, k0 + kK, k_end);
    }
#pragma unroll
    for (int k = 0; k < kK; ++k) {
      Acc x[kTM], y[kTN];
#pragma unroll
      for (int i = 0; i < kTM; ++i) x[i] = a_tile[at][k][row + i * kAcrossM];
#pragma unroll
      for (int j = 0; j < kTN; ++j) y[j] = b_tile[at][k][col + j * kAcrossN];
#pragma unroll
      for (int i = 0; i < kTM; ++i)
#pragma unroll
        for (int j = 0; j < kTN; ++j) c[i][j] = fused_sum(x[i], y[j], c[i][j]);
    }
    if (more) {
      a_loader.put(a_tile[at ^ 1], a_deep);
      b_loader.put(b_tile[at ^ 1], b_deep);
    }
    __syncthreads();
    at ^= 1;
  }
  if constexpr (kFused) {
    // One row of the thread's elements at a time: what is not yet finished moves up, so that no array is indexed by a variable.
    SHARED(float, registers, [kEwMaxRegisters * kThreads]);
    SHARED(float, raws, [kTN * kThreads]);
#pragma unroll 1
    for (int i = 0; i < kTM; ++i) {
#pragma unroll
      for (int j = 0; j < kTN; ++j) raws[j * kThreads + static_cast<int>(threadIdx.x)] = c[0][j];
#pragma unroll 1
      for (int j = 0; j < kTN; ++j) {
        const Index m = m0 + row + i * kAcrossM, n = n0 + col + j * kAcrossN;
        if (m < p.M && n < p.N)
          finish_element<kThreads>(e, registers, (batch * p.M + m) * p.N + n,
                                   raws[j * kThreads + static_cast<int>(threadIdx.x)]);
      }
#pragma unroll
      for (int r = 0; r + 1 < kTM; ++r)
#pragma unroll
        for (int j = 0; j < kTN; ++j) c[r][j] = c[r + 1][j];
    }
  } else {
#pragma unroll
    for (int i = 0; i < kTM; ++i) {
#pragma unroll
      for (int j = 0; j < kTN; ++j) {
        const Index m = m0 + row + i * kAcrossM, n = n0 + col + j * kAcrossN;
        if (m < p.M && n < p.N) store_product(p, batch, b0, b1, m, n, c[i][j]);
      }
    }
  }
}

// Adds the pieces in order.
template <class Acc, bool kFused>
ATHANOR_KERNEL(256)
matmul_join_kernel(ATHANOR_PARAM(MatmulParams) p, ATHANOR_PARAM(EwProgramParams) e) {
  const Index count = p.batch[0] * p.batch[1] * p.M * p.N;
  const Index i = static_cast<Index>(blockIdx.x) * 256 + threadIdx.x;
  if (i >= count) return;
  const Acc* partial = static_cast<const Acc*>(p.partial);
  Acc sum = partial[i];
  for (int piece = 1; piece < p.pieces; ++piece) sum += partial[piece * count + i];
  if constexpr (kFused) {
    SHARED(float, registers, [kEwMaxRegisters * 256]);
    finish_element<256>(e, registers, i, sum);
  } else {
    const Index batch = i / (p.M * p.N), m = i / p.N % p.M, n = i % p.N;
    MatmulParams whole = p;
    whole.partial = nullptr;
    store_product(whole, batch, batch / p.batch[1], batch % p.batch[1], m, n, sum);
  }
}

template <class Acc, bool kFused>
device::Result join(device::Stream* stream, const MatmulParams& p, const EwProgramParams& e) {
  const Index count = p.batch[0] * p.batch[1] * p.M * p.N;
  return LAUNCH((matmul_join_kernel<Acc, kFused>), blocks_for(count, 256), 256, 0, stream, p, e);
}

template <class A, class B, class Acc, int kM, int kN, int kK, int kTM, int kTN, bool kFused = false>
device::Result run_tiles(device::Stream* stream, MatmulParams p, const EwProgramParams& e = {}) {
  p.tiles_m = (p.M + kM - 1) / kM;
  p.tiles_n = (p.N + kN - 1) / kN;
  const Index blocks = p.tiles_m * p.tiles_n * p.batch[0] * p.batch[1];
  const Dim3 grid(static_cast<std::uint32_t>(blocks), static_cast<std::uint32_t>(p.pieces));
  constexpr int kThreads = (kM / kTM) * (kN / kTN);
  if (p.pieces == 1)
    return LAUNCH((matmul_kernel<A, B, Acc, kM, kN, kK, kTM, kTN, kFused>), grid, kThreads, 0, stream, p, e);
  const device::Result result =
      LAUNCH((matmul_kernel<A, B, Acc, kM, kN, kK, kTM, kTN, false>), grid, kThreads, 0, stream, p, e);
  return result != device::Result::ok ? result : join<Acc, kFused>(stream, p, e);
}

template <class A, class B>
device::Result run_f32(device::Stream* stream, const MatmulParams& p) {
  if (wants_large_tiles(p)) return run_tiles<A, B, float, 128, 128, 8, 8, 8>(stream, p);
  return run_tiles<A, B, float, 64, 64, 16, 4, 4>(stream, p);
}

}  // namespace

device::Result join_matmul_pieces(device::Stream* stream, const MatmulParams& p) {
  return join<float, false>(stream, p, {});
}

device::Result run_matmul_fused(device::Stream* stream, const MatmulParams& p, const EwProgramParams& e) {
  if (wants_large_tiles(p)) return run_tiles<float, float, float, 128, 128, 8, 8, 8, true>(stream, p, e);
  return run_tiles<float, float, float, 64, 64, 16, 4, 4, true>(stream, p, e);
}

device::Result run_matmul_exact(device::Stream* stream, const MatmulParams& p, DType a, DType b) {
  if (a == DType::f64) return run_tiles<double, double, double, 64, 64, 8, 4, 4>(stream, p);
  if (a == DType::f32 && b == DType::f32) return run_f32<float, float>(stream, p);
  if (a == DType::bf16 && b == DType::bf16) return run_f32<std::uint16_t, std::uint16_t>(stream, p);
  if (a == DType::bf16) return run_f32<std::uint16_t, float>(stream, p);
  return run_f32<float, std::uint16_t>(stream, p);
}

}  // namespace athanor::cuda
