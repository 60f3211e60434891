// Sparse products beside our own dense ones, in one run: the two take turns, and each figure is the best of the runs that fit into
// its time, on one thread in processor time and on two in wall time. Columns: sparsity, batch, layout, µs dense (weights packed
// once), µs sparse, their ratio, and the useful GFLOP/s of the sparse one. Arguments select rows by substring.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "sparse/panels.h"

using namespace athanor;

namespace {

constexpr double kSecondsEach = 0.1;

double processor() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Random {
  std::uint64_t state = 1;
  double next() {  // in [0, 1)
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 33) * 0x1p-31;
  }
};

float* aligned(Index floats) { return static_cast<float*>(std::aligned_alloc(64, (floats * 4 + 127) / 64 * 64)); }

struct Case {
  Index N, K;
  double density;
  int block_rows, block_columns;  // of the pattern
  int n_of_4 = 0;                 // instead: n of 4
};

std::vector<std::uint8_t> mask_of(const Case& t) {
  Random random;
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(t.N * t.K));
  if (t.n_of_4 > 0) {
    for (std::size_t i = 0; i < mask.size(); i += 4)
      for (int left = t.n_of_4; left > 0;) {
        std::uint8_t& place = mask[i + static_cast<std::size_t>(random.next() * 4)];
        if (!place) place = 1, --left;
      }
    return mask;
  }
  for (Index n = 0; n < t.N; n += t.block_rows)
    for (Index k = 0; k < t.K; k += t.block_columns) {
      if (random.next() >= t.density) continue;
      for (Index r = n; r < std::min(t.N, n + t.block_rows); ++r)
        for (Index c = k; c < std::min(t.K, k + t.block_columns); ++c) mask[static_cast<std::size_t>(r * t.K + c)] = 1;
    }
  return mask;
}

void compare(const Case& t, Index M, int shape, Index block_columns) {
  const std::vector<std::uint8_t> mask = mask_of(t);
  const Index row_bytes = sparse::bitmap_row_bytes(t.K);
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(t.N * row_bytes));
  std::vector<float> values, dense(mask.size());
  Random random;
  for (Index n = 0; n < t.N; ++n)
    for (Index k = 0; k < t.K; ++k) {
      if (!mask[static_cast<std::size_t>(n * t.K + k)]) continue;
      bits[static_cast<std::size_t>(n * row_bytes + k / 8)] |= static_cast<std::uint8_t>(1 << k % 8);
      values.push_back(static_cast<float>(random.next() - 0.5));
      dense[static_cast<std::size_t>(n * t.K + k)] = values.back();
    }
  const sparse::Pattern pattern = sparse::pattern_of({t.N, t.K, bits.data()});
  const std::vector<std::byte> block = sparse::pack_panels(pattern, {shape, block_columns, false}, values.data());
  Sequential one;
  const KernelTable& table = kernel_table();
  float *x = aligned(M * t.K), *y = aligned(M * t.N), *yd = aligned(M * t.N);
  for (Index i = 0; i < M * t.K; ++i) x[i] = static_cast<float>(random.next() - 0.5);
  SparseArgs args;
  args.w = sparse::panels_at(block.data());
  args.M = M, args.x = x, args.y = y;
  float* workspace = aligned(table.sparse.workspace(M, t.N, t.K, 1) / 4 + 16);
  GemmArgs g;
  g.M = M, g.N = t.N, g.K = t.K;
  g.a.data = x, g.a.row = t.K, g.a.col = 1;
  g.b.data = dense.data(), g.b.row = 1, g.b.col = t.K;
  g.c = yd, g.ldc = t.N;
  float* packed = aligned(table.gemm.packed_size(t.K, t.N));
  if (M > 4) {
    table.gemm.pack_b(g, packed, one);
    g.b.data = packed, g.b_packed = true;
  }
  float* gemm_workspace = aligned(table.gemm.workspace(g, 1) / 4 + 16);
  double best_sparse = 1e9, best_dense = 1e9;
  for (const double until = processor() + 2 * kSecondsEach; processor() < until;) {
    double begun = processor();
    table.gemm.run(g, one, gemm_workspace);
    best_dense = std::min(best_dense, processor() - begun);
    for (int i = 0; i < 3; ++i) {
      begun = processor();
      table.sparse.run(args, one, workspace);
      best_sparse = std::min(best_sparse, processor() - begun);
    }
  }
  float worst = 0;
  for (Index i = 0; i < M * t.N; ++i) worst = std::max(worst, std::abs(y[i] - yd[i]));
  const double flops = 2.0 * static_cast<double>(M) * static_cast<double>(values.size());
  std::printf(
      "M %4ld N %ld K %ld pattern %dx%d%s density %.2f layout %dx%d kb %4ld: dense %8.1f us, sparse %8.1f us, %5.2f x, "
      "%5.1f GFLOP/s%s\n",
      static_cast<long>(M), static_cast<long>(t.N), static_cast<long>(t.K), t.block_rows, t.block_columns,
      t.n_of_4 ? " 2:4" : "", static_cast<double>(values.size()) / static_cast<double>(mask.size()),
      kSparseShapes[shape].rows, kSparseShapes[shape].columns, static_cast<long>(block_columns), best_dense * 1e6,
      best_sparse * 1e6, best_dense / best_sparse, flops / best_sparse / 1e9, worst < 1e-3f ? "" : "  WRONG");
  for (float* p : {x, y, yd, workspace, packed, gemm_workspace}) std::free(p);
}

}  // namespace

int main() {
  for (const double density : {0.5, 0.2, 0.1, 0.05, 0.01})
    for (const Index kb : {128, 256}) compare({1024, 1024, density, 1, 1}, 128, 0, kb);
  for (const Index M : {1, 4, 8, 16, 32, 64, 72, 129})
    for (const Index kb : {128, 1024}) compare({1024, 1024, 0.1, 1, 1}, M, 0, kb);
  for (const int shape : {0, 1, 2})
    for (const Index kb : {128, 256}) compare({1024, 1024, 0.1, 1, 16}, 128, shape, kb);
  for (const int shape : {0, 1, 3, 4})
    for (const Index kb : {128, 256}) compare({1024, 1024, 0.1, 4, 4}, 128, shape, kb);
  for (const int shape : {0, 3}) compare({1024, 1024, 0.1, 4, 1}, 128, shape, 128);
  compare({1024, 1024, 0.5, 1, 1, 2}, 128, 0, 64);
  compare({1024, 1024, 0.5, 1, 1, 2}, 128, 0, 128);
  return 0;
}
