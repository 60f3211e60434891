// Dense products on tensor cores by mma.sync: bf16 operands, or f32 operands as tf32 (one product, or three for about f32's accuracy).
// A block has 128 × 128 of C, its 8 warps 64 × 32 each; operands come through three stages of shared memory filled by cp.async, one
// barrier a step of k. An operand lies in shared memory as it does in memory, along k ("deep") or across; rows are padded so that
// eight of them, which ldmatrix or a fragment reads together, meet every bank once. Sums are f32.
#include "cuda/kernels/matmul.cuh"

#include "cuda/kernels/lane.cuh"

namespace athanor::cuda {
namespace {

constexpr int kM = 128, kN = 128, kThreads = 256, kStages = 3;
constexpr int kWarpM = 64, kWarpN = 32;  // of a warp; warps are 2 × 4
constexpr int kRowsOfMma = 16, kColumnsOfMma = 8;
constexpr int kFragmentsM = kWarpM / kRowsOfMma, kFragmentsN = kWarpN / kColumnsOfMma;

enum class Kind : std::uint8_t { bf16, tf32, tf32x3 };

template <Kind kKind>
struct Element {
  using T = float;
  static constexpr int kDepth = 16;  // of k in a stage
};
template <>
struct Element<Kind::bf16> {
  using T = std::uint16_t;
  static constexpr int kDepth = 32;
};

// One operand's tile: 128 across by kDepth of k.
template <Kind kKind, bool kDeep>
struct Tile {
  using T = typename Element<kKind>::T;
  static constexpr int kDepth = Element<kKind>::kDepth, kAcross = 128;
  static constexpr int kPitch = kDeep ? kDepth + 16 / static_cast<int>(sizeof(T)) : kAcross + 8;
  static constexpr int kSize = (kDeep ? kAcross : kDepth) * kPitch;
  static constexpr int kChunk = 16 / static_cast<int>(sizeof(T));  // elements of a copy
  static constexpr int kChunksOfRow = (kDeep ? kDepth : kAcross) / kChunk;
  static constexpr int kCopies = kAcross * kDepth / kChunk / kThreads;

  // `stride`: of the dimension that is not contiguous.
  static ATHANOR_DEVICE void fetch(T* tile, const T* data, Index stride, Index first, Index most, Index k0,
                                   Index k_end) {
#pragma unroll
    for (int c = 0; c < kCopies; ++c) {
      const int e = static_cast<int>(threadIdx.x) + c * kThreads, row = e / kChunksOfRow,
                at = e % kChunksOfRow * kChunk;
      const Index line = (kDeep ? first : k0) + row, begin = (kDeep ? k0 : first) + at;
      const Index lines = kDeep ? most : k_end, end = kDeep ? k_end : most;
      Index valid = line < lines ? end - begin : 0;
      valid = valid < 0 ? 0 : valid > kChunk ? kChunk : valid;
      const T* from = valid > 0 ? data + line * stride + begin : data;
      cp_async(tile + row * kPitch + at, from, static_cast<std::uint32_t>(valid * static_cast<Index>(sizeof(T))));
    }
  }

  // Where element (across, k) lies.
  static ATHANOR_DEVICE int place(int across, int k) { return kDeep ? across * kPitch + k : k * kPitch + across; }
};

// Nearest, halves away from zero: what is left are the bits that the tensor core looks at.
ATHANOR_DEVICE float to_tf32(float x) {
  return __builtin_bit_cast(float, (__builtin_bit_cast(std::uint32_t, x) + 0x1000u) & 0xffffe000u);
}
ATHANOR_DEVICE std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }

template <Kind kKind, bool kDeepA, bool kDeepB>
struct Step {
  using A = Tile<kKind, kDeepA>;
  using B = Tile<kKind, kDeepB>;
  using T = typename Element<kKind>::T;

  static ATHANOR_DEVICE void run(const T* a, const T* b, int m0, int n0, float (&c)[kFragmentsM][kFragmentsN][4]) {
    if constexpr (kKind == Kind::bf16) {
#pragma unroll
      for (int k = 0; k < A::kDepth; k += 16) halves(a, b, m0, n0, k, c);
    } else {
#pragma unroll
      for (int k = 0; k < A::kDepth; k += 8) singles(a, b, m0, n0, k, c);
    }
  }

  // Lane l gives the address of row l % 8 of matrix l / 8; matrices of A are (0, 0), (8, 0), (0, 8), (8, 8) in (m, k), those of B
  // (0, 0), (0, 8), (8, 0), (8, 8) in (n, k): two fragments of B at once.
  static ATHANOR_DEVICE void halves(const T* a, const T* b, int m0, int n0, int k,
                                    float (&c)[kFragmentsM][kFragmentsN][4]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize, matrix = lane / 8, line = lane % 8;
    std::uint32_t fb[kFragmentsN][2];
#pragma unroll
    for (int j = 0; j < kFragmentsN; j += 2) {
      std::uint32_t four[4];
      const int n = n0 + j * kColumnsOfMma + matrix / 2 * 8, depth = k + matrix % 2 * 8;
      if constexpr (kDeepB)
        load_matrix_x4(four, b + B::place(n + line, depth));
      else
        load_matrix_x4_transposed(four, b + B::place(n, depth + line));
      fb[j][0] = four[0], fb[j][1] = four[1], fb[j + 1][0] = four[2], fb[j + 1][1] = four[3];
    }
#pragma unroll
    for (int i = 0; i < kFragmentsM; ++i) {
      std::uint32_t fa[4];
      const int m = m0 + i * kRowsOfMma + matrix % 2 * 8, depth = k + matrix / 2 * 8;
      if constexpr (kDeepA)
        load_matrix_x4(fa, a + A::place(m + line, depth));
      else
        load_matrix_x4_transposed(fa, a + A::place(m, depth + line));
#pragma unroll
      for (int j = 0; j < kFragmentsN; ++j) mma_bf16(c[i][j], fa, fb[j]);
    }
  }

  static ATHANOR_DEVICE void singles(const T* a, const T* b, int m0, int n0, int k,
                                     float (&c)[kFragmentsM][kFragmentsN][4]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize, group = lane / 4, thread = lane % 4;
    std::uint32_t high_b[kFragmentsN][2], low_b[kFragmentsN][2];
#pragma unroll
    for (int j = 0; j < kFragmentsN; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const float x = b[B::place(n0 + j * kColumnsOfMma + group, k + thread + e * 4)], high = to_tf32(x);
        high_b[j][e] = bits_of(high);
        if constexpr (kKind == Kind::tf32x3) low_b[j][e] = bits_of(to_tf32(x - high));
      }
#pragma unroll
    for (int i = 0; i < kFragmentsM; ++i) {
      std::uint32_t high_a[4], low_a[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float x = a[A::place(m0 + i * kRowsOfMma + group + e % 2 * 8, k + thread + e / 2 * 4)], high = to_tf32(x);
        high_a[e] = bits_of(high);
        if constexpr (kKind == Kind::tf32x3) low_a[e] = bits_of(to_tf32(x - high));
      }
#pragma unroll
      for (int j = 0; j < kFragmentsN; ++j) {
        if constexpr (kKind == Kind::tf32x3) {
          mma_tf32(c[i][j], low_a, high_b[j]);
          mma_tf32(c[i][j], high_a, low_b[j]);
        }
        mma_tf32(c[i][j], high_a, high_b[j]);
      }
    }
  }
};

template <Kind kKind, bool kDeepA, bool kDeepB>
ATHANOR_KERNEL(kThreads)
matmul_mma_kernel(ATHANOR_PARAM(MatmulParams) p) {
  using A = Tile<kKind, kDeepA>;
  using B = Tile<kKind, kDeepB>;
  using T = typename Element<kKind>::T;
  constexpr int kDepth = A::kDepth, kStage = A::kSize + B::kSize;
  DYNAMIC_SHARED(T, room);
  const Index tiles = p.tiles_m * p.tiles_n, batch = blockIdx.x / tiles, tile = blockIdx.x - batch * tiles;
  const Index b0 = batch / p.batch[1], b1 = batch - b0 * p.batch[1];
  const Index m0 = tile / p.tiles_n * kM, n0 = tile % p.tiles_n * kN;
  const T* a = static_cast<const T*>(p.a.data) + b0 * p.a.batch[0] + b1 * p.a.batch[1];
  const T* b = static_cast<const T*>(p.b.data) + b0 * p.b.batch[0] + b1 * p.b.batch[1];
  const Index a_stride = kDeepA ? p.a.row : p.a.col, b_stride = kDeepB ? p.b.col : p.b.row;
  const Index k_begin = blockIdx.y * p.piece, k_end = k_begin + p.piece < p.K ? k_begin + p.piece : p.K;
  const int steps = static_cast<int>((k_end - k_begin + kDepth - 1) / kDepth);
  const auto fetch = [&](int step) {
    if (step < steps) {
      T* stage = room + step % kStages * kStage;
      A::fetch(stage, a, a_stride, m0, p.M, k_begin + static_cast<Index>(step) * kDepth, k_end);
      B::fetch(stage + A::kSize, b, b_stride, n0, p.N, k_begin + static_cast<Index>(step) * kDepth, k_end);
    }
    cp_async_commit();  // an empty group keeps the count
  };
  float c[kFragmentsM][kFragmentsN][4];
#pragma unroll
  for (int i = 0; i < kFragmentsM; ++i)
#pragma unroll
    for (int j = 0; j < kFragmentsN; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) c[i][j][e] = 0;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize, lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int warp_m = warp / 4 * kWarpM, warp_n = warp % 4 * kWarpN;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) fetch(s);
  for (int step = 0; step < steps; ++step) {
    cp_async_wait<kStages - 2>();
    __syncthreads();  // this step's tiles are there for all, and all have done with the stage that is filled next
    fetch(step + kStages - 1);
    const T* stage = room + step % kStages * kStage;
    Step<kKind, kDeepA, kDeepB>::run(stage, stage + A::kSize, warp_m, warp_n, c);
  }
#pragma unroll
  for (int i = 0; i < kFragmentsM; ++i)
#pragma unroll
    for (int j = 0; j < kFragmentsN; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const Index m = m0 + warp_m + i * kRowsOfMma + lane / 4 + e / 2 * 8;
        const Index n = n0 + warp_n + j * kColumnsOfMma + lane % 4 * 2 + e % 2;
        if (m < p.M && n < p.N) store_product(p, batch, b0, b1, m, n, c[i][j][e]);
      }
}

template <Kind kKind, bool kDeepA, bool kDeepB>
device::Result run_deep(device::Stream* stream, MatmulParams p) {
  using A = Tile<kKind, kDeepA>;
  using B = Tile<kKind, kDeepB>;
  p.tiles_m = (p.M + kM - 1) / kM;
  p.tiles_n = (p.N + kN - 1) / kN;
  const Index blocks = p.tiles_m * p.tiles_n * p.batch[0] * p.batch[1];
  const Dim3 grid(static_cast<std::uint32_t>(blocks), static_cast<std::uint32_t>(p.pieces));
  const std::size_t shared = kStages * (A::kSize + B::kSize) * sizeof(typename A::T);
  const device::Result result = LAUNCH((matmul_mma_kernel<kKind, kDeepA, kDeepB>), grid, kThreads, shared, stream, p);
  return result != device::Result::ok || p.pieces == 1 ? result : join_matmul_pieces(stream, p);
}

template <Kind kKind>
device::Result run_kind(device::Stream* stream, const MatmulParams& p) {
  const bool deep_a = p.a.col == 1, deep_b = p.b.row == 1;
  if (deep_a) return deep_b ? run_deep<kKind, true, true>(stream, p) : run_deep<kKind, true, false>(stream, p);
  return deep_b ? run_deep<kKind, false, true>(stream, p) : run_deep<kKind, false, false>(stream, p);
}

// f32 of any strides to bf16 with lines of a multiple of 8.
ATHANOR_KERNEL(256)
round_kernel(const float* from, std::uint16_t* to, Index line_stride, Index stride, Index lines, Index length,
             Index pitch) {
  const Index i = static_cast<Index>(blockIdx.x) * 256 + threadIdx.x;
  if (i >= lines * pitch) return;
  const Index line = i / pitch, at = i - line * pitch;
  to[i] = at < length ? to_bf16(from[line * line_stride + at * stride]).bits : std::uint16_t{0};
}

bool is_aligned(const device::MatmulOperand& x) { return reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0; }

bool has_lines(const device::MatmulOperand& x, Index elements) {
  const bool row = x.col == 1 && x.row % elements == 0, column = x.row == 1 && x.col % elements == 0;
  return (row || column) && x.batch[0] % elements == 0 && x.batch[1] % elements == 0;
}

}  // namespace

bool fits_mma(const device::MatmulOperand& x) { return has_lines(x, x.dtype == DType::bf16 ? 8 : 4) && is_aligned(x); }

Index rounded_bytes(Index lines, Index length) { return (lines * ((length + 7) / 8 * 8) * 2 + 255) / 256 * 256; }

device::Result round_operand(device::Stream* stream, device::MatmulOperand& x, Index rows, Index cols, void* to) {
  // A's rows along k where that is contiguous or nothing is; else across.
  const bool deep = x.col == 1 || x.row != 1;
  const Index lines = deep ? rows : cols, length = deep ? cols : rows, pitch = (length + 7) / 8 * 8;
  const device::Result result =
      LAUNCH(round_kernel, blocks_for(lines * pitch, 256), 256, 0, stream, static_cast<const float*>(x.data),
             static_cast<std::uint16_t*>(to), deep ? x.row : x.col, deep ? x.col : x.row, lines, length, pitch);
  x.data = to;
  x.dtype = DType::bf16;
  x.row = deep ? pitch : 1;
  x.col = deep ? 1 : pitch;
  return result;
}

device::Result run_matmul_mma(device::Stream* stream, const MatmulParams& p, device::Precision precision) {
  if (p.a.dtype == DType::bf16) return run_kind<Kind::bf16>(stream, p);
  return precision == device::Precision::tf32 ? run_kind<Kind::tf32>(stream, p) : run_kind<Kind::tf32x3>(stream, p);
}

}  // namespace athanor::cuda
