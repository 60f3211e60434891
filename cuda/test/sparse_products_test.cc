// Products with 2:4 weights by mma.sp, and with weights of mostly empty tiles, on the emulated device: against sums in f64, in all orders.
#include <cmath>

#include "cuda/test/plugin.h"
#include "cuda/test/tiles.h"

using namespace athanor;
using namespace athanor::test;

namespace {

struct Weight {
  Index n, k;
  std::vector<std::uint8_t> bits;
  std::vector<float> dense, values;

  // keeps(row, column)
  template <class Keeps>
  Weight(Index rows, Index columns, Keeps keeps)
      : n(rows), k(columns), bits(static_cast<std::size_t>(rows * ((columns + 7) / 8))) {
    dense = numbers(static_cast<std::size_t>(n * k), 3);
    for (Index i = 0; i < n * k; ++i) {
      float& value = dense[static_cast<std::size_t>(i)];
      if (!keeps(i / k, i % k)) {
        value = 0;
        continue;
      }
      values.push_back(value);
      bits[static_cast<std::size_t>(i / k * ((k + 7) / 8) + i % k / 8)] |= static_cast<std::uint8_t>(1 << (i % k % 8));
    }
  }
  float at(Index row, Index column) const { return dense[static_cast<std::size_t>(row * k + column)]; }
};

std::uint32_t hash(Index a, Index b) {
  auto x = static_cast<std::uint32_t>(a * 7919 + b * 104729 + 1);
  x ^= x >> 16, x *= 0x45d9f3bu, x ^= x >> 16;
  return x;
}

// Of four columns the places of one of these pairs, or one alone, or none.
bool keeps_two(Index row, Index column) {
  constexpr std::uint32_t kMarks[] = {3, 5, 9, 6, 10, 12, 1, 2, 4, 8, 0};
  return (kMarks[hash(row, column / 4) % 11] >> (column % 4) & 1u) != 0;
}

struct OnDevice {
  DeviceArray<std::uint8_t> bits;
  DeviceArray<float> values;
  DeviceArray<std::byte> ranks;
  DeviceArray<device::RunRecord> record{std::vector<device::RunRecord>(1)};
  device::SparseWeight w;

  explicit OnDevice(const Weight& from)
      : bits(from.bits),
        values(from.values),
        ranks(static_cast<std::size_t>(device::sparse_rank_bytes(from.n, from.k))) {
    w = {from.n, from.k, static_cast<Index>(from.values.size()), bits.data(), values.data()};
    device::Begin begin;
    begin.run = record.data();
    require(plugin().launch.begin.run(stream(), begin, nullptr));
    launch(plugin().launch.sparse_rank, device::SparseRank{w, ranks.data(), {record.data(), 3}}, "ranks");
  }
};

// y [m, rows] of x [m, columns] with element(row, column) of the weight.
template <class Element>
std::vector<double> products(const std::vector<float>& x, Index m, Index rows, Index columns, Element element) {
  std::vector<double> y;
  for (Index i = 0; i < m; ++i)
    for (Index n = 0; n < rows; ++n) {
      double sum = 0;
      for (Index k = 0; k < columns; ++k)
        sum += static_cast<double>(x[static_cast<std::size_t>(i * columns + k)]) * static_cast<double>(element(n, k));
      y.push_back(sum);
    }
  return y;
}

void check_tiles(Index n, Index k, int block_rows, int block_columns, int of, Index m, int strips, bool transposed) {
  const auto keeps = [=](Index row, Index column) {
    return hash(row / block_rows, column / block_columns) % static_cast<std::uint32_t>(of) == 0;
  };
  const Weight weight(n, k, keeps);
  const Index rows = transposed ? k : n, columns = transposed ? n : k;
  const auto element = [&](Index row, Index column) {
    return transposed ? weight.at(column, row) : weight.at(row, column);
  };
  const TileLists lists(rows, columns, strips,
                        [&](Index row, Index column) { return transposed ? keeps(column, row) : keeps(row, column); });
  const std::vector<float> x = numbers(static_cast<std::size_t>(m * columns), 9);
  const std::vector<double> wanted = products(x, m, rows, columns, element);
  std::vector<float> first;
  in_all_orders([&](const char* order) {
    const OnDevice there(weight);
    const DeviceArray<std::uint32_t> starts(lists.starts), cells(lists.cells), walk_starts(lists.walk_starts),
        walk(lists.walk);
    const DeviceArray<std::uint8_t> groups(lists.groups);
    device::SparseTiles tiles{rows,         columns,       static_cast<Index>(lists.cells.size()),
                              strips,       transposed,    starts.data(),
                              cells.data(), groups.data(), walk_starts.data(),
                              walk.data()};
    const DeviceArray<std::byte> packed(lists.cells.size() * device::kTilePairBytes);
    launch(plugin().launch.tiles_pack, device::TilesPack{there.w, there.ranks.data(), tiles, packed.data()}, order);
    const DeviceArray<float> dx(x), y(wanted.size());
    launch(plugin().launch.tiles_matmul, device::TilesMatmul{m, tiles, packed.data(), dx.data(), y.data(), {}}, order);
    const std::vector<float> got = y.values();
    agree(got, wanted, 1e-6, 1e-5, order);
    if (first.empty()) first = got;
    CHECK(first == got);
  });
}

}  // namespace

TEST(products_with_two_of_four) {
  const Index sizes[][3] = {{1, 1, 1}, {3, 70, 45}, {17, 64, 64}, {70, 130, 200}};
  for (const auto& [m, n, k] : sizes) {
    const Weight weight(n, k, keeps_two);
    const std::vector<float> x = numbers(static_cast<std::size_t>(m * k), 9);
    const std::vector<double> wanted =
        products(x, m, n, k, [&](Index row, Index column) { return weight.at(row, column); });
    std::vector<float> first;
    in_all_orders([&](const char* order) {
      const OnDevice there(weight);
      const DeviceArray<std::byte> packed(static_cast<std::size_t>(device::two_four_bytes(n, k)));
      launch(plugin().launch.two_four_pack, device::TwoFourPack{there.w, there.ranks.data(), packed.data()}, order);
      const DeviceArray<float> dx(x), y(wanted.size());
      launch(plugin().launch.two_four_matmul, device::TwoFourMatmul{m, n, k, packed.data(), dx.data(), y.data(), {}},
             order);
      const std::vector<float> got = y.values();
      agree(got, wanted, 1e-6, 1e-5, order);
      if (first.empty()) first = got;
      CHECK(first == got);
    });
  }
}

TEST(products_with_tiles_of_1_by_16) { check_tiles(70, 150, 1, 16, 10, 20, 1, false); }
TEST(products_with_tiles_of_4_by_4) { check_tiles(40, 90, 4, 4, 5, 9, 1, false); }
TEST(products_with_tiles_of_16_by_16_and_a_transposed_weight) {
  for (const bool transposed : {false, true}) check_tiles(50, 100, 16, 16, 4, 66, 1, transposed);
}
TEST(products_with_tiles_of_64_by_64) { check_tiles(300, 200, 64, 64, 4, 12, 4, false); }
TEST(products_with_no_tile_at_all) { check_tiles(20, 30, 64, 64, 1 << 30, 5, 1, false); }
