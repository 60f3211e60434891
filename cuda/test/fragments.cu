// One warp around each instruction that works on fragments.
#include "cuda/platform/platform.h"
#include "cuda/test/fragments.h"

namespace athanor::cuda {
namespace {

template <Fragments kKind>
ATHANOR_KERNEL(32)
mma_kernel(const std::uint32_t* a, const std::uint32_t* b, float* d) {
  const int lane = static_cast<int>(threadIdx.x);
  std::uint32_t fa[4], fb[2];
  float fd[4];
  for (int i = 0; i < 4; ++i) fa[i] = a[lane * 4 + i], fd[i] = d[lane * 4 + i];
  for (int i = 0; i < 2; ++i) fb[i] = b[lane * 2 + i];
  if constexpr (kKind == Fragments::bf16) mma_bf16(fd, fa, fb);
  if constexpr (kKind == Fragments::f16) mma_f16(fd, fa, fb);
  if constexpr (kKind == Fragments::tf32) mma_tf32(fd, fa, fb);
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = fd[i];
}

template <bool kUnsignedB>
ATHANOR_KERNEL(32)
mma_bytes_kernel(const std::uint32_t* a, const std::uint32_t* b, std::int32_t* d) {
  const int lane = static_cast<int>(threadIdx.x);
  std::uint32_t fa[4], fb[2];
  std::int32_t fd[4];
  for (int i = 0; i < 4; ++i) fa[i] = a[lane * 4 + i], fd[i] = d[lane * 4 + i];
  for (int i = 0; i < 2; ++i) fb[i] = b[lane * 2 + i];
  if constexpr (kUnsignedB)
    mma_s8u8(fd, fa, fb);
  else
    mma_s8(fd, fa, fb);
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = fd[i];
}

ATHANOR_KERNEL(32)
mma_sparse_kernel(const std::uint32_t* a, const std::uint32_t* b, const std::uint32_t* kept, float* d) {
  const int lane = static_cast<int>(threadIdx.x);
  std::uint32_t fa[4], fb[4];
  float fd[4];
  for (int i = 0; i < 4; ++i) fa[i] = a[lane * 4 + i], fb[i] = b[lane * 4 + i], fd[i] = d[lane * 4 + i];
  mma_sparse_bf16(fd, fa, fb, kept[lane]);
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = fd[i];
}

template <int kMatrices, bool kTransposed>
ATHANOR_KERNEL(32)
load_matrices_kernel(const std::uint16_t* from, std::uint32_t* to) {
  SHARED(uint4, rows, [kMatrices * 8]);
  const int lane = static_cast<int>(threadIdx.x);
  if (lane < kMatrices * 8) vector_store(&rows[lane], vector_load<uint4>(from + lane * 8));
  __syncwarp();
  std::uint32_t f[kMatrices];
  const uint4* row = &rows[lane % (kMatrices * 8)];
  if constexpr (kMatrices == 4) {
    if constexpr (kTransposed)
      load_matrix_x4_transposed(f, row);
    else
      load_matrix_x4(f, row);
  } else {
    if constexpr (kTransposed)
      load_matrix_x2_transposed(f, row);
    else
      load_matrix_x2(f, row);
  }
  for (int m = 0; m < kMatrices; ++m) to[lane * kMatrices + m] = f[m];
}

ATHANOR_KERNEL(32) async_fill_kernel(const std::uint32_t* from, std::uint32_t* to, std::uint32_t valid) {
  SHARED(uint4, room, [1]);
  if (threadIdx.x == 0) {
    cp_async(room, from, valid);
    cp_async_commit();
    cp_async_wait<0>();
    vector_store(to, vector_load<uint4>(&room[0]));
  }
}

}  // namespace

device::Result run_mma(device::Stream* stream, Fragments kind, const std::uint32_t* a, const std::uint32_t* b,
                       float* d) {
  switch (kind) {
    case Fragments::bf16: return LAUNCH((mma_kernel<Fragments::bf16>), 1, 32, 0, stream, a, b, d);
    case Fragments::f16: return LAUNCH((mma_kernel<Fragments::f16>), 1, 32, 0, stream, a, b, d);
    case Fragments::tf32: return LAUNCH((mma_kernel<Fragments::tf32>), 1, 32, 0, stream, a, b, d);
  }
  return device::Result::unsupported;
}

device::Result run_mma_bytes(device::Stream* stream, bool unsigned_b, const std::uint32_t* a, const std::uint32_t* b,
                             std::int32_t* d) {
  return unsigned_b ? LAUNCH((mma_bytes_kernel<true>), 1, 32, 0, stream, a, b, d)
                    : LAUNCH((mma_bytes_kernel<false>), 1, 32, 0, stream, a, b, d);
}

device::Result run_mma_sparse(device::Stream* stream, const std::uint32_t* a, const std::uint32_t* b,
                              const std::uint32_t* kept, float* d) {
  return LAUNCH(mma_sparse_kernel, 1, 32, 0, stream, a, b, kept, d);
}

device::Result run_load_matrices(device::Stream* stream, const std::uint16_t* from, std::uint32_t* to, int matrices,
                                 bool transposed) {
  if (matrices == 4)
    return transposed ? LAUNCH((load_matrices_kernel<4, true>), 1, 32, 0, stream, from, to)
                      : LAUNCH((load_matrices_kernel<4, false>), 1, 32, 0, stream, from, to);
  return transposed ? LAUNCH((load_matrices_kernel<2, true>), 1, 32, 0, stream, from, to)
                    : LAUNCH((load_matrices_kernel<2, false>), 1, 32, 0, stream, from, to);
}

device::Result run_async_fill(device::Stream* stream, const std::uint32_t* from, std::uint32_t* to,
                              std::uint32_t valid) {
  return LAUNCH(async_fill_kernel, 1, 32, 0, stream, from, to, valid);
}

}  // namespace athanor::cuda
