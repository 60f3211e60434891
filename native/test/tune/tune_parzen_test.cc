// Densities of the Parzen estimator: they integrate to one, and draws follow them.
#include <algorithm>

#include "test/test.h"
#include "tune/parzen.h"
#include "tune/tpe.h"

using namespace athanor;
using tune::Dimension;

namespace {

const tune::Dimensions kMixed{{Dimension::Kind::choice, 3, {}},
                              {Dimension::Kind::grid, 5, {}},
                              {Dimension::Kind::real, 0, {{0, {1}}}}};  // exists where the choice is 1
const std::vector<double> kTrials{1, 0.1, 0.98, 1, 0.5, 0.4, 0, 0.9, tune::kAbsent};

tune::Parzen mixture() { return {kMixed, {&kTrials[0], &kTrials[3], &kTrials[6]}, {1, 2, 1}, {0.5, {0.2, 0.15, 0.1}}}; }

}  // namespace

TEST(tune_parzen_density_integrates_to_one) {
  // Over every branch by itself: levels of the choice and the grid, times the range of the real where it exists. Densities are in
  // units of the uniform one, so the mean over the branch's cells is wanted: 3 × 5 of them in all.
  const tune::Parzen density = mixture();
  double sum = 0;
  for (int c = 0; c < 3; ++c)
    for (int g = 0; g < 5; ++g) {
      double row[3] = {static_cast<double>(c), (g + 0.5) / 5, tune::kAbsent};
      if (c != 1) {
        sum += std::exp(density.log_density(row));
        continue;
      }
      for (int i = 0; i < 2000; ++i) row[2] = (i + 0.5) / 2000, sum += std::exp(density.log_density(row)) / 2000;
    }
  CHECK_NEAR(sum / 15, 1, 1e-5);
}

TEST(tune_parzen_draws_follow_the_density) {
  const tune::Parzen density = mixture();
  tune::Sequence draws({1, 0, tune::Stream::tpe});
  std::vector<double> counts(15, 0.0);
  const int n = 40000;
  for (int i = 0; i < n; ++i) {
    double row[3];
    density.sample(draws, nullptr, row);
    CHECK_EQ(std::isnan(row[2]), row[0] != 1);
    counts[static_cast<std::size_t>(row[0] * 5 + std::floor(row[1] * 5))] += 1.0 / n;
  }
  for (int c = 0; c < 3; ++c)
    for (int g = 0; g < 5; ++g) {
      double row[3] = {static_cast<double>(c), (g + 0.5) / 5, tune::kAbsent};
      double want = 0;
      if (c == 1)
        for (int i = 0; i < 500; ++i) row[2] = (i + 0.5) / 500, want += std::exp(density.log_density(row)) / 500 / 15;
      else
        want = std::exp(density.log_density(row)) / 15;
      CHECK_NEAR(counts[static_cast<std::size_t>(c * 5 + g)], want, 5 * std::sqrt(want / n) + 1e-4);
    }
}

TEST(tune_parzen_fixed_values_are_kept_and_choose_the_kernel) {
  const tune::Parzen density = mixture();
  tune::Sequence draws({2, 0, tune::Stream::tpe});
  const double fixed[3] = {1, tune::kAbsent, 0.97};
  int near = 0;
  for (int i = 0; i < 1000; ++i) {
    double row[3];
    density.sample(draws, fixed, row);
    CHECK_EQ(row[0], 1.0);
    CHECK_EQ(row[2], 0.97);
    near += row[1] < 0.3;
  }
  CHECK(near > 600);  // the kernel at 0.98 has its grid at 0.1
}

TEST(tune_tpe_standing_orders_tiers_and_fronts) {
  using S = tune::Standing;
  const std::vector<double> tiers{S::failed, S::complete, S::infeasible, S::complete,
                                  S::pruned, S::pruned,   S::infinite};
  const std::vector<double> keys{NAN, NAN, 2, 0, 0.5, NAN, 1, 0, -3, 1, -7, 9, NAN, NAN};
  CHECK(tune::best_first({tiers.data(), {keys.data(), 7, 2}, 1}, 7) == (std::vector<int>{3, 1, 5, 4, 2, 6, 0}));
  const std::vector<double> complete(4, S::complete), values{0, 1, 1, 0, 0.4, 0.4, 2, 2};
  const std::vector<int> order = tune::best_first({complete.data(), {values.data(), 4, 2}, 2}, 4);
  CHECK_EQ(order[3], 3);
}

TEST(tune_tpe_keeps_away_from_failures_and_pending_trials) {
  // One dimension: failures below ½; the answer lies above. Pending trials at the best place: the answer keeps apart.
  const tune::Dimensions dims{{Dimension::Kind::real, 0, {}}};
  std::vector<double> trials, tiers, keys;
  for (int i = 0; i < 20; ++i) {
    trials.push_back((i + 0.5) / 20);
    tiers.push_back(i < 10 ? tune::Standing::failed : tune::Standing::complete);
    keys.push_back(i < 10 ? NAN : (trials.back() - 0.75) * (trials.back() - 0.75));
  }
  int above = 0, apart = 0;
  const std::vector<double> pending(40, 0.75);
  for (std::uint32_t number = 0; number < 50; ++number) {
    tune::SearchRequest request;
    request.dims = dims;
    request.trials = {trials.data(), 20, 1};
    request.standing = {tiers.data(), {keys.data(), 20, 1}, 1};
    request.number = number;
    above += tune::tpe_candidates(request, 24, {})[0] > 0.5;
    request.pending = {pending.data(), 40, 1};
    apart += std::fabs(tune::tpe_candidates(request, 24, {})[0] - 0.75) > 0.05;
  }
  CHECK(above >= 48);
  CHECK(apart >= 45);
}
