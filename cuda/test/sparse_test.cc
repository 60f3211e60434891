// Sparse weights on the emulated device: ranks, expansion and back, products of a few rows, bitmaps that contradict their values.
#include <cmath>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

struct Pattern {
  Index n, k;
  std::vector<std::uint8_t> bits;
  std::vector<float> dense;
  std::vector<float> values;
};

// Of 8 elements `kept` stay; 8 and 0 are all and none.
Pattern draw(Index n, Index k, std::uint32_t kept) {
  Pattern p{n, k, std::vector<std::uint8_t>(static_cast<std::size_t>(n * ((k + 7) / 8))), {}, {}};
  p.dense = numbers(static_cast<std::size_t>(n * k), 3);
  std::uint32_t state = 77;
  for (Index i = 0; i < n * k; ++i) {
    state = state * 1664525u + 1013904223u;
    float& value = p.dense[static_cast<std::size_t>(i)];
    if ((state >> 16) % 8 >= kept) {
      value = 0;
      continue;
    }
    p.values.push_back(value);
    p.bits[static_cast<std::size_t>(i / k * ((k + 7) / 8) + i % k / 8)] |= static_cast<std::uint8_t>(1 << (i % k % 8));
  }
  return p;
}

// A pattern in device memory with its ranks.
struct Ranked {
  DeviceArray<std::uint8_t> bits;
  DeviceArray<float> values;
  DeviceArray<std::byte> ranks;
  DeviceArray<device::RunRecord> record;
  device::SparseWeight w;

  Ranked(const Pattern& p, Index nnz)
      : bits(p.bits),
        values(p.values),
        ranks(static_cast<std::size_t>(device::sparse_rank_bytes(p.n, p.k))),
        record(std::vector<device::RunRecord>(1)) {
    w = {p.n, p.k, nnz, bits.data(), values.data()};
    device::Begin begin;
    begin.run = record.data();
    require(plugin().launch.begin.run(stream(), begin, nullptr));
    launch(plugin().launch.sparse_rank, device::SparseRank{w, ranks.data(), {record.data(), 3}}, "ranks");
  }
  device::RunRecord told() const { return record.values()[0]; }
};

const Pattern& pattern(int i) {
  static const Pattern all[] = {draw(1, 1, 8),    draw(9, 70, 4), draw(300, 33, 2),
                                draw(5, 1100, 1), draw(7, 64, 0), draw(4, 40, 8)};
  return all[i];
}

}  // namespace

TEST(sparse_weights_to_dense_and_back) {
  for (int i = 0; i < 6; ++i) {
    const Pattern& p = pattern(i);
    in_all_orders([&](const char* order) {
      const Ranked ranked(p, static_cast<Index>(p.values.size()));
      CHECK_EQ(ranked.told().owner, 0u);
      const DeviceArray<float> dense(p.dense.size()), back(p.values.size());
      launch(plugin().launch.sparse_expand, device::SparseExpand{ranked.w, ranked.ranks.data(), dense.data()}, order);
      CHECK(dense.values() == p.dense);
      launch(plugin().launch.sparse_collect,
             device::SparseCollect{ranked.w, ranked.ranks.data(), dense.data(), back.data()}, order);
      CHECK(back.values() == p.values);
    });
  }
}

TEST(products_of_a_few_rows_with_sparse_weights) {
  for (int i = 0; i < 6; ++i)
    for (const Index m : {1, 3, 16}) {
      const Pattern& p = pattern(i);
      const std::vector<float> x = numbers(static_cast<std::size_t>(m * p.k), 9);
      std::vector<double> wanted;
      for (Index r = 0; r < m; ++r)
        for (Index n = 0; n < p.n; ++n) {
          double sum = 0;
          for (Index k = 0; k < p.k; ++k)
            sum += static_cast<double>(x[static_cast<std::size_t>(r * p.k + k)]) *
                   static_cast<double>(p.dense[static_cast<std::size_t>(n * p.k + k)]);
          wanted.push_back(sum);
        }
      std::vector<float> first;
      in_all_orders([&](const char* order) {
        const Ranked ranked(p, static_cast<Index>(p.values.size()));
        const DeviceArray<float> dx(x), y(wanted.size());
        device::SparseRows rows;
        rows.M = m, rows.w = ranked.w, rows.ranks = ranked.ranks.data(), rows.x = dx.data(), rows.y = y.data();
        launch(plugin().launch.sparse_rows, rows, order);
        const std::vector<float> got = y.values();
        agree(got, wanted, 1e-6, 1e-5, order);
        if (first.empty()) first = got;
        CHECK(first == got);
      });
    }
}

TEST(bitmaps_that_contradict_their_values) {
  Pattern p = draw(4, 13, 4);
  const auto kept = static_cast<Index>(p.values.size());
  in_all_orders([&](const char*) {
    const device::RunRecord fewer = Ranked(p, kept - 1).told();
    CHECK(device::code_of(fewer) == device::StatusCode::marked);
    CHECK_EQ(device::value_bits_of(fewer), static_cast<std::uint32_t>(kept));
  });
  for (const int row : {3, 2}) p.bits[static_cast<std::size_t>(row * 2 + 1)] |= 0x80;
  in_all_orders([&](const char*) {
    const device::RunRecord stray = Ranked(p, kept + 2).told();
    CHECK(device::code_of(stray) == device::StatusCode::stray);
    CHECK_EQ(device::position_of(stray), Index{2});
  });
}
