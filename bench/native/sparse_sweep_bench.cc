// The automatic choice over the whole sweep: a weight [1024, 1024] without structure, 0 to 99 % of it zero in single percents, by 1, 8, 32
// and 128 rows, on one thread (processor time) and on two (the clock on the wall). Each line gives dense time over the time of what
// "auto" picks, at every tenth percent, and the least of all hundred. Where auto picks the dense product, both are the same kernel
// on the same layout: 1. The two take turns and each counts with its best run; a ratio below 1 is measured for up to four times as
// long. Arguments: batches, else all four.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/dispatch.h"
#include "runtime/thread_pool.h"
#include "sparse/choice.h"
#include "sparse/panels.h"
#include "sparse/slots.h"
#include "sparse_cases.h"

using namespace athanor;
using athanor::bench::Floats, athanor::bench::processor, athanor::bench::Weight;
using Layout = sparse::Choice::Layout;

namespace {

constexpr double kSeconds = 0.03;
constexpr int kTries = 4;

double clock_of(const Parallel& parallel) {
  if (parallel.workers() == 1) return processor();
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double dense_over(Parallel& parallel, const std::function<void()>& dense, const std::function<void()>& chosen) {
  double best[2] = {1e9, 1e9};
  for (int attempt = 0; attempt < kTries && (attempt == 0 || best[0] < best[1]); ++attempt)
    for (const double until = clock_of(parallel) + kSeconds; clock_of(parallel) < until;)
      for (const int side : {0, 1}) {
        const double begun = clock_of(parallel);
        side == 0 ? dense() : chosen();
        best[side] = std::min(best[side], clock_of(parallel) - begun);
      }
  return best[0] / best[1];
}

double ratio_of(const Weight& w, const sparse::Pattern& pattern, const sparse::Choice& choice, Index M,
                Parallel& parallel) {
  const KernelTable& table = kernel_table();
  const Floats x(M * w.K), y(M * w.N), packed(table.gemm.packed_size(w.K, w.N));
  GemmArgs g;
  g.M = M, g.N = w.N, g.K = w.K;
  g.a.data = x, g.a.row = w.K, g.a.col = 1;
  g.b.data = w.dense.data(), g.b.row = 1, g.b.col = w.K;
  g.c = y, g.ldc = w.N;
  if (M > kGemmFewRows) {
    table.gemm.pack_b(g, packed, parallel);
    g.b.data = packed, g.b_packed = true;
  }
  const int workers = parallel.workers();
  const Floats gemm_room(table.gemm.workspace(g, workers) / 4);
  const Floats panels_room(table.sparse.workspace(M, w.N, w.K, workers) / 4);
  const Floats slots_room(M <= kSlotRows ? table.sparse.slots_workspace(M, w.K) / 4 : 0);
  const std::vector<std::byte> block =
      choice.layout == Layout::slots
          ? sparse::pack_slots(pattern, table.lanes, w.values.data(), parallel)
          : sparse::pack_panels(pattern, {choice.shape, choice.block_columns, kSparsePanelRows, {}, false},
                                w.values.data());
  return dense_over(
      parallel, [&] { table.gemm.run(g, parallel, gemm_room); },
      [&] {
        if (choice.layout == Layout::slots) {
          SparseSlotsArgs args;
          args.w = sparse::slots_at(block.data()), args.M = M, args.x = x, args.y = y;
          table.sparse.slots(args, parallel, slots_room);
        } else {
          SparseArgs args;
          args.w = sparse::panels_at(block.data()), args.M = M, args.x = x, args.y = y;
          table.sparse.run(args, parallel, panels_room);
        }
      });
}

void sweep(Index M, Parallel& parallel) {
  double least = 1e9;
  int at = 0, first = 100;
  std::printf("%3d rows, %d threads |", static_cast<int>(M), parallel.workers());
  for (int percent = 0; percent < 100; ++percent) {
    Weight w{1024, 1024, 1 - percent / 100.0};
    w.make();
    const sparse::Pattern pattern = sparse::pattern_of(w.bitmap());
    const sparse::Choice choice = sparse::choose(pattern, M, kernel_table().lanes, "auto");
    const double ratio = choice.layout == Layout::dense ? 1 : ratio_of(w, pattern, choice, M, parallel);
    if (choice.layout != Layout::dense) first = std::min(first, percent);
    if (ratio < least) least = ratio, at = percent;
    if (percent % 10 == 0 || percent == 99) std::printf(" %.2f", ratio);
    std::fflush(stdout);
  }
  std::printf(" | sparse from %d %% on, least %.3f at %d %%\n", first, least, at);
}

}  // namespace

int main(int count, char** words) {
  std::vector<Index> batches{1, 8, 32, 128};
  if (count > 1) batches.clear();
  for (int i = 1; i < count; ++i) batches.push_back(std::max(1, std::atoi(words[i])));
  Sequential one;
  ThreadPool two(2);
  for (const Index M : batches) {
    sweep(M, one);
    sweep(M, two);
  }
  return 0;
}
