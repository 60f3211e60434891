// Sparse products and convolutions beside our own dense ones (weights packed once) in one run: the two take turns on one thread, and
// each figure is the best of the runs that fit into its time, in processor time. Every layout is timed, and the one that the model of
// sparse/choice.h picks is marked; "auto" is the ratio that a user sees. Arguments select sections: sweep, batches, blocks, convs.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/sparse/sparse_conv.h"
#include "sparse/choice.h"
#include "sparse/panels.h"
#include "sparse/slots.h"
#include "sparse_cases.h"

using namespace athanor;
using athanor::bench::best_of, athanor::bench::Floats, athanor::bench::processor, athanor::bench::Weight;

namespace {

constexpr double kSecondsEach = 0.06;

constexpr int kSlots = kSparseShapeCount;  // the layout behind the shapes

const char* name_of(int shape) {
  static const char* const names[] = {"1x1", "1x4", "4x1", "4x4", "slots"};
  return names[shape];
}

void report(const std::string& what, const Weight& w, const std::vector<int>& shapes, const sparse::Choice& choice,
            const std::vector<double>& seconds, double multiply_adds, double worst) {
  std::printf("%-34s %5.1f %% | dense %8.1f us |", what.c_str(), 100 * w.sparsity(), seconds[0] * 1e6);
  double chosen = seconds[0];
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const bool picked = shapes[i] == kSlots
                            ? choice.layout == sparse::Choice::Layout::slots
                            : choice.layout == sparse::Choice::Layout::panels && choice.shape == shapes[i];
    if (picked) chosen = seconds[i + 1];
    std::printf(" %s %8.1f us %5.2fx%s", name_of(shapes[i]), seconds[i + 1] * 1e6, seconds[0] / seconds[i + 1],
                picked ? "*" : " ");
  }
  std::printf("| auto %5.2fx, %5.1f GFLOP/s%s\n", seconds[0] / chosen, 2e-9 * multiply_adds / chosen,
              worst < 1e-3 ? "" : "  WRONG");
  std::fflush(stdout);
}

double difference(const float* a, const float* b, Index count) {
  double worst = 0;
  for (Index i = 0; i < count; ++i) worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

void product(Weight w, Index M) {
  w.make();
  Sequential one;
  const KernelTable& table = kernel_table();
  const sparse::Pattern pattern = sparse::pattern_of(w.bitmap());
  const Floats x(M * w.K), y(M * w.N), dense(M * w.N), packed(table.gemm.packed_size(w.K, w.N));
  const Floats room(table.sparse.workspace(M, w.N, w.K, 1) / 4);
  GemmArgs g;
  g.M = M, g.N = w.N, g.K = w.K;
  g.a.data = x, g.a.row = w.K, g.a.col = 1;
  g.b.data = w.dense.data(), g.b.row = 1, g.b.col = w.K;
  g.c = dense, g.ldc = w.N;
  if (M > 4) {
    table.gemm.pack_b(g, packed, one);
    g.b.data = packed, g.b_packed = true;
  }
  const Floats gemm_room(table.gemm.workspace(g, 1) / 4);
  std::vector<std::function<void()>> bodies{[&] { table.gemm.run(g, one, gemm_room); }};
  std::vector<std::vector<std::byte>> blocks;
  std::vector<int> shapes;
  for (int shape = 0; shape < kSparseShapeCount; ++shape) {
    if (shape != 0 && w.R * w.C == 1) continue;
    const sparse::Choice forced = sparse::choose(pattern, M, table.lanes, name_of(shape));
    blocks.push_back(
        sparse::pack_panels(pattern, {shape, forced.block_columns, kSparsePanelRows, {}, false}, w.values.data()));
    shapes.push_back(shape);
  }
  const std::vector<std::byte> slots =
      M <= kSlotRows ? sparse::pack_slots(pattern, table.lanes, w.values.data(), one) : std::vector<std::byte>();
  const Floats slots_room(table.sparse.slots_workspace(M, w.K) / 4);
  for (const auto& block : blocks)
    bodies.push_back([&] {
      SparseArgs args;
      args.w = sparse::panels_at(block.data());
      args.M = M, args.x = x, args.y = y;
      table.sparse.run(args, one, room);
    });
  if (M <= kSlotRows) {
    shapes.push_back(kSlots);
    bodies.push_back([&] {
      SparseSlotsArgs args;
      args.w = sparse::slots_at(slots.data());
      args.M = M, args.x = x, args.y = y;
      table.sparse.slots(args, one, slots_room);
    });
  }
  const std::vector<double> seconds = best_of(kSecondsEach, bodies);
  std::string what = "[" + std::to_string(M) + "," + std::to_string(w.K) + "]x[" + std::to_string(w.N) + "]";
  if (w.R * w.C > 1) what += " " + std::to_string(w.R) + "x" + std::to_string(w.C);
  if (w.of_4 > 0) what += " " + std::to_string(w.of_4) + ":4";
  report(what, w, shapes, sparse::choose(pattern, M, table.lanes, "auto"), seconds,
         static_cast<double>(M) * static_cast<double>(w.values.size()), difference(y, dense, M * w.N));
}

void convolution(const ConvShape& s, double density) {
  Weight w{s.c_out, s.c_in * s.kh * s.kw, density};
  w.make();
  Sequential one;
  const KernelTable& table = kernel_table();
  const sparse::Pattern pattern = sparse::pattern_of(w.bitmap());
  const Index pixels = s.n * s.c_out * s.out_h() * s.out_w();
  const Floats x(s.n * s.c_in * s.h * s.w), y(pixels), dense(pixels), packed(table.conv.packed_size(s));
  const Floats room(table.sparse.conv_workspace(s, 1) / 4);
  ConvForwardArgs f;
  f.shape = s, f.x = x, f.y = dense, f.w = w.dense.data();
  if (table.conv.packed_size(s) > 0) {
    table.conv.pack_forward(s, w.dense.data(), packed, one);
    f.w = packed, f.w_packed = true;
  }
  const Floats conv_room(table.conv.forward_workspace(f, 1) / 4);
  const SparseConvPlan plan = plan_sparse_conv(s);
  sparse::PanelOptions options{0, plan.block_channels * s.kh * s.kw, kSparseConvPanelRows, {}, false};
  for (Index k = 0; k < w.K; ++k)
    options.offsets.push_back(static_cast<std::uint16_t>(plan.offset(s, k / (s.kh * s.kw), k / s.kw % s.kh, k % s.kw)));
  const std::vector<std::byte> block = sparse::pack_panels(pattern, options, w.values.data());
  SparseConvArgs args;
  args.shape = s, args.plan = plan, args.w = sparse::panels_at(block.data()), args.x = x, args.y = y;
  const std::vector<double> seconds = best_of(
      kSecondsEach, {[&] { table.conv.forward(f, one, conv_room); }, [&] { table.sparse.conv(args, one, room); }});
  const std::string what = std::to_string(s.n) + "x" + std::to_string(s.c_in) + "x" + std::to_string(s.h) + "x" +
                           std::to_string(s.w) + " " + std::to_string(s.kh) + "x" + std::to_string(s.kw) + " to " +
                           std::to_string(s.c_out) + " stride " + std::to_string(s.stride_h);
  report(what, w, {0}, sparse::choose_conv(pattern, s, table.lanes, "auto"), seconds,
         static_cast<double>(s.n * s.out_h() * s.out_w()) * static_cast<double>(w.values.size()),
         difference(y, dense, pixels));
}

}  // namespace

int main(int count, char** words) {
  const auto wanted = [&](const char* section) {
    bool found = count < 2;
    for (int i = 1; i < count; ++i) found = found || std::strcmp(words[i], section) == 0;
    return found;
  };
  if (wanted("sweep"))
    for (const Index M : {1, 16, 128})
      for (const double density : {1.0, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01})
        product({1024, 1024, density}, M);
  if (wanted("batches"))
    for (const double density : {0.5, 0.2, 0.1})
      for (const Index M : {2, 4, 8, 32, 64, 72, 129, 512}) product({1024, 1024, density}, M);
  if (wanted("blocks")) {
    for (const Index M : {1, 128}) product({1024, 1024, 0.1, 1, 16}, M);
    product({1024, 1024, 0.1, 4, 4}, 128);
    product({1024, 1024, 0.1, 4, 1}, 128);
    for (const Index M : {1, 2, 4, 16, 128}) product({1024, 1024, 0.5, 1, 1, 2}, M);
    product({256, 784, 0.1}, 128);
    product({4096, 1024, 0.1}, 64);
    product({1024, 4096, 0.1}, 64);
  }
  if (wanted("convs"))
    for (const double density : {0.5, 0.3, 0.2, 0.1, 0.05}) {
      convolution({32, 64, 14, 14, 64, 3, 3, 1, 1, 1, 1, 1, 1}, density);
      convolution({32, 32, 28, 28, 64, 3, 3, 1, 1, 1, 1, 1, 1}, density);
      convolution({1, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1, 1, 1}, density);
      convolution({8, 128, 28, 28, 128, 3, 3, 2, 2, 1, 1, 1, 1}, density);
      convolution({8, 256, 14, 14, 256, 1, 1}, density);
    }
  return 0;
}
