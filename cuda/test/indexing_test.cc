// Gathers, scatters, one-hot and what chooses among values, on the emulated device beside plain loops; sums in the order of the indices.
#include <algorithm>
#include <cmath>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

std::vector<std::int32_t> indices(std::size_t n, std::int32_t limit) {
  std::vector<std::int32_t> values(n);
  std::uint32_t state = 12345;
  for (std::int32_t& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(limit));
  }
  return values;
}

struct Bad {
  DeviceArray<device::RunRecord> run{1};
  Bad() { launch(plugin().launch.begin, device::Begin{run.data(), 0, 0, 0}, "begin"); }
  device::Check check() const { return {run.data(), 5}; }
  void expect(device::StatusCode code, Index position, std::uint32_t value, std::uint64_t count) const {
    const device::RunRecord record = run.values()[0];
    CHECK(code_of(record) == code);
    CHECK_EQ(node_of(record), 5);
    CHECK_EQ(position_of(record), position);
    CHECK_EQ(value_bits_of(record), value);
    CHECK_EQ(record.count, count);
  }
};

}  // namespace

TEST(embedding_rows_and_bad_indices) {
  const std::vector<float> table = numbers(20 * 7, 1);
  std::vector<std::int32_t> at = indices(33, 20);
  in_all_orders([&](const char*) {
    for (const bool bad : {false, true}) {
      std::vector<std::int32_t> index = at;
      if (bad) index[4] = -1, index[9] = 20, index[30] = 99;
      const Bad record;
      const DeviceArray<float> dtable(table), y(33 * 7);
      const DeviceArray<std::int32_t> dindex(index);
      CHECK(launch(plugin().launch.gather_rows,
                   device::GatherRows{{y.data(), dtable.data(), dindex.data(), DType::i32, 33, 20, 28}, record.check()},
                   "gather_rows"));
      const std::vector<float> got = y.values();
      for (std::size_t r = 0; r < 33; ++r)
        for (std::size_t c = 0; c < 7; ++c) {
          const bool inside = index[r] >= 0 && index[r] < 20;
          CHECK_EQ(got[r * 7 + c], inside ? table[static_cast<std::size_t>(index[r]) * 7 + c] : 0.0f);
        }
      if (bad)
        record.expect(device::StatusCode::index, 4, 0xffffffffu, 3);
      else
        CHECK(code_of(record.run.values()[0]) == device::StatusCode::none);
    }
  });
}

// Exactly the sum in the order of the rows, also over the pieces that are sorted apart.
TEST(scatter_add_rows_in_order) {
  for (const std::size_t rows : {std::size_t{1}, std::size_t{50}, std::size_t{4500}, std::size_t{0}}) {
    const std::vector<float> dy = numbers(rows * 3, 2);
    std::vector<std::int32_t> index = indices(rows, 11);
    if (rows == 50) index[13] = 11;
    in_all_orders([&](const char* order) {
      for (const bool accumulate : {false, true}) {
        std::vector<float> wanted(33, accumulate ? 0.5f : 0.0f);
        for (std::size_t r = 0; r < rows; ++r)
          for (std::size_t c = 0; c < 3; ++c)
            if (index[r] < 11) wanted[static_cast<std::size_t>(index[r]) * 3 + c] += dy[r * 3 + c];
        const Bad record;
        const DeviceArray<float> ddy(dy), table(std::vector<float>(33, 0.5f));
        const DeviceArray<std::int32_t> dindex(index);
        CHECK(launch(plugin().launch.scatter_add_rows,
                     device::ScatterAddRows{{table.data(), ddy.data(), dindex.data(), DType::f32, DType::i32,
                                             static_cast<Index>(rows), 11, 3, accumulate},
                                            record.check()},
                     "scatter_add_rows"));
        CHECK_MESSAGE(table.values() == wanted, std::to_string(rows) + " rows, " + order);
        if (rows == 50) record.expect(device::StatusCode::index, 13, 11, 1);
      }
    });
  }
}

TEST(gather_and_scatter_add_along_an_axis) {
  // x [4, 6, 5], index [3, 7, 5] along axis 1.
  const std::vector<float> x = numbers(4 * 6 * 5, 1), from = numbers(3 * 7 * 5, 2);
  std::vector<std::int32_t> index = indices(3 * 7 * 5, 6);
  index[17] = 6;
  in_all_orders([&](const char*) {
    const Bad record, other;
    const DeviceArray<float> dx(x), y(from.size()), dfrom(from), sum(x);
    const DeviceArray<std::int32_t> dindex(index);
    device::Gather gather{{y.data(), dx.data(), dindex.data(), DType::i32, 4, 3, 1, 6, {3, 7, 5}, {30, 5, 1}},
                          record.check()};
    CHECK(launch(plugin().launch.gather, gather, "gather"));
    device::ScatterAdd scatter{
        {sum.data(), dfrom.data(), dindex.data(), DType::f32, DType::i32, 3, 1, 6, {3, 7, 5}, {30, 5, 1}},
        other.check()};
    CHECK(launch(plugin().launch.scatter_add, scatter, "scatter_add"));
    const std::vector<float> got = y.values(), sums = sum.values();
    std::vector<float> wanted = x;
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t k = 0; k < 7; ++k)
        for (std::size_t j = 0; j < 5; ++j) {
          const std::size_t at = (i * 7 + k) * 5 + j;
          const bool inside = index[at] < 6;
          const std::size_t there = i * 30 + static_cast<std::size_t>(index[at]) * 5 + j;
          CHECK_EQ(got[at], inside ? x[there] : 0.0f);
          if (inside) wanted[there] += from[at];
        }
    CHECK(sums == wanted);
    record.expect(device::StatusCode::index, 17, 6, 1);
    other.expect(device::StatusCode::index, 17, 6, 1);
  });
}

TEST(one_hot_of_every_type) {
  const std::vector<std::uint8_t> index = {2, 0, 7, 3};
  const Bad record;
  const DeviceArray<std::uint8_t> dindex(index);
  const DeviceArray<std::int32_t> y(4 * 5);
  CHECK(launch(plugin().launch.one_hot,
               device::OneHot{{y.data(), DType::i32, dindex.data(), DType::u8, 4, 5, 3, -1}, record.check()},
               "one_hot"));
  const std::vector<std::int32_t> got = y.values();
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t c = 0; c < 5; ++c) CHECK_EQ(got[r * 5 + c], index[r] == c ? 3 : -1);
  record.expect(device::StatusCode::index, 2, 7, 1);
}

TEST(exact_and_checked_whole_numbers) {
  const std::vector<float> x = {1, -5, 2147483520.0f, 1.5f, NAN, 3e9f};
  const Bad record, rule;
  const DeviceArray<float> dx(x);
  const DeviceArray<std::int32_t> y(6), z(3), from(std::vector<std::int32_t>{4, 0, 0});
  CHECK(launch(plugin().launch.exact_i32, device::ExactI32{dx.data(), DType::f32, y.data(), 6, record.check()},
               "exact_i32"));
  CHECK(y.values()[1] == -5 && y.values()[2] == 2147483520);
  record.expect(device::StatusCode::not_whole, 3, __builtin_bit_cast(std::uint32_t, 1.5f), 3);
  CHECK(launch(plugin().launch.checked_i32, device::CheckedI32{from.data(), z.data(), 3, true, rule.check()},
               "checked_i32"));
  rule.expect(device::StatusCode::rule, 1, 0, 2);
}

TEST(the_largest_of_rows_of_equal_ones_the_first) {
  for (const std::size_t width : {std::size_t{1}, std::size_t{10}, std::size_t{700}}) {
    std::vector<float> x = numbers(width * 3, 4);
    for (float& value : x) value = std::round(value * 4) / 4;
    if (width == 10) x[3] = -0.0f, x[5] = 0.0f, x[7] = INFINITY;
    for (const std::int32_t k : {0, 1, static_cast<std::int32_t>(width / 2), static_cast<std::int32_t>(width)}) {
      std::vector<std::uint8_t> wanted(x.size());
      for (std::size_t r = 0; r < 3; ++r) {
        std::vector<std::size_t> order(width);
        for (std::size_t i = 0; i < width; ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return x[r * width + a] > x[r * width + b]; });
        for (std::int32_t i = 0; i < k; ++i) wanted[r * width + order[static_cast<std::size_t>(i)]] = 1;
      }
      in_all_orders([&](const char* order) {
        const DeviceArray<float> dx(x);
        const DeviceArray<std::int32_t> dk(std::vector<std::int32_t>{k});
        const DeviceArray<std::uint8_t> y(x.size());
        CHECK(launch(plugin().launch.top_mask,
                     device::TopMask{dx.data(), dk.data(), y.data(), 3, static_cast<Index>(width), {}}, "top_mask"));
        CHECK_MESSAGE(y.values() == wanted,
                      "the " + std::to_string(k) + " largest of " + std::to_string(width) + ", " + order);
      });
    }
  }
  const Bad record;
  const DeviceArray<float> dx(std::vector<float>{1, NAN, 2});
  const DeviceArray<std::int32_t> dk(std::vector<std::int32_t>{1});
  const DeviceArray<std::uint8_t> y(3);
  CHECK(launch(plugin().launch.top_mask, device::TopMask{dx.data(), dk.data(), y.data(), 1, 3, record.check()},
               "top_mask"));
  record.expect(device::StatusCode::unranked, 1, 0, 1);
}

TEST(nearest_entries_take_the_even_one_of_two) {
  const std::vector<float> table = {-2, -1, 0, 1, 2},
                           x = {-9, -1.5f, -0.5f, 0.25f, 0.5f, 1.5f, 9, NAN, INFINITY, -INFINITY};
  const std::vector<std::int32_t> wanted = {0, 0, 2, 2, 2, 4, 4, 0, 4, 0};
  const DeviceArray<float> dx(x), dtable(table);
  const DeviceArray<std::int32_t> y(x.size());
  CHECK(launch(plugin().launch.nearest_entry, device::NearestEntry{dx.data(), dtable.data(), y.data(), 10, 5, {}},
               "nearest_entry"));
  CHECK(y.values() == wanted);
  const Bad record;
  const DeviceArray<float> falling(std::vector<float>{0, 2, 1});
  CHECK(launch(plugin().launch.nearest_entry,
               device::NearestEntry{dx.data(), falling.data(), y.data(), 10, 3, record.check()}, "nearest_entry"));
  record.expect(device::StatusCode::descending, 2, __builtin_bit_cast(std::uint32_t, 1.0f), 1);
}
