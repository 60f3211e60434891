// Fronts and hypervolumes beside their definitions.
#include <algorithm>

#include "test/test.h"
#include "tune/pareto.h"
#include "tune/random.h"

using namespace athanor;
using tune::Table;

namespace {

std::vector<double> points(int n, int m, std::uint64_t seed, bool coarse) {
  tune::Sequence draws({seed, 0, tune::Stream::start});
  std::vector<double> values;
  for (int i = 0; i < n * m; ++i) values.push_back(coarse ? draws.below(5) : draws.uniform());
  return values;
}

// Peels off fronts, one after the other.
std::vector<int> peeled(const Table& table) {
  std::vector<int> ranks(static_cast<std::size_t>(table.rows), -1);
  for (int rank = 0, left = table.rows; left > 0; ++rank) {
    std::vector<int> front;
    for (int i = 0; i < table.rows; ++i) {
      if (ranks[static_cast<std::size_t>(i)] >= 0) continue;
      bool beaten = false;
      for (int k = 0; k < table.rows; ++k)
        beaten = beaten ||
                 (ranks[static_cast<std::size_t>(k)] < 0 && tune::dominates(table.row(k), table.row(i), table.width));
      if (!beaten) front.push_back(i);
    }
    for (const int i : front) ranks[static_cast<std::size_t>(i)] = rank;
    left -= static_cast<int>(front.size());
  }
  return ranks;
}

// By inclusion and exclusion over all subsets.
double counted(const Table& table, const std::vector<double>& reference) {
  double sum = 0;
  for (unsigned subset = 1; subset < 1u << table.rows; ++subset) {
    double volume = 1;
    int members = 0;
    for (int j = 0; j < table.width; ++j) {
      double corner = -1e300;
      for (int i = 0; i < table.rows; ++i)
        if (subset >> i & 1) corner = std::fmax(corner, table.at(i, j));
      volume *= std::fmax(0, reference[static_cast<std::size_t>(j)] - corner);
    }
    for (int i = 0; i < table.rows; ++i) members += subset >> i & 1;
    sum += members % 2 ? volume : -volume;
  }
  return sum;
}

}  // namespace

TEST(tune_fronts_are_those_of_peeling) {
  for (const int m : {1, 2, 3, 5})
    for (const bool coarse : {false, true}) {
      const std::vector<double> values = points(120, m, static_cast<std::uint64_t>(m), coarse);
      const Table table{values.data(), 120, m};
      CHECK(tune::nondominated_ranks(table) == peeled(table));
    }
}

TEST(tune_fronts_put_nan_last) {
  const std::vector<double> values{1, 2, NAN, 0, 2, 1};
  CHECK(tune::nondominated_ranks({values.data(), 3, 2}) == (std::vector<int>{0, 1, 0}));
}

TEST(tune_hypervolume_is_that_of_inclusion_and_exclusion) {
  for (const int m : {1, 2, 3, 4})
    for (const bool coarse : {false, true}) {
      const std::vector<double> values = points(9, m, static_cast<std::uint64_t>(10 + m), coarse);
      const std::vector<double> reference(static_cast<std::size_t>(m), coarse ? 4.0 : 0.9);
      const Table table{values.data(), 9, m};
      const double want = counted(table, reference);
      CHECK_NEAR(tune::hypervolume(table, reference.data()), want, 1e-9 * (1 + want));
    }
}

TEST(tune_hypervolume_order_takes_the_largest_gain_first) {
  const std::vector<double> values{0, 0.9, 0.5, 0.5, 0.9, 0, 0.6, 0.6};
  const double reference[] = {1, 1};
  const std::vector<int> order = tune::hypervolume_order({values.data(), 4, 2}, reference, 4);
  CHECK_EQ(order[0], 1);
  CHECK_EQ(order[3], 3);
}

TEST(tune_crowding_is_infinite_at_the_ends_of_a_front) {
  const std::vector<double> values{0, 3, 1, 2, 2, 1, 3, 0};
  const std::vector<double> distances = tune::crowding_distances({values.data(), 4, 2}, {0, 0, 0, 0});
  CHECK(std::isinf(distances[0]) && std::isinf(distances[3]));
  CHECK_NEAR(distances[1], 4.0 / 3, 1e-12);
}
