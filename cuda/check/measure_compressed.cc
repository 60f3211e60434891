// Products with compressed weights of 4096 × 4096 and 8192 × 8192 for a few rows and many, beside our own bf16 product of the same sizes in
// the same run. Weights are read in turns from more copies than the second cache holds, as a model's layers are.
#include <cstdio>

#include "cuda/check/measure.h"

namespace athanor::check {
namespace {

using test::DeviceArray;
using test::plugin;
using test::require;
using test::stream;

template <class Args>
void run(const device::Launcher<Args>& launcher, const Args& args, void* workspace) {
  require(launcher.run(stream(), args, workspace));
}
template <class T>
void clear(const DeviceArray<T>& array) {
  require(plugin().clear(stream(), array.data(), static_cast<Index>(array.size() * sizeof(T))));
}
std::size_t count(Index a, Index b) { return static_cast<std::size_t>(a * b); }

Index copies_of(Index bytes) { return is_dry() ? 2 : (Index{256} << 20) / bytes + 1; }

double bf16_seconds(Index m, Index n) {
  const Index copies = copies_of(n * n * 2);
  const DeviceArray<std::uint16_t> x(count(m, n)), w(count(copies * n, n));
  const DeviceArray<float> y(count(m, n));
  clear(x), clear(w);
  device::Matmul args;
  args.M = m, args.N = args.K = n;
  args.a = {x.data(), DType::bf16, n, 1, {0, 0}};
  args.b = {w.data(), DType::bf16, 1, n, {0, 0}};
  args.c = y.data(), args.ldc = n;
  const DeviceArray<std::byte> workspace(static_cast<std::size_t>(plugin().launch.matmul.workspace(args)));
  Index turn = 0;
  return seconds([&] {
    args.b.data = w.data() + turn++ % copies * n * n;
    run(plugin().launch.matmul, args, workspace.data());
  });
}

Row beside_bf16(Index m, Index n, double time, double bytes) {
  const double bf16 = bf16_seconds(m, n);
  char text[128];
  std::snprintf(text, sizeof text, "%.2f times as fast as bf16's %.1f us; weights at %.0f GB/s", bf16 / time,
                bf16 * 1e6, bytes / time / 1e9);
  return {time * 1e6, "us", text};
}

struct Format {
  const char* name;
  device::QuantCodes codes;
  int bits;
  Index group;  // 0: a row
  bool integers;
  Index most_rows;
};

constexpr Index kAnyRows = 4096;
const Format kFormats[] = {{"w8a8", device::QuantCodes::symmetric, 8, 0, true, kAnyRows},
                           {"int8 weights", device::QuantCodes::symmetric, 8, 0, false, kAnyRows},
                           {"int4 weights g128", device::QuantCodes::symmetric, 4, 128, false, kAnyRows},
                           {"uint4 weights g64", device::QuantCodes::affine, 4, 64, false, kAnyRows},
                           {"nf4 g64", device::QuantCodes::codebook, 4, 64, false, 16}};

Row quantized(const Format& format, Index m, Index n) {
  device::QuantPack pack;
  device::QuantizedWeight& w = pack.w;
  w.codes = format.codes, w.bits = format.bits, w.N = w.K = n;
  w.group = format.group > 0 ? format.group : n, w.groups = (n + w.group - 1) / w.group;
  const DeviceArray<std::uint8_t> q(count(n, n * format.bits / 8)), zero(count(n, w.groups));
  const DeviceArray<float> scale(count(n, w.groups)), table(16), x(count(m, n)), y(count(m, n));
  clear(q), clear(zero), clear(scale), clear(table), clear(x);
  w.q = q.data(), w.q_bytes = static_cast<Index>(q.size()), w.scale = scale.data();
  if (w.codes == device::QuantCodes::affine) w.zero = zero.data();
  if (w.codes == device::QuantCodes::codebook) w.table = table.data(), w.table_size = 16;
  pack.layout = device::quant_layout(w, format.integers ? device::QuantUse::integers : device::QuantUse::floats);
  const Index bytes = device::quant_rounded(pack.layout.bytes, 256), copies = copies_of(bytes);
  const DeviceArray<std::byte> packed(count(copies, bytes));
  for (Index i = 0; i < copies; ++i) {
    pack.to = packed.data() + i * bytes;
    run(plugin().launch.quant_pack, pack, nullptr);
  }
  device::QuantMatmul product;
  product.M = m, product.w = pack.layout, product.packed = packed.data(), product.x = x.data(), product.y = y.data();
  const DeviceArray<std::byte> workspace(static_cast<std::size_t>(plugin().launch.quant_matmul.workspace(product)));
  Index turn = 0;
  const double time = seconds([&] {
    product.packed = packed.data() + turn++ % copies * bytes;
    run(plugin().launch.quant_matmul, product, workspace.data());
  });
  return beside_bf16(m, n, time, static_cast<double>(n * pack.layout.row_bytes));
}

// Of every eight weights `kept` stay, the lowest: the kernel's work depends on their number alone.
Row sparse(int kept, Index m, Index n) {
  const DeviceArray<std::uint8_t> bitmap(
      std::vector<std::uint8_t>(count(n, n / 8), static_cast<std::uint8_t>((1 << kept) - 1)));
  const Index nnz = n * n / 8 * kept, copies = copies_of(nnz * 4);
  const DeviceArray<float> values(count(copies, nnz)), x(count(m, n)), y(count(m, n));
  const DeviceArray<std::byte> ranks(static_cast<std::size_t>(device::sparse_rank_bytes(n, n)));
  clear(values), clear(x);
  device::SparseRank rank;
  rank.w = {n, n, nnz, bitmap.data(), values.data()}, rank.to = ranks.data();
  run(plugin().launch.sparse_rank, rank, nullptr);
  device::SparseRows product;
  product.M = m, product.w = rank.w, product.ranks = ranks.data(), product.x = x.data(), product.y = y.data();
  Index turn = 0;
  const double time = seconds([&] {
    product.w.values = values.data() + turn++ % copies * nnz;
    run(plugin().launch.sparse_rows, product, nullptr);
  });
  return beside_bf16(m, n, time, static_cast<double>(nnz * 4 + n * n / 8));
}

}  // namespace

void add_compressed(std::vector<Measure>& to) {
  for (const Index size : {4096, 8192})
    for (const Index rows : {1, 16, 128, 4096}) {
      const Index n = sized(size, 64), m = sized(rows, rows < 20 ? rows : 20);
      const std::string sizes = " " + std::to_string(rows) + " x " + std::to_string(size);
      for (const Format& format : kFormats)
        if (rows <= format.most_rows) to.push_back({format.name + sizes, [=] { return quantized(format, m, n); }});
      if (rows > device::kSparseRows) continue;
      for (const int kept : {4, 2, 1})
        to.push_back({std::to_string(100 - kept * 100 / 8) + " % sparse" + sizes, [=] { return sparse(kept, m, n); }});
    }
}

}  // namespace athanor::check
