// Products with weights whose tiles of 8 × 8 are mostly empty (blocks of 16 × 16, 64 × 64, 4 × 4, 1 × 16): only the others are stored and
// multiplied. Chunks of 64 columns of x come through three stages of shared memory filled by cp.async; a warp has strips of 8 rows of the
// weight and gathers the columns of its tiles, two of which make the depth of one mma: ldmatrix takes the address of every 8 columns.
// Chunks that no strip of a block has a tile in are not read.
#include "cuda/kernels/sparse/bitmap.cuh"
#include "cuda/kernels/sparse/planes_product.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr int kStages = 3, kChunk = 64, kThreads = 256, kWarps = kThreads / kWarpSize, kPackThreads = 128;
constexpr int kM = 64, kFM = kM / 16;
constexpr int kXPitch = kChunk * 2 + 16, kStage = kPlanes * kM * kXPitch;

struct Params {
  PlanesOperands operands;
  device::SparseTiles tiles;
  Index blocks_n;
  const std::byte* w;
};

template <int kStrips>
constexpr int kShared = kStages * kStage > kM*(kStrips * kWarps * 8 + 4) * 4 ? kStages* kStage
                                                                             : kM*(kStrips * kWarps * 8 + 4) * 4;

struct Pair {
  uint2 plane[kPlanes];
};
ATHANOR_DEVICE Pair load_pair(const Params& p, Index pair) {
  const std::byte* from = p.w + pair * device::kTilePairBytes + threadIdx.x % kWarpSize * 8;
  Pair w;
#pragma unroll
  for (int i = 0; i < kPlanes; ++i) w.plane[i] = vector_load<uint2>(from + i * kWarpSize * 8);
  return w;
}

ATHANOR_DEVICE void multiply_pair(const std::uint8_t* stage, const Pair& w, int groups, float (&acc)[kFM][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize, matrix = lane / 8, line = lane % 8;
  const std::uint8_t* column = stage + (matrix % 2 * 8 + line) * kXPitch + (groups >> (matrix / 2 * 4) & 15) * 16;
#pragma unroll
  for (int i = 0; i < kFM; ++i)
#pragma unroll
    for (int plane = kPlanes - 1; plane >= 0; --plane) {  // the small ones first
      std::uint32_t x[4];
      load_matrix_x4(x, column + (plane * kM + i * 16) * kXPitch);
#pragma unroll
      for (int other = kPlanes - 1 - plane; other >= 0; --other) {
        const std::uint32_t fragment[2] = {w.plane[other].x, w.plane[other].y};
        mma_bf16(acc[i], x, fragment);
      }
    }
}

// The tiles of a strip within the chunk that lies in `stage`; the next pair is on its way while one is multiplied.
ATHANOR_DEVICE void multiply_strip(const Params& p, const std::uint8_t* stage, Index strip, Index chunk,
                                   float (&acc)[kFM][4]) {
  if (strip >= p.tiles.all_strips()) return;
  const std::uint32_t* starts = p.tiles.starts + strip * p.tiles.chunks() + chunk;
  const Index end = starts[1];
  Index pair = starts[0];
  if (pair == end) return;
  Pair w = load_pair(p, pair);
  for (; pair < end; ++pair) {
    const Pair now = w;
    if (pair + 1 < end) w = load_pair(p, pair + 1);
    multiply_pair(stage, now, p.tiles.groups[pair], acc);
  }
}

template <int kStrips>
ATHANOR_KERNEL(kThreads)
tiles_kernel(ATHANOR_PARAM(Params) p, ATHANOR_PARAM(EwProgramParams) e) {
  constexpr int kN = kStrips * kWarps * 8;
  DYNAMIC_SHARED(std::uint8_t, room);
  const PlanesOperands& x = p.operands;
  const Index block = blockIdx.x % p.blocks_n, m0 = blockIdx.x / p.blocks_n * kM, n0 = block * kN;
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize, lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::uint32_t* walk = p.tiles.walk + p.tiles.walk_starts[block];
  const int steps = static_cast<int>(p.tiles.walk_starts[block + 1] - p.tiles.walk_starts[block]);
  const auto fetch = [&](int step) {
    if (step < steps)
      fetch_planes<kM, kChunk * 2, kXPitch, kThreads>(room + step % kStages * kStage,
                                                      x.x + walk[step] * Index{kChunk * 2}, x.padded_k * 2,
                                                      x.M * x.padded_k * 2, m0, x.M);
    cp_async_commit();  // an empty group keeps the count
  };
  float acc[kStrips][kFM][4];
#pragma unroll
  for (int s = 0; s < kStrips; ++s)
#pragma unroll
    for (int i = 0; i < kFM; ++i)
#pragma unroll
      for (int c = 0; c < 4; ++c) acc[s][i][c] = 0;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) fetch(s);
  for (int step = 0; step < steps; ++step) {
    cp_async_wait<kStages - 2>();
    __syncthreads();  // this chunk is there for all, and all have done with the stage that is filled next
    fetch(step + kStages - 1);
#pragma unroll
    for (int s = 0; s < kStrips; ++s)
      multiply_strip(p, room + step % kStages * kStage, n0 / 8 + warp * kStrips + s, walk[step], acc[s]);
  }
  __syncthreads();
  auto* result = reinterpret_cast<float*>(room);
#pragma unroll
  for (int s = 0; s < kStrips; ++s)
#pragma unroll
    for (int i = 0; i < kFM; ++i)
#pragma unroll
      for (int c = 0; c < 4; ++c)
        result[(i * 16 + lane / 4 + c / 2 * 8) * (kN + 4) + (warp * kStrips + s) * 8 + lane % 4 * 2 + c % 2] =
            acc[s][i][c];
  finish_tile<kM, kN, kThreads>(x, e, result, m0, n0);
}

// A thread makes a lane's two words of all planes.
ATHANOR_KERNEL(kPackThreads)
tiles_pack_kernel(ATHANOR_PARAM(Bitmap) b, ATHANOR_PARAM(device::SparseTiles) t, const float* values, Index nnz,
                  std::byte* to) {
  const Index i = static_cast<Index>(blockIdx.x) * kPackThreads + threadIdx.x, pair = i / kWarpSize;
  if (pair >= t.pairs) return;
  const int lane = static_cast<int>(i % kWarpSize), groups = t.groups[pair];
  const Index cell = t.cells[pair], strip = cell / t.chunks(), chunk = cell - strip * t.chunks();
  const Index row = strip * 8 + lane / 4;
  std::uint32_t words[kPlanes][2];
#pragma unroll
  for (int which = 0; which < 2; ++which) {
    const int group = groups >> (4 * which) & 15;
    const bool alone = which == 1 && group == (groups & 15);
    Planes planes[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Index column = chunk * kChunk + group * 8 + lane % 4 * 2 + half;
      const bool inside = !alone && row < t.rows && column < t.columns;
      const Index rank = !inside ? -1 : t.transposed ? b.rank(column, row) : b.rank(row, column);
      planes[half] = split_planes(rank >= 0 && rank < nnz ? values[rank] : 0.0f);
    }
#pragma unroll
    for (int plane = 0; plane < kPlanes; ++plane)
      words[plane][which] = planes[0].of[plane] | static_cast<std::uint32_t>(planes[1].of[plane]) << 16;
  }
#pragma unroll
  for (int plane = 0; plane < kPlanes; ++plane)
    vector_store(to + pair * device::kTilePairBytes + (plane * kWarpSize + lane) * 8,
                 uint2{words[plane][0], words[plane][1]});
}

const char* pack_refuses(const device::TilesPack& args) {
  return args.w.N * args.w.K > 0xffffffff ? "a sparse weight of 2^32 elements or more" : nullptr;
}

device::Result pack_run(device::Stream* stream, const device::TilesPack& args, void*) {
  if (args.tiles.pairs == 0) return device::Result::ok;
  return LAUNCH(tiles_pack_kernel, blocks_for(args.tiles.pairs * kWarpSize, kPackThreads), kPackThreads, 0, stream,
                ranked_bitmap(args.w, args.ranks), args.tiles, args.w.values, args.w.nnz, args.to);
}

template <int kStrips>
device::Result run_strips(device::Stream* stream, Params p, const EwProgramParams& e) {
  p.blocks_n = (p.operands.N + kStrips * kWarps * 8 - 1) / (kStrips * kWarps * 8);
  const Index blocks = (p.operands.M + kM - 1) / kM * p.blocks_n;
  return LAUNCH((tiles_kernel<kStrips>), static_cast<std::uint32_t>(blocks), kThreads, (kShared<kStrips>), stream, p,
                e);
}

const char* refuses(const device::TilesMatmul& args) {
  if (args.tiles.strips != 1 && args.tiles.strips != 4) return "a warp with neither one strip nor four";
  return args.epilogue.raw >= 0 ? refuse_program(args.epilogue.args) : nullptr;
}
Index workspace(const device::TilesMatmul& args) {
  return planes_bytes(args.M, device::sparse_padded(args.tiles.columns));
}

device::Result run(device::Stream* stream, const device::TilesMatmul& args, void* workspace) {
  if (args.M == 0 || args.tiles.rows == 0) return device::Result::ok;
  const Index padded_k = device::sparse_padded(args.tiles.columns);
  const device::Result split = split_planes_of(stream, args.x, args.M, args.tiles.columns, padded_k, workspace);
  if (split != device::Result::ok) return split;
  const Params p{{args.M, args.tiles.rows, padded_k, static_cast<const std::uint8_t*>(workspace), args.y,
                  args.epilogue.raw >= 0 ? 1 : 0},
                 args.tiles,
                 0,
                 args.packed};
  const EwProgramParams e = program_of(args.epilogue);
  return args.tiles.strips == 1 ? run_strips<1>(stream, p, e) : run_strips<4>(stream, p, e);
}

}  // namespace

void fill_sparse_tiles(device::Launchers& launch) {
  launch.tiles_pack = {pack_refuses, no_workspace<device::TilesPack>, pack_run};
  launch.tiles_matmul = {refuses, workspace, run};
}

}  // namespace athanor::cuda
