// The driver of the blocked f32 matrix product: runs the plan of gemm_plan.inl.h over the register tile of
// gemm_micro.inl.h. Few rows or columns take the streaming kernels of gemv.inl.h instead.
#pragma once
#include <cstring>

#include "kernels/gemm/gemm_f64.inl.h"
#include "kernels/gemm/gemm_plan.inl.h"
#include "kernels/gemm/gemv.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace gemm {

// One chunk of C (M × N from row m0 and column n0) of one batch entry, over the blocks of K in [kb0, kb1).
struct GemmChunk {
  const GemmArgs* g;
  const GemmPlan* plan;
  Index m0, n0, M, N;
  Index kb0, kb1;
  Index entry;         // number of the batch entry
  const float *a, *b;  // of the entry; null with a callback
  float* c;            // of the entry
  float *shared_a, *shared_b;

  ATHANOR_INLINE Index row(Index panel) const { return part_start(panel, plan->m_panels, M); }
  ATHANOR_INLINE Index k_start(Index block) const { return part_start(block, plan->k_blocks, g->K); }
};

inline void point_at_entry(GemmChunk& x, Index entry) {
  const GemmArgs& g = *x.g;
  const Index b0 = entry / g.batch[1], b1 = entry % g.batch[1];
  x.entry = entry;
  x.a = g.a.pack ? nullptr : g.a.data + b0 * g.a.batch[0] + b1 * g.a.batch[1];
  x.b = g.b.pack && !g.b_packed ? nullptr : g.b.data + b0 * g.b.batch[0] + b1 * g.b.batch[1];
  x.c = g.c + b0 * g.c_batch[0] + b1 * g.c_batch[1];
}

// The depth of one go over neighbouring panels whose source rows are contiguous: what one panel leaves of a cache line, and
// of a page, the next ones use while it is still near.
inline constexpr Index kPackDepth = 32;

// A panels [first, last) for one block of K, from dst on, each dst[k * rows + i].
inline void pack_a_panels(const GemmChunk& x, Index first, Index last, Index block, float* dst) {
  const GemmArgs& g = *x.g;
  const Index i0 = x.row(first), k0 = x.k_start(block), kc = x.k_start(block + 1) - k0;
  const Index depth = !g.a.pack && g.a.row == 1 ? kPackDepth : kc;
  for (Index k = 0; k < kc; k += depth)
    for (Index panel = first; panel < last; ++panel) {
      const Index i = x.row(panel), n = x.row(panel + 1) - i;
      float* to = dst + (i - i0) * kc + k * n;
      if (g.a.pack) {
        g.a.pack(g.a.pack_self, x.entry, k0, kc, x.m0 + i, n, to, n);
      } else {
        const float* src = x.a + (x.m0 + i) * g.a.row + (k0 + k) * g.a.col;
        pack_piece({src, g.a.row, g.a.col, least(depth, kc - k), static_cast<int>(n), to, n});
      }
    }
}

// B panels [first, last) for one block of K, from dst on, each dst[k * kNr + j], the columns past N zero.
inline void pack_b_panels(const GemmChunk& x, Index first, Index last, Index block, float* dst) {
  const GemmArgs& g = *x.g;
  const Index k0 = x.k_start(block), kc = x.k_start(block + 1) - k0;
  const Index depth = !g.b.pack && g.b.col == 1 ? kPackDepth : kc;
  for (Index k = 0; k < kc; k += depth)
    for (Index panel = first; panel < last; ++panel) {
      const Index j = panel * kNr, n = least(kNr, x.N - j), rows = least(depth, kc - k);
      float* to = dst + (panel - first) * kc * kNr + k * kNr;
      if (n < kNr) std::memset(to, 0, static_cast<std::size_t>(rows * kNr) * sizeof(float));
      if (g.b.pack) {
        g.b.pack(g.b.pack_self, x.entry, k0, kc, x.n0 + j, n, to, kNr);
      } else {
        const float* src = x.b + (x.n0 + j) * g.b.col + (k0 + k) * g.b.row;
        pack_piece({src, g.b.col, g.b.row, rows, static_cast<int>(n), to, kNr});
      }
    }
}

// Where a panel packed ahead begins; blocks of K follow each other, and in a block its panels.
ATHANOR_INLINE float* shared_a_panel(const GemmChunk& x, Index panel, Index block) {
  const Index k0 = x.k_start(block), kc = x.k_start(block + 1) - k0;
  return x.shared_a + (k0 - x.k_start(x.kb0)) * x.M + kc * x.row(panel);
}
ATHANOR_INLINE float* shared_b_panel(const GemmChunk& x, Index panel, Index block) {
  const Index k0 = x.k_start(block), kc = x.k_start(block + 1) - k0;
  return x.shared_b + (k0 - x.k_start(x.kb0)) * x.plan->n_panels * kNr + kc * panel * kNr;
}
ATHANOR_INLINE const float* packed_b_panel(const GemmChunk& x, Index panel, Index block) {
  const Index k0 = x.k_start(block), kc = x.k_start(block + 1) - k0;
  return x.b + k0 * round_up(x.g->N, kNr) + kc * (x.n0 + panel * kNr);
}

struct PanelView {
  const float* data;
  Index ld;
  GemmOrder order;
};

inline PanelView a_view(const GemmChunk& x, Index panel, Index block, const float* privately, Index first_row) {
  const GemmArgs& g = *x.g;
  const Index i0 = x.row(panel), n = x.row(panel + 1) - i0;
  const Index k0 = x.k_start(block), kc = x.k_start(block + 1) - k0;
  switch (x.plan->a) {
    case GemmSource::shared: return {shared_a_panel(x, panel, block), n, GemmOrder::k_major};
    case GemmSource::privately: return {privately + (i0 - first_row) * kc, n, GemmOrder::k_major};
    case GemmSource::direct:
    case GemmSource::packed: break;  // of B alone
  }
  const float* src = x.a + (x.m0 + i0) * g.a.row + k0 * g.a.col;
  if (g.a.row == 1) return {src, g.a.col, GemmOrder::k_major};
  return {src, g.a.row, GemmOrder::row_major};
}

// Direct B is read in place but for a last panel that is no whole number of vectors, which is packed.
ATHANOR_INLINE bool reads_b_in_place(const GemmChunk& x, Index panel) {
  const Index left = x.N - panel * kNr;
  return x.plan->b == GemmSource::direct && (left >= kNr || left == kLanes);
}

inline PanelView b_view(const GemmChunk& x, Index panel, Index block, const float* privately) {
  const GemmArgs& g = *x.g;
  if (x.plan->b == GemmSource::shared) return {shared_b_panel(x, panel, block), kNr, GemmOrder::k_major};
  if (x.plan->b == GemmSource::packed) return {packed_b_panel(x, panel, block), kNr, GemmOrder::k_major};
  if (reads_b_in_place(x, panel))
    return {x.b + x.k_start(block) * g.b.row + x.n0 + panel * kNr, g.b.row, GemmOrder::k_major};
  return {privately, kNr, GemmOrder::k_major};
}

// All rows of a tile (panels [ip0, ip1)) by one B panel, for one block of K.
inline void compute_strip(const GemmChunk& x, Index ip0, Index ip1, Index panel, Index block, const PanelView& b,
                          const float* private_a) {
  const GemmArgs& g = *x.g;
  const Index kc = x.k_start(block + 1) - x.k_start(block), i0 = x.row(ip0);
  const int width = static_cast<int>(least(kNr, x.N - panel * kNr));
  for (Index ip = ip0; ip < ip1; ++ip) {
    const PanelView a = a_view(x, ip, block, private_a, i0);
    float* c = x.c + (x.m0 + x.row(ip)) * g.ldc + x.n0 + panel * kNr;
    GemmTile tile{kc, a.data, a.ld, b.data, b.ld, c, g.ldc, 0, g.accumulate || block > 0};
    run_gemm_tile(tile, static_cast<int>(x.row(ip + 1) - x.row(ip)), width, a.order);
  }
}

// One task: a tile of C. privately is this worker's memory: kGroup panels of B, then the tile's block of A.
inline void compute_tile(const GemmChunk& x, Index m_tile, Index n_tile, float* privately) {
  const GemmArgs& g = *x.g;
  const GemmPlan& p = *x.plan;
  const Index ip0 = part_start(m_tile, p.m_tiles, p.m_panels), ip1 = part_start(m_tile + 1, p.m_tiles, p.m_panels);
  const Index jp0 = part_start(n_tile, p.n_tiles, p.n_panels), jp1 = part_start(n_tile + 1, p.n_tiles, p.n_panels);
  float* private_a = privately + p.private_b;

  for (Index kb = x.kb0; kb < x.kb1; ++kb) {
    const Index kc = x.k_start(kb + 1) - x.k_start(kb);
    if (p.a == GemmSource::privately) pack_a_panels(x, ip0, ip1, kb, private_a);
    for (Index jp = jp0; jp < jp1; jp += kGroup) {
      const Index end = least(jp1, jp + kGroup);
      if (p.b == GemmSource::privately)
        pack_b_panels(x, jp, end, kb, privately);
      else if (p.b == GemmSource::direct && !reads_b_in_place(x, end - 1))
        pack_b_panels(x, end - 1, end, kb, privately + (end - 1 - jp) * kc * kNr);
      for (Index q = jp; q < end; ++q)
        compute_strip(x, ip0, ip1, q, kb, b_view(x, q, kb, privately + (q - jp) * kc * kNr), private_a);
    }
  }
  if (g.epilogue && x.kb1 == p.k_blocks) {
    const Index j0 = jp0 * kNr, cols = least(x.N, jp1 * kNr) - j0;
    for (Index i = x.row(ip0); i < x.row(ip1); ++i)
      g.epilogue(g.epilogue_self, x.c + (x.m0 + i) * g.ldc + x.n0 + j0, x.m0 + i, x.n0 + j0, cols, x.entry);
  }
}

// Packs what is shared for the super-block [kb0, kb1): one task for a few panels of one block.
inline void pack_shared(const GemmChunk& x, Parallel& parallel) {
  const GemmPlan& p = *x.plan;
  const Index kc = ceil_div(x.g->K, p.k_blocks), blocks = x.kb1 - x.kb0;
  // Tasks of at least 128 columns, which are read in rows, and of some 32 thousand elements where K is short.
  const Index width = most(128, (Index{1} << 15) / kc), a_group = ceil_div(width, kMr), b_group = ceil_div(width, kNr);
  const Index a_tasks = p.a == GemmSource::shared ? ceil_div(p.m_panels, a_group) : 0;
  const Index b_tasks = p.b == GemmSource::shared ? ceil_div(p.n_panels, b_group) : 0;
  const Index tasks = a_tasks + b_tasks;
  if (tasks == 0) return;
  parallel.run(static_cast<int>(tasks * blocks), [&](int task, int) {
    const Index block = x.kb0 + task / tasks, i = task % tasks;
    if (i < a_tasks) {
      const Index first = i * a_group, last = least(p.m_panels, first + a_group);
      pack_a_panels(x, first, last, block, shared_a_panel(x, first, block));
    } else {
      const Index first = (i - a_tasks) * b_group, last = least(p.n_panels, first + b_group);
      pack_b_panels(x, first, last, block, shared_b_panel(x, first, block));
    }
  });
}

// One chunk of C for the entries [entry, entry + entries).
inline void run_chunk(GemmChunk x, Index entry, Index entries, Parallel& parallel, float* workspace) {
  const GemmPlan& p = *x.plan;
  const Index tiles = p.m_tiles * p.n_tiles;
  point_at_entry(x, entry);
  x.shared_a = workspace;
  x.shared_b = workspace + p.shared_a;
  float* privately = x.shared_b + p.shared_b;
  for (x.kb0 = 0; x.kb0 < p.k_blocks; x.kb0 = x.kb1) {
    x.kb1 = least(p.k_blocks, x.kb0 + p.super_blocks);
    pack_shared(x, parallel);
    parallel.run(static_cast<int>(entries * tiles), [&](int task, int worker) {
      GemmChunk mine = x;
      if (entries > 1) point_at_entry(mine, entry + task / tiles);
      const Index tile = task % tiles;
      compute_tile(mine, tile % p.m_tiles, tile / p.m_tiles, privately + worker * (p.private_a + p.private_b));
    });
  }
}

// K == 0: no product to add, but C is set and the epilogue runs.
inline void run_empty_product(const GemmArgs& g) {
  GemmChunk x{};
  x.g = &g;
  for (Index entry = 0; entry < g.batch[0] * g.batch[1]; ++entry) {
    x.c = g.c + entry / g.batch[1] * g.c_batch[0] + entry % g.batch[1] * g.c_batch[1];
    for (Index i = 0; i < g.M; ++i) {
      float* c = x.c + i * g.ldc;
      if (!g.accumulate) std::memset(c, 0, static_cast<std::size_t>(g.N) * sizeof(float));
      if (g.epilogue) g.epilogue(g.epilogue_self, c, i, 0, g.N, entry);
    }
  }
}

ATHANOR_INLINE bool is_empty(const GemmArgs& g) { return g.M <= 0 || g.N <= 0 || g.batch[0] * g.batch[1] <= 0; }

inline void gemm_run(const GemmArgs& g, Parallel& parallel, void* workspace) {
  if (is_empty(g)) return;
  if (g.K <= 0) return run_empty_product(g);
  if (run_gemv(g, parallel)) return;
  const Index entries = g.batch[0] * g.batch[1];
  const bool apart = runs_entries_apart(g);
  for (Index first = 0; first < entries; first += apart ? 1 : entries)
    for (Index n0 = 0; n0 < g.N; n0 += kChunk)
      for (Index m0 = 0; m0 < g.M; m0 += kChunk) {
        const Index M = least(kChunk, g.M - m0), N = least(kChunk, g.N - n0), count = apart ? 1 : entries;
        const GemmPlan plan = plan_gemm(g, M, N, count);
        GemmChunk x{};
        x.g = &g;
        x.plan = &plan;
        x.m0 = m0, x.n0 = n0, x.M = M, x.N = N;
        run_chunk(x, first, count, parallel, static_cast<float*>(workspace));
      }
}

inline Index gemm_workspace(const GemmArgs& g, int workers) {
  if (is_empty(g) || g.K <= 0) return 0;
  const Index entries = runs_entries_apart(g) ? 1 : g.batch[0] * g.batch[1];
  const Index Ms[2] = {least(g.M, kChunk), (g.M - 1) % kChunk + 1};  // the whole chunks and the last one
  const Index Ns[2] = {least(g.N, kChunk), (g.N - 1) % kChunk + 1};
  Index floats = 0;
  for (const Index M : Ms)
    for (const Index N : Ns) {
      const GemmPlan p = plan_gemm(g, M, N, entries);
      floats = most(floats, p.shared_a + p.shared_b + workers * (p.private_a + p.private_b));
    }
  return floats * static_cast<Index>(sizeof(float));
}

inline Index gemm_packed_size(Index K, Index N) { return K * round_up(N, kNr); }

inline void gemm_pack_b(const GemmArgs& g, float* dst, Parallel& parallel) {
  if (g.K <= 0 || g.N <= 0) return;
  GemmPlan p{};
  p.n_panels = ceil_div(g.N, kNr);
  p.k_blocks = ceil_div(g.K, kKc);
  p.a = GemmSource::direct;
  p.b = GemmSource::shared;
  GemmChunk x{};
  x.g = &g;
  x.plan = &p;
  x.N = g.N;
  x.kb1 = p.k_blocks;
  x.b = g.b.data;
  x.shared_b = dst;
  pack_shared(x, parallel);
}

constexpr GemmKernels kernels() {
  return {kMr, kNr, static_cast<int>(kKc), gemm_workspace, gemm_run, gemm_packed_size, gemm_pack_b, gemm_f64_run};
}

}  // namespace gemm
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
