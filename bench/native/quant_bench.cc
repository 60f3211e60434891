// Products and convolutions with quantized weights beside our own f32 ones (weights packed once) in one run: the two take turns on
// one thread, and each figure is the best of the runs that fit into its time, in processor time. GOP/s count a multiplication and an
// addition as two; GB/s are the bytes of the panels, which at one row are all there is to read. Convolutions are
// those of integers, which the engine takes for deep ones alone (ops/quant/quantized_conv.cc). Arguments select cases by substring.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "timing.h"

using namespace athanor;
using athanor::bench::best_of, athanor::bench::Floats;

namespace {

constexpr double kSecondsEach = 0.25;

std::byte* bytes_of(const Floats& floats) { return reinterpret_cast<std::byte*>(static_cast<float*>(floats)); }

// A weight of random codes.
struct Weight {
  std::vector<std::uint8_t> q, zero;
  std::vector<float> scale, table;
  quant::Weights w;
  Weight(quant::Format format, Index N, Index K, Index group) {
    w.format = format, w.N = N, w.K = K, w.group = group;
    std::uint32_t state = 1;
    const auto draw = [&] { return static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24); };
    for (Index i = 0; i < N * w.row_bytes(); ++i) q.push_back(draw());
    scale.assign(static_cast<std::size_t>(N * w.groups()), 0.01f);
    zero.assign(scale.size(), 7);
    for (int i = 0; i < 1 << w.bits(); ++i) table.push_back(static_cast<float>(draw()) / 128 - 1);
    w.q = q.data(), w.scale = scale.data();
    if (w.kind() == quant::Kind::affine) w.zero = zero.data();
    if (w.kind() == quant::Kind::codebook) w.table = table.data(), w.table_size = Index{1} << w.bits();
  }
};

void report(const std::string& what, double work, Index bytes, const std::vector<double>& seconds) {
  std::printf("%-40s %9.1f us %7.1f GOP/s %6.1f GB/s | f32 %9.1f us %7.1f GFLOP/s | %5.2fx\n", what.c_str(),
              seconds[0] * 1e6, work / seconds[0] / 1e9, static_cast<double>(bytes) / seconds[0] / 1e9,
              seconds[1] * 1e6, work / seconds[1] / 1e9, seconds[1] / seconds[0]);
  std::fflush(stdout);
}

template <class Args, class Workspace, class Run>
void product(const std::string& what, const Weight& weight, Args a, bool positive, Workspace workspace, Run run) {
  const KernelTable& table = kernel_table();
  Sequential one;
  const Index M = a.M, N = a.w.N, K = a.w.K;
  const Floats panels(a.w.bytes / 4 + 1), room(workspace(a, 1) / 4 + 1);
  quant::pack_panels(weight.w, a.w, 1, bytes_of(panels), one);
  const Floats x(M * K), y(M * N), w(N * K), dense(M * N), packed(table.gemm.packed_size(K, N));
  for (Index i = 0; positive && i < M * K; ++i) x[i] = std::max(x[i], 0.0f);
  a.packed = bytes_of(panels), a.x = x, a.y = y;
  GemmArgs g;
  g.M = M, g.N = N, g.K = K;
  g.a.data = x, g.a.row = K, g.a.col = 1;
  g.b.data = w, g.b.row = 1, g.b.col = K;
  g.c = dense, g.ldc = N;
  if (wants_packed_b(g)) {
    table.gemm.pack_b(g, packed, one);
    g.b.data = packed, g.b_packed = true;
  }
  const Floats gemm_room(table.gemm.workspace(g, 1) / 4 + 1);
  report(what, 2.0 * static_cast<double>(M * N * K), a.w.bytes,
         best_of(kSecondsEach, {[&] { run(a, one, room); }, [&] { table.gemm.run(g, one, gemm_room); }}));
}

void product_of(const std::string& what, const Weight& weight, Index M, const std::string& kind) {
  static const float act[2] = {0.004f, 128};
  const QuantKernels& kernels = kernel_table().quant;
  if (kind == "float") {
    QuantFloatArgs a;
    a.M = M, a.w = quant::panels_of(weight.w, kernels.float_layout(weight.w));
    return product(what, weight, a, false, kernels.float_workspace, kernels.float_matmul);
  }
  QuantMatmulArgs a;
  a.M = M, a.w = quant::panels_of(weight.w, kernels.layout(weight.w, kind == "static"));
  if (kind == "static") a.act = act;
  product(what, weight, a, kind == "positive", kernels.workspace, kernels.matmul);
}

void convolution(const std::string& what, const ConvShape& s, const float* act) {
  const KernelTable& table = kernel_table();
  Sequential one;
  const Index K = s.c_in / s.groups * s.kh * s.kw, outputs = s.n * s.c_out * s.out_h() * s.out_w();
  const Weight weight(quant::Format::int8, s.c_out, K, K);
  QuantConvArgs a;
  a.shape = s, a.w = quant::panels_of(weight.w, table.quant.conv_layout()), a.act = act;
  const Floats panels(a.w.bytes / 4 + 1), room(table.quant.conv_workspace(a, 1) / 4 + 1);
  quant::pack_panels(weight.w, a.w, s.kh * s.kw, bytes_of(panels), one);
  const Floats x(s.n * s.c_in * s.h * s.w), y(outputs), w(s.c_out * K), dense(outputs),
      packed(table.conv.packed_size(s));
  a.packed = bytes_of(panels), a.x = x, a.y = y;
  ConvForwardArgs f;
  f.shape = s, f.x = x, f.w = w, f.y = dense;
  if (wants_packed_weights(s)) {
    table.conv.pack_forward(s, w, packed, one);
    f.w = packed, f.w_packed = true;
  }
  const Floats conv_room(table.conv.forward_workspace(f, 1) / 4 + 1);
  report(
      what, 2.0 * static_cast<double>(outputs * K), a.w.bytes,
      best_of(kSecondsEach, {[&] { table.quant.conv(a, one, room); }, [&] { table.conv.forward(f, one, conv_room); }}));
}

}  // namespace

int main(int count, char** arguments) {
  const auto wanted = [&](const std::string& what) {
    bool found = count < 2;
    for (int i = 1; i < count; ++i) found = found || what.find(arguments[i]) != std::string::npos;
    return found;
  };
  std::printf("%s, one thread\n", kernel_table().isa);
  struct Row {
    const char* name;
    quant::Format format;
    Index group;
  };
  const float act[2] = {0.004f, 128};
  for (const Index size : {4096, 1024, 512})
    for (const Row& row : {Row{"int8", quant::Format::int8, size},
                           {"uint8", quant::Format::uint8, size},
                           {"int4 g32", quant::Format::int4, 32},
                           {"int4 g128", quant::Format::int4, 128},
                           {"uint4 g32", quant::Format::uint4, 32},
                           {"codebook4 g64", quant::Format::codebook4, 64}})
      for (const Index M : {1, 4, 8, 16, 64, 128})
        for (const char* kind : {"dynamic", "positive", "static", "float"}) {  // positive: dynamic, after a ReLU
          const std::string what =
              std::string(row.name) + " " + std::to_string(M) + "x" + std::to_string(size) + " " + kind;
          if (wanted(what)) product_of(what, Weight(row.format, size, size, row.group), M, kind);
        }
  for (const Index n : {1, 32})
    for (const ConvShape& s : {ConvShape{.n = n, .c_in = 1, .h = 28, .w = 28, .c_out = 16, .kh = 3, .kw = 3},
                               ConvShape{.n = n, .c_in = 16, .h = 13, .w = 13, .c_out = 32, .kh = 3, .kw = 3},
                               ConvShape{.n = n,
                                         .c_in = 64,
                                         .h = 14,
                                         .w = 14,
                                         .c_out = 64,
                                         .kh = 3,
                                         .kw = 3,
                                         .pad_top = 1,
                                         .pad_bottom = 1,
                                         .pad_left = 1,
                                         .pad_right = 1},
                               ConvShape{.n = n, .c_in = 64, .h = 14, .w = 14, .c_out = 128}}) {
      const std::string what = "conv " + std::to_string(s.kh) + "x" + std::to_string(s.kw) + " " +
                               std::to_string(s.c_in) + " -> " + std::to_string(s.c_out) + " of " +
                               std::to_string(s.h) + ", batch " + std::to_string(n);
      if (wanted(what)) convolution(what, s, act);
    }
}
