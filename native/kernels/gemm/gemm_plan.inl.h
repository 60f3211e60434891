// How a matrix product is cut: into panels for the register tile, tiles of C for tasks, blocks of K for the caches. All of it
// follows from sizes, strides and the presence of callbacks, never from the number of workers.
//
// One task owns a tile of C over all of K (or over one super-block of it) and runs: for each block of K, for each B panel
// (in L1), for each A panel (streamed from L2). Operands reach it in one of four ways:
//   shared   packed ahead of the tasks by tasks of their own; pays when several tiles read the same panels
//   private  packed by the task: A a block of K at a time, B a few panels at a time, still near when they are used
//   direct   read in place, where it is used too little to repay packing
//   packed   by the caller (B only)
#pragma once
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_pack.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace gemm {

// kKc: a B panel of kKc × kNr floats is 32 KiB with AVX-512 and AVX2, 16 KiB with NEON: L1, or the near end of L2.
// kMaxDirectColumns: more columns than this repay the packing of a row-major A.
// kLeastColumns: of a tile that is made narrow so that there are enough of them; kMiddleTiles: how many are enough for a product
// of 64 MFLOP or more. 16 were tried with AVX2 only: two threads gain 2.5 % in a whole step, one loses 1 to 2.
#if defined(ATHANOR_ISA_AVX512)
inline constexpr Index kKc = 256, kMaxDirectColumns = 512, kLeastColumns = 64, kMiddleTiles = 8;
#else
inline constexpr Index kKc = 512, kMaxDirectColumns = 320, kLeastColumns = 32, kMiddleTiles = 16;
#endif
inline constexpr Index kMaxDirectRows = 64;      // more rows than this repay the packing of B
inline constexpr Index kChunk = 8192;            // rows or columns of C that one plan covers
inline constexpr Index kSharedFloats = 2 << 20;  // packed ahead at a time: 8 MiB, about the share of L3 that is ours
inline constexpr Index kPrivateA = 36 << 10;     // floats of a private block of A: 144 KiB of L2
inline constexpr Index kGroup = 4;               // private B panels packed in one go: long enough reads of rows of B
inline constexpr Index kEntryFlops = 1 << 27;    // larger batch entries are run one by one, each on all workers

enum class GemmSource { shared, privately, direct, packed };

struct GemmPlan {
  Index m_panels, n_panels;
  Index m_tiles, n_tiles;
  Index k_blocks;      // of all of K
  Index super_blocks;  // blocks of K that are run before the next phase of packing
  GemmSource a, b;
  Index shared_a, shared_b;    // floats
  Index private_a, private_b;  // floats for each worker
};

ATHANOR_INLINE Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
ATHANOR_INLINE Index least(Index a, Index b) { return a < b ? a : b; }
ATHANOR_INLINE Index most(Index a, Index b) { return a > b ? a : b; }
ATHANOR_INLINE Index round_up(Index a, Index b) { return ceil_div(a, b) * b; }

// The bounds of part i of `parts` even parts of n.
ATHANOR_INLINE Index part_start(Index i, Index parts, Index n) { return i * n / parts; }

// Tiles wanted for this much work: enough for a balance among many workers, but none below a few tens of microseconds.
inline Index wanted_tiles(Index flops) {
  return most(most(1, least(8, flops >> 21)), most(least(kMiddleTiles, flops >> 22), least(48, flops >> 24)));
}

// A row-major A is read as fast in place as packed while its rows are streams that the prefetchers follow. A k-major one
// touches a page for each k, which only a narrow product puts up with.
inline GemmSource source_of_a(const GemmArgs& g, Index N, bool several_columns, bool shareable) {
  if (!g.a.pack && g.a.col == 1 && N <= kMaxDirectColumns) return GemmSource::direct;
  if (!g.a.pack && g.a.row == 1 && N <= 4 * kNr) return GemmSource::direct;
  return several_columns && shareable ? GemmSource::shared : GemmSource::privately;
}

// Rows of B that are far apart fall into few sets of L1, so reading them in place pays only for a few rows of A.
inline GemmSource source_of_b(const GemmArgs& g, Index M, bool several_rows, bool shareable) {
  if (g.b_packed) return GemmSource::packed;
  const Index rows = g.b.row <= 1024 ? kMaxDirectRows : 2 * kMr;
  if (!g.b.pack && g.b.col == 1 && M <= rows) return GemmSource::direct;
  return several_rows && shareable ? GemmSource::shared : GemmSource::privately;
}

// The plan for M × N of C, with `entries` batch entries at once (1 where they are run one by one).
inline GemmPlan plan_gemm(const GemmArgs& g, Index M, Index N, Index entries) {
  GemmPlan p;
  p.m_panels = ceil_div(M, kMr);
  p.n_panels = ceil_div(N, kNr);
  p.k_blocks = ceil_div(g.K, kKc);
  const Index kc = p.k_blocks ? ceil_div(g.K, p.k_blocks) : 1;
  const Index wanted = wanted_tiles(2 * M * N * g.K);
  const Index rows = most(144, kPrivateA / kc);  // a tile has about as many rows at most
  p.m_tiles = M <= most(192, rows) ? 1 : ceil_div(M, rows);
  p.n_tiles = ceil_div(N, entries > 1 ? 1024 : 256);
  if (entries == 1) {
    p.n_tiles = most(p.n_tiles, least(ceil_div(wanted, p.m_tiles), N / kLeastColumns));
    if (p.n_tiles * p.m_tiles < wanted) p.m_tiles = most(p.m_tiles, least(ceil_div(wanted, p.n_tiles), M / (4 * kMr)));
  }
  p.m_tiles = least(p.m_tiles, p.m_panels);
  p.n_tiles = least(p.n_tiles, p.n_panels);
  p.a = source_of_a(g, N, p.n_tiles > 1, entries == 1);
  p.b = source_of_b(g, M, p.m_tiles > 1, entries == 1);

  const Index tile_rows = least(M, (ceil_div(p.m_panels, p.m_tiles) + 1) * kMr);
  const Index shared_width = (p.a == GemmSource::shared ? M : 0) + (p.b == GemmSource::shared ? p.n_panels * kNr : 0);
  p.super_blocks = p.k_blocks;
  if (shared_width > 0) p.super_blocks = least(p.k_blocks, most(1, kSharedFloats / (shared_width * kc)));
  const Index depth = p.super_blocks * kc;
  p.shared_a = p.a == GemmSource::shared ? round_up(depth * M, 16) : 0;
  p.shared_b = p.b == GemmSource::shared ? depth * p.n_panels * kNr : 0;
  p.private_a = p.a == GemmSource::privately ? round_up(kc * tile_rows, 16) : 0;
  p.private_b = p.b == GemmSource::privately || p.b == GemmSource::direct ? round_up(kc * kNr * kGroup, 16) : 0;
  return p;
}

// Whether the entries of a batch are large enough to be run one after the other.
inline bool runs_entries_apart(const GemmArgs& g) {
  return g.batch[0] * g.batch[1] > 1 && 2 * g.M * g.N * g.K >= kEntryFlops;
}

}  // namespace gemm
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
