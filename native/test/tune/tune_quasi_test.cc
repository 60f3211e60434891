// Scrambled sequences keep what makes them even: their points share out among equal boxes.
#include <algorithm>
#include <set>

#include "test/test.h"
#include "tune/numerics/quasi.h"

using namespace athanor;

TEST(tune_sobol_plain_points_are_the_published_ones) {
  // Joe and Kuo's own program, first ten points of three dimensions, in the order of plain counting.
  const double want[8][3] = {{0, 0, 0},
                             {0.5, 0.5, 0.5},
                             {0.25, 0.75, 0.75},
                             {0.75, 0.25, 0.25},
                             {0.125, 0.625, 0.375},
                             {0.625, 0.125, 0.875},
                             {0.375, 0.375, 0.625},
                             {0.875, 0.875, 0.125}};
  for (std::uint32_t i = 0; i < 8; ++i) {
    const std::vector<std::uint32_t> point = tune::plain_sobol_point(i, 3);
    for (std::size_t j = 0; j < 3; ++j) CHECK_EQ(point[j] * 0x1p-32, want[i][j]);
  }
}

TEST(tune_sobol_every_dimension_is_stratified_under_every_seed) {
  for (const std::uint64_t seed : {0ull, 1ull, 123456789ull}) {
    std::vector<std::vector<bool>> hit(300, std::vector<bool>(256, false));
    for (std::uint32_t i = 0; i < 256; ++i) {
      const std::vector<double> point = tune::sobol_point(seed, i, 300);
      for (std::size_t j = 0; j < 300; ++j) hit[j][static_cast<std::size_t>(point[j] * 256)] = true;
    }
    for (const auto& cells : hit) CHECK(std::count(cells.begin(), cells.end(), true) == 256);
  }
}

TEST(tune_sobol_first_two_dimensions_are_a_net_after_scrambling) {
  // A (0, 8, 2)-net: each of the boxes 2^-a × 2^-(8 − a) has one point.
  for (const std::uint64_t seed : {3ull, 99ull}) {
    for (int a = 0; a <= 8; ++a) {
      std::set<std::pair<int, int>> boxes;
      for (std::uint32_t i = 0; i < 256; ++i) {
        const std::vector<double> p = tune::sobol_point(seed, i, 2);
        boxes.insert({static_cast<int>(p[0] * (1 << a)), static_cast<int>(p[1] * (256 >> a))});
      }
      CHECK_EQ(boxes.size(), std::size_t{256});
    }
  }
}

TEST(tune_halton_is_stratified_in_the_base_of_each_dimension) {
  const int primes[] = {2, 3, 5, 7, 11};
  for (const std::uint64_t seed : {0ull, 5ull}) {
    for (std::size_t j = 0; j < 5; ++j) {
      const int cells = primes[j] * primes[j] * primes[j];
      std::set<int> hit;
      for (int i = 0; i < cells; ++i)
        hit.insert(static_cast<int>(tune::halton_point(seed, static_cast<std::uint32_t>(i), 5)[j] * cells));
      CHECK_EQ(static_cast<int>(hit.size()), cells);
    }
  }
}

TEST(tune_quasi_points_integrate_better_than_independent_ones) {
  // ∏ (1 + (x − ½)) over 5 dimensions is 1; 1,024 independent points have a standard error of 0.02.
  for (const bool halton : {false, true}) {
    double worst = 0;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      double sum = 0;
      for (std::uint32_t i = 0; i < 1024; ++i) {
        const std::vector<double> p = halton ? tune::halton_point(seed, i, 5) : tune::sobol_point(seed, i, 5);
        double product = 1;
        for (const double x : p) product *= 0.5 + x;
        sum += product;
      }
      worst = std::fmax(worst, std::fabs(sum / 1024 - 1));
    }
    CHECK_NEAR(worst, 0, 0.005);
  }
}

TEST(tune_quasi_seeds_give_other_points) {
  CHECK(tune::sobol_point(1, 5, 2) != tune::sobol_point(2, 5, 2));
  CHECK(tune::halton_point(1, 5, 2) != tune::halton_point(2, 5, 2));
  CHECK(tune::sobol_point(1, 5, 2) == tune::sobol_point(1, 5, 2));
}
