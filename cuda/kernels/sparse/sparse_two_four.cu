// Products with 2:4 weights by mma.sp: y = x · Wᵀ with W as the sparse operand, so that a tile of y comes out transposed. Operands come through
// three stages of shared memory filled by cp.async, a step of 32 columns each; fragments of W hold the 16 kept of them.
#include "cuda/kernels/sparse/bitmap.cuh"
#include "cuda/kernels/sparse/planes_product.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr int kStages = 3, kDepth = 32, kPackThreads = 128;

// kFN fragments of 16 rows of W by kFM of 8 rows of x a warp.
template <int kWarpsN_, int kWarpsM_, int kFN_, int kFM_>
struct Tile {
  static constexpr int kWarpsN = kWarpsN_, kWarpsM = kWarpsM_, kFN = kFN_, kFM = kFM_;
  static constexpr int kThreads = kWarpsN * kWarpsM * kWarpSize;
  static constexpr int kN = kWarpsN * kFN * 16, kM = kWarpsM * kFM * 8;
  // Pitches of rows: ldmatrix reads eight of them at once, which meet every bank once.
  static constexpr int kWBytes = kDepth, kWPitch = kWBytes + 16, kXBytes = kDepth * 2, kXPitch = kXBytes + 16;
  static constexpr int kX = kPlanes * kN * kWPitch, kKept = kX + kPlanes * kM * kXPitch;
  static constexpr int kSize = kKept + kN * 4;
  static constexpr int kResult = kM * (kN + 4) * 4;
  static constexpr int kShared = kStages * kSize > kResult ? kStages* kSize : kResult;
  static_assert(kN % device::kTwoFourPad == 0 || device::kTwoFourPad % kN == 0);
};

struct Params {
  PlanesOperands operands;
  Index padded_n, plane, tiles_n;
  const std::uint8_t* w;
};

template <class T>
ATHANOR_DEVICE void fetch_stage(const Params& p, std::uint8_t* stage, Index step, Index m0, Index n0) {
  const PlanesOperands& x = p.operands;
  fetch_planes<T::kN, T::kWBytes, T::kWPitch, T::kThreads>(stage, p.w + step * kDepth, x.padded_k, p.plane, n0,
                                                           p.padded_n);
  fetch_planes<T::kM, T::kXBytes, T::kXPitch, T::kThreads>(stage + T::kX, x.x + step * kDepth * 2, x.padded_k * 2,
                                                           x.M * x.padded_k * 2, m0, x.M);
  const int e = static_cast<int>(threadIdx.x);
  if (e < T::kN / 4)
    cp_async(stage + T::kKept + e * 16, p.w + kPlanes * p.plane + (step * p.padded_n + n0) * 4 + e * 16, 16);
}

template <class T>
ATHANOR_DEVICE void multiply_stage(const std::uint8_t* stage, int warp_n, int warp_m, float (&acc)[T::kFN][T::kFM][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize, matrix = lane / 8, line = lane % 8;
  std::uint32_t w[T::kFN][kPlanes][4], kept[T::kFN];
#pragma unroll
  for (int i = 0; i < T::kFN; ++i) {
    kept[i] = *reinterpret_cast<const std::uint32_t*>(stage + T::kKept + (warp_n + i * 16) * 4 +
                                                      (lane / 4 * 2 + lane % 2) * 4);
#pragma unroll
    for (int plane = 0; plane < kPlanes; ++plane)
      load_matrix_x4(w[i][plane],
                     stage + (plane * T::kN + warp_n + i * 16 + matrix % 2 * 8 + line) * T::kWPitch + matrix / 2 * 16);
  }
#pragma unroll
  for (int j = 0; j < T::kFM; ++j)
#pragma unroll
    for (int plane = kPlanes - 1; plane >= 0; --plane) {  // the small ones first
      std::uint32_t x[4];
      load_matrix_x4(x, stage + T::kX + (plane * T::kM + warp_m + j * 8 + line) * T::kXPitch + matrix * 16);
#pragma unroll
      for (int other = kPlanes - 1 - plane; other >= 0; --other)
#pragma unroll
        for (int i = 0; i < T::kFN; ++i) mma_sparse_bf16(acc[i][j], w[i][other], x, kept[i]);
    }
}

template <class T>
ATHANOR_KERNEL(T::kThreads)
two_four_kernel(ATHANOR_PARAM(Params) p, ATHANOR_PARAM(EwProgramParams) e) {
  DYNAMIC_SHARED(std::uint8_t, room);
  const Index m0 = blockIdx.x / p.tiles_n * T::kM, n0 = blockIdx.x % p.tiles_n * T::kN;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize, lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp_n = warp / T::kWarpsM * T::kFN * 16, warp_m = warp % T::kWarpsM * T::kFM * 8;
  const int steps = static_cast<int>(p.operands.padded_k / kDepth);
  const auto fetch = [&](int step) {
    if (step < steps) fetch_stage<T>(p, room + step % kStages * T::kSize, step, m0, n0);
    cp_async_commit();  // an empty group keeps the count
  };
  float acc[T::kFN][T::kFM][4];
#pragma unroll
  for (int i = 0; i < T::kFN; ++i)
#pragma unroll
    for (int j = 0; j < T::kFM; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) acc[i][j][c] = 0;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) fetch(s);
  for (int step = 0; step < steps; ++step) {
    cp_async_wait<kStages - 2>();
    __syncthreads();  // this step's tiles are there for all, and all have done with the stage that is filled next
    fetch(step + kStages - 1);
    multiply_stage<T>(room + step % kStages * T::kSize, warp_n, warp_m, acc);
  }
  __syncthreads();
  auto* result = reinterpret_cast<float*>(room);
#pragma unroll
  for (int i = 0; i < T::kFN; ++i)
#pragma unroll
    for (int j = 0; j < T::kFM; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const int n = warp_n + i * 16 + lane / 4 + c / 2 * 8, m = warp_m + j * 8 + lane % 4 * 2 + c % 2;
        result[m * (T::kN + 4) + n] = acc[i][j][c];
      }
  finish_tile<T::kM, T::kN, T::kThreads>(p.operands, e, result, m0, n0);
}

// A thread makes a word of places: 16 columns of two rows, and their kept.
ATHANOR_KERNEL(kPackThreads)
two_four_pack_kernel(ATHANOR_PARAM(Bitmap) b, const float* values, Index nnz, Index padded_n, Index padded_k,
                     std::uint8_t* to) {
  const Index word = static_cast<Index>(blockIdx.x) * kPackThreads + threadIdx.x;
  if (word >= padded_n * padded_k / 32) return;
  const Index step = word / padded_n, rest = word - step * padded_n;
  const Index row0 = rest / 16 * 16 + rest % 16 / 2, column0 = step * kDepth + rest % 2 * 16;
  const Index plane = padded_n * padded_k;
  std::uint32_t kept = 0;
#pragma unroll 1
  for (int half = 0; half < 2; ++half) {
    const Index row = row0 + half * 8;
    const bool inside = row < b.rows && column0 < b.columns;
    const std::uint32_t marks = inside ? b.word(row, column0 / 32) >> (column0 % 32) : 0;
    std::uint32_t words[kPlanes][4];
#pragma unroll
    for (int four = 0; four < 4; ++four) {
      const std::uint32_t own = marks >> (4 * four) & 15u;
      std::uint32_t first = 0, second = 3;  // of one alone the other is 0
      if (__popc(own) >= 2) {
        second = 31u - static_cast<std::uint32_t>(__clz(static_cast<std::int32_t>(own)));
        first = 31u - static_cast<std::uint32_t>(__clz(static_cast<std::int32_t>(own & ~(1u << second))));
      } else if (own != 0 && own != 8) {
        first = 31u - static_cast<std::uint32_t>(__clz(static_cast<std::int32_t>(own)));
      }
      kept |= (first | second << 2) << (half * 16 + four * 4);
      const auto value = [&](std::uint32_t place) {
        const Index rank = (own >> place & 1u) != 0 ? b.rank(row, column0 + four * 4 + place) : -1;
        return split_planes(rank >= 0 && rank < nnz ? values[rank] : 0.0f);
      };
      const Planes one = value(first), other = value(second);
#pragma unroll
      for (int i = 0; i < kPlanes; ++i) words[i][four] = one.of[i] | static_cast<std::uint32_t>(other.of[i]) << 16;
    }
#pragma unroll
    for (int i = 0; i < kPlanes; ++i)
      vector_store(to + i * plane + row * padded_k + column0,
                   uint4{words[i][0], words[i][1], words[i][2], words[i][3]});
  }
  reinterpret_cast<std::uint32_t*>(to + kPlanes * plane)[word] = kept;
}

const char* pack_refuses(const device::TwoFourPack& args) {
  return args.w.N * args.w.K > 0xffffffff ? "a sparse weight of 2^32 elements or more" : nullptr;
}

device::Result pack_run(device::Stream* stream, const device::TwoFourPack& args, void*) {
  const Index n = device::sparse_padded(args.w.N), k = device::sparse_padded(args.w.K);
  if (n == 0 || k == 0) return device::Result::ok;
  return LAUNCH(two_four_pack_kernel, blocks_for(n * k / 32, kPackThreads), kPackThreads, 0, stream,
                ranked_bitmap(args.w, args.ranks), args.w.values, args.w.nnz, n, k,
                reinterpret_cast<std::uint8_t*>(args.to));
}

template <class T>
device::Result run_tile(device::Stream* stream, Params p, const EwProgramParams& e) {
  p.tiles_n = (p.operands.N + T::kN - 1) / T::kN;
  const Index blocks = (p.operands.M + T::kM - 1) / T::kM * p.tiles_n;
  return LAUNCH((two_four_kernel<T>), static_cast<std::uint32_t>(blocks), T::kThreads, (T::kShared), stream, p, e);
}

const char* refuses(const device::TwoFourMatmul& args) {
  return args.epilogue.raw >= 0 ? refuse_program(args.epilogue.args) : nullptr;
}
Index workspace(const device::TwoFourMatmul& args) { return planes_bytes(args.M, device::sparse_padded(args.K)); }

device::Result run(device::Stream* stream, const device::TwoFourMatmul& args, void* workspace) {
  if (args.M == 0 || args.N == 0) return device::Result::ok;
  const Index padded_k = device::sparse_padded(args.K), padded_n = device::sparse_padded(args.N);
  const device::Result split = split_planes_of(stream, args.x, args.M, args.K, padded_k, workspace);
  if (split != device::Result::ok) return split;
  const Params p{
      {args.M, args.N, padded_k, static_cast<const std::uint8_t*>(workspace), args.y, args.epilogue.raw >= 0 ? 1 : 0},
      padded_n,
      padded_n * padded_k,
      0,
      reinterpret_cast<const std::uint8_t*>(args.packed)};
  const EwProgramParams e = program_of(args.epilogue);
  return args.M <= 16 ? run_tile<Tile<4, 1, 1, 2>>(stream, p, e) : run_tile<Tile<2, 2, 2, 4>>(stream, p, e);
}

}  // namespace

void fill_sparse_two_four(device::Launchers& launch) {
  launch.two_four_pack = {pack_refuses, no_workspace<device::TwoFourPack>, pack_run};
  launch.two_four_matmul = {refuses, workspace, run};
}

}  // namespace athanor::cuda
