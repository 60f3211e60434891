// Products with 2:4 weights and with blocks of which a tenth is kept, beside our own dense product of the same sizes in f32, in the same run.
#include <cstdio>

#include "cuda/check/measure.h"
#include "cuda/test/tiles.h"

namespace athanor::check {
namespace {

using test::DeviceArray;
using test::plugin;

std::size_t count(Index a, Index b) { return static_cast<std::size_t>(a * b); }

template <class T>
void clear(const DeviceArray<T>& array) {
  test::require(plugin().clear(test::stream(), array.data(), static_cast<Index>(array.size() * sizeof(T))));
}

double dense_seconds(Index m, Index n) {
  const DeviceArray<float> x(count(m, n)), w(count(n, n)), y(count(m, n));
  clear(x), clear(w);
  device::Matmul args;
  args.M = m, args.N = args.K = n;
  args.a = {x.data(), DType::f32, n, 1, {0, 0}};
  args.b = {w.data(), DType::f32, 1, n, {0, 0}};
  args.c = y.data(), args.ldc = n;
  const DeviceArray<std::byte> workspace(static_cast<std::size_t>(plugin().launch.matmul.workspace(args)));
  return seconds([&] { run(plugin().launch.matmul, args, workspace.data()); });
}

template <class Args>
Row beside_dense(const device::Launcher<Args>& launcher, const Args& args, Index m, Index n) {
  const DeviceArray<std::byte> workspace(static_cast<std::size_t>(launcher.workspace(args)));
  const double time = seconds([&] { run(launcher, args, workspace.data()); }), dense = dense_seconds(m, n);
  char text[128];
  std::snprintf(text, sizeof text, "%.2f times as fast as dense f32's %.1f us", dense / time, dense * 1e6);
  return {time * 1e6, "us", text};
}

// What is read and multiplied depends on the pattern alone: the weights are 0.
Row two_of_four(Index m, Index n) {
  const DeviceArray<std::byte> packed(static_cast<std::size_t>(device::two_four_bytes(n, n)));
  clear(packed);
  const std::vector<std::uint32_t> places(count(n, n) / 32, 0x44444444);  // the first two of every four
  test::require(plugin().upload(test::stream(), packed.data() + 3 * device::two_four_plane_bytes(n, n), places.data(),
                                static_cast<Index>(places.size() * 4)));
  const DeviceArray<float> x(count(m, n)), y(count(m, n));
  clear(x);
  return beside_dense(plugin().launch.two_four_matmul,
                      device::TwoFourMatmul{m, n, n, packed.data(), x.data(), y.data(), {}}, m, n);
}

Row blocks(Index block, Index m, Index n) {
  const int strips = n >= 2048 ? 4 : 1;
  const test::TileLists lists(
      n, n, strips, [block](Index row, Index column) { return (row / block * 3 + column / block) % 10 == 0; });
  const DeviceArray<std::uint32_t> starts(lists.starts), cells(lists.cells), walk_starts(lists.walk_starts),
      walk(lists.walk);
  const DeviceArray<std::uint8_t> groups(lists.groups);
  const DeviceArray<std::byte> packed(lists.cells.size() * device::kTilePairBytes);
  clear(packed);
  const DeviceArray<float> x(count(m, n)), y(count(m, n));
  clear(x);
  device::SparseTiles tiles{n,
                            n,
                            static_cast<Index>(lists.cells.size()),
                            strips,
                            false,
                            starts.data(),
                            cells.data(),
                            groups.data(),
                            walk_starts.data(),
                            walk.data()};
  return beside_dense(plugin().launch.tiles_matmul,
                      device::TilesMatmul{m, tiles, packed.data(), x.data(), y.data(), {}}, m, n);
}

}  // namespace

void add_sparse(std::vector<Measure>& to) {
  for (const Index size : {4096, 8192})
    for (const Index rows : {16, 128, 4096}) {
      const Index n = sized(size, 64), m = sized(rows, rows < 20 ? rows : 20);
      const std::string sizes = " " + std::to_string(rows) + " x " + std::to_string(size);
      to.push_back({"2:4" + sizes, [=] { return two_of_four(m, n); }});
      for (const Index block : {4, 16, 64})
        to.push_back({"10 % in blocks of " + std::to_string(block) + sizes, [=] { return blocks(block, m, n); }});
    }
}

}  // namespace athanor::check
