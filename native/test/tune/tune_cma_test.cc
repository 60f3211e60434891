// Evolution: CMA-ES on functions with known least points, without a state beside the history; NSGA-II on a known front.
#include <algorithm>

#include "test/test.h"
#include "tune/cma_sampler.h"
#include "tune/genetic.h"
#include "tune/importance.h"
#include "tune/pareto.h"

using namespace athanor;
using tune::Dimension;
using tune::Reals;

namespace {

struct Study {
  tune::Dimensions dims;
  Reals trials, tiers, keys;
  int count = 0;

  tune::SearchRequest request() const {
    tune::SearchRequest r;
    r.dims = dims;
    r.trials = {trials.data(), count, static_cast<int>(dims.size())};
    r.standing = {tiers.data(), {keys.data(), count, 2}, 1};
    r.number = static_cast<std::uint32_t>(count);
    r.seed = 1;
    return r;
  }
  void add(const double* row, double value) {
    trials.insert(trials.end(), row, row + dims.size());
    tiers.push_back(tune::Standing::complete);
    keys.insert(keys.end(), {value, NAN});
    ++count;
  }
};

template <class F>
double least_of(Study& study, int trials, const tune::CmaOptions& options, F&& f) {
  double least = 1e300;
  for (int t = 0; t < trials; ++t) {
    const Reals rows = tune::cma_candidates(study.request(), options);
    const double value = f(rows.data());
    study.add(rows.data(), value);
    least = std::min(least, value);
  }
  return least;
}

double ellipsoid(const double* x, int d) {
  double sum = 0;
  for (int i = 0; i < d; ++i) {
    const double z = x[i] - 0.3 - 0.05 * i;
    sum += std::pow(1e4, static_cast<double>(i) / (d - 1)) * z * z;
  }
  return sum;
}

}  // namespace

TEST(tune_cma_solves_an_ill_conditioned_ellipsoid_in_every_form) {
  for (const bool separable : {false, true})
    for (const tune::Restarts restarts : {tune::Restarts::none, tune::Restarts::ipop, tune::Restarts::bipop}) {
      Study study{tune::Dimensions(5), {}, {}, {}};
      tune::CmaOptions options;
      options.separable = separable, options.restarts = restarts;
      CHECK(least_of(study, 1200, options, [](const double* x) { return ellipsoid(x, 5); }) < 1e-6);
    }
}

TEST(tune_cma_answers_the_same_with_and_without_a_memory_of_the_study) {
  Study study{tune::Dimensions(3), {}, {}, {}};
  const tune::CmaOptions options;
  least_of(study, 60, options, [](const double* x) { return ellipsoid(x, 3); });
  const Reals warm = tune::cma_candidates(study.request(), options);
  for (int other = 0; other < 12; ++other) {  // pushes the study out of the memory
    tune::SearchRequest request = study.request();
    request.seed = static_cast<std::uint64_t>(100 + other);
    tune::cma_candidates(request, options);
  }
  CHECK(tune::cma_candidates(study.request(), options) == warm);
}

TEST(tune_cma_integers_do_not_get_stuck) {
  // Levels 0 … 20 and two reals: without the margin the integers freeze far from the best level in most runs.
  int found = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Study study{{{Dimension::Kind::grid, 21, {}}, {}, {Dimension::Kind::grid, 2, {}}, {}}, {}, {}, {}};
    const double least = least_of(study, 800, {}, [&](const double* x) {
      const double level = std::floor(x[0] * 21) - 17, flag = x[2] > 0.5 ? 0 : 1;
      return 1e4 * (x[1] - 0.2) * (x[1] - 0.2) + 100 * (x[3] - 0.8) * (x[3] - 0.8) + level * level + flag;
    });
    found += least < 0.5;
  }
  CHECK(found >= 9);
}

TEST(tune_cma_begins_again_where_a_run_has_converged) {
  // Two basins; the first run ends in the broad one. the other, 0.25 wide, is found by a later one.
  Study study{tune::Dimensions(2), {}, {}, {}};
  const double least = least_of(study, 4000, {}, [](const double* x) {
    const double a = (x[0] - 0.5) * (x[0] - 0.5) + (x[1] - 0.5) * (x[1] - 0.5);
    const double b = (x[0] - 0.9) * (x[0] - 0.9) + (x[1] - 0.1) * (x[1] - 0.1);
    return std::min(a, 8 * b - 0.2);
  });
  CHECK_NEAR(least, -0.2, 1e-3);
}

TEST(tune_cma_leaves_choices_and_conditional_parameters_open) {
  Study study{{{Dimension::Kind::choice, 2, {}}, {}, {Dimension::Kind::real, 0, {{0, {1}}}}}, {}, {}, {}};
  const Reals rows = tune::cma_candidates(study.request(), {});
  CHECK(std::isnan(rows[0]) && !std::isnan(rows[1]) && std::isnan(rows[2]));
  study.dims.erase(study.dims.begin() + 1);
  study.dims[1].conditions[0].on = 0;
  CHECK(tune::cma_candidates(study.request(), {}).empty());
}

TEST(tune_genetic_comes_near_the_front_of_a_known_problem) {
  // Schaffer: x², (x − 2)², x in [−10, 10]; the front is x in [0, 2].
  tune::SearchRequest request;
  request.dims.resize(1);
  Reals trials, tiers, keys, values;
  for (int t = 0; t < 300; ++t) {
    request.trials = {trials.data(), t, 1};
    request.standing = {tiers.data(), {keys.data(), t, 3}, 2};
    request.number = static_cast<std::uint32_t>(t);
    const double u = t < 20 ? tune::Draws{3, request.number, tune::Stream::start}.uniform(0)
                            : tune::genetic_candidates(request, {})[0];
    const double x = 20 * u - 10;
    trials.push_back(u), tiers.push_back(0), keys.insert(keys.end(), {x * x, (x - 2) * (x - 2), NAN});
    values.insert(values.end(), {x * x, (x - 2) * (x - 2)});
  }
  const double reference[] = {5, 5};
  // ∫ of the front: 25 − ∫₀² (…): the region that x in [0, 2] dominates below (5, 5) is 5·5 − (1·…) = 22.33 by quadrature.
  double whole = 0;
  for (int i = 0; i < 100000; ++i) {
    const double f1 = 5.0 * (i + 0.5) / 100000, x = std::min(2.0, std::sqrt(f1));
    whole += std::max(0.0, 5 - (x - 2) * (x - 2)) * 5.0 / 100000;
  }
  CHECK(tune::hypervolume({values.data(), 300, 2}, reference) > 0.98 * whole);
}

TEST(tune_fanova_shares_are_those_of_a_sum_with_known_variances) {
  // y = 2 a + b + ½ [c = 1], independent and uniform: variances 4/12, 1/12 and ¼ · 2/9; d does not matter.
  const tune::Dimensions dims{{}, {}, {Dimension::Kind::choice, 3, {}}, {}};
  Reals rows, values;
  tune::Sequence draws({1, 0, tune::Stream::start});
  for (int i = 0; i < 1000; ++i) {
    const double a = draws.uniform(), b = draws.uniform(), c = draws.below(3), d = draws.uniform();
    rows.insert(rows.end(), {a, b, c, d});
    values.push_back(2 * a + b + (c == 1 ? 0.5 : 0));
  }
  const double total = 4.0 / 12 + 1.0 / 12 + 0.25 * 2 / 9;
  const Reals shares = tune::fanova_importance(dims, {rows.data(), 1000, 4}, values, {});
  CHECK_NEAR(shares[0], 4.0 / 12 / total, 0.03);
  CHECK_NEAR(shares[1], 1.0 / 12 / total, 0.03);
  CHECK_NEAR(shares[2], 0.25 * 2 / 9 / total, 0.03);
  CHECK_NEAR(shares[3], 0, 0.01);
  // Shuffling a parameter costs twice its variance.
  const Reals losses = tune::permutation_importance(dims, {rows.data(), 1000, 4}, values, {});
  CHECK_NEAR(losses[0], 2 * 4.0 / 12, 0.1);
  CHECK_NEAR(losses[3], 0, 0.01);
  CHECK(tune::fanova_importance(dims, {rows.data(), 1000, 4}, Reals(1000, 3.0), {}) == Reals(4, 0.0));
}
