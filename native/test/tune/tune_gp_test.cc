// Gaussian processes: closed forms, derivatives beside differences, and a problem with a known answer.
#include <algorithm>

#include "test/test.h"
#include "tune/gp/acquisition.h"
#include "tune/gp/gp_sampler.h"
#include "tune/gp/promise_search.h"
#include "tune/numerics/minimize.h"

using namespace athanor;
using tune::Reals;

namespace {

tune::GpPoints points(int n, std::uint64_t seed) {
  tune::Sequence draws({seed, 0, tune::Stream::start});
  tune::GpPoints result{n, 3, {}, {false, false, true}};
  for (int i = 0; i < 2 * n; ++i) result.columns.push_back(draws.uniform());
  for (int i = 0; i < n; ++i) result.columns.push_back(draws.below(3));
  return result;
}

Reals values(const tune::GpPoints& p) {
  Reals y;
  for (int i = 0; i < p.n; ++i)
    y.push_back(std::sin(5 * p.column(0)[i]) + p.column(1)[i] * p.column(1)[i] - 0.5 * p.column(2)[i]);
  return y;
}

double matern(double r) { return (1 + std::sqrt(5.0) * r + 5.0 / 3 * r * r) * std::exp(-std::sqrt(5.0) * r); }

}  // namespace

TEST(tune_linalg_factors_solves_and_inverts) {
  for (const int n : {1, 3, 4, 7, 50}) {
    const auto size = static_cast<std::size_t>(n);
    tune::Sequence draws({static_cast<std::uint64_t>(n), 0, tune::Stream::start});
    Reals b(size * size), a(size * size);
    for (double& x : b) x = draws.normal();
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        a[static_cast<std::size_t>(i * n + j)] =
            tune::dot(&b[static_cast<std::size_t>(i * n)], &b[static_cast<std::size_t>(j * n)], n) + (i == j ? 1 : 0);
    Reals l = a, inverse(size * size), work(size * size), x(size, 1.0), y(size);
    CHECK(tune::cholesky(l.data(), n));
    tune::inverse_of_product(l.data(), n, inverse.data(), work.data());
    tune::solve_lower(l.data(), n, x.data());
    tune::solve_upper(l.data(), n, x.data());
    tune::multiply(a.data(), n, x.data(), y.data());
    for (const double value : y) CHECK_NEAR(value, 1, 1e-9);
    tune::multiply(inverse.data(), n, y.data(), work.data());
    for (std::size_t i = 0; i < size; ++i) CHECK_NEAR(work[i], x[i], 1e-9);
    Reals copy = a, eigenvalues(size), vectors(size * size);
    tune::eigen(copy.data(), n, eigenvalues.data(), vectors.data());
    for (int k = 0; k < n; ++k) {
      Reals v;
      for (int i = 0; i < n; ++i) v.push_back(vectors[static_cast<std::size_t>(i * n + k)]);
      tune::multiply(a.data(), n, v.data(), y.data());
      const double value = eigenvalues[static_cast<std::size_t>(k)];
      for (int i = 0; i < n; ++i)
        CHECK_NEAR(y[static_cast<std::size_t>(i)], value * v[static_cast<std::size_t>(i)], 1e-10 * (1 + value));
    }
  }
  Reals indefinite{1, 0, 2, 1};
  CHECK(!tune::cholesky(indefinite.data(), 2));
}

TEST(tune_minimize_finds_the_least_point_of_a_valley_inside_and_at_a_bound) {
  const auto rosenbrock = [](const double* x, double* g) {
    const double a = x[1] - x[0] * x[0], b = 1 - x[0];
    g[0] = -400 * a * x[0] - 2 * b, g[1] = 200 * a;
    return 100 * a * a + b * b;
  };
  Reals x{-1.2, 1};
  tune::minimize(rosenbrock, {-2, -2}, {2, 2}, x, {400, 1e-8, 0.1});
  CHECK_NEAR(x[0], 1, 1e-5);
  x = {-1.2, 1};
  tune::minimize(rosenbrock, {-2, -2}, {0.5, 2}, x, {400, 1e-8, 0.1});
  CHECK_NEAR(x[0], 0.5, 1e-9);
  CHECK_NEAR(x[1], 0.25, 1e-5);
}

TEST(tune_gp_loss_has_the_gradient_of_its_differences) {
  const tune::GpPoints p = points(25, 1);
  const Reals y = values(p);
  const Reals logs{1.0, 0.3, -1.2, 0.4, -3.0};
  Reals gradient(5);
  tune::gp_loss(p, y, logs.data(), gradient.data());
  for (std::size_t k = 0; k < 5; ++k) {
    Reals up = logs, down = logs;
    up[k] += 1e-5, down[k] -= 1e-5;
    const double want = (tune::gp_loss(p, y, up.data(), nullptr) - tune::gp_loss(p, y, down.data(), nullptr)) / 2e-5;
    CHECK_NEAR(gradient[k], want, 1e-5 * (1 + std::fabs(want)));
  }
}

TEST(tune_gp_predicts_by_the_closed_form_of_two_points) {
  // One dimension, ℓ = 0.5, s = 2, noise 0.1: mean kᵀ K⁻¹ y, variance s − kᵀ K⁻¹ k.
  const tune::GpPoints p{2, 1, {0.2, 0.7}, {false}};
  const tune::Gp gp(p, {{-2 * std::log(0.5), std::log(2.0), std::log(0.1)}}, {1, -1}, 1, {});
  double mean, variance, gradients[2];
  gp.predict(Reals{0.4}.data(), &mean, &variance, gradients);
  const double k0 = 2 * matern(0.4), k1 = 2 * matern(0.6), c = 2 * matern(1.0), d = 2.1, det = d * d - c * c;
  CHECK_NEAR(mean, (k0 * (d + c) - k1 * (d + c)) / det, 1e-12);
  CHECK_NEAR(variance, 2 - (d * k0 * k0 - 2 * c * k0 * k1 + d * k1 * k1) / det, 1e-12);
  double above, below, unused;
  gp.predict(Reals{0.4 + 1e-6}.data(), &above, &unused, nullptr);
  gp.predict(Reals{0.4 - 1e-6}.data(), &below, &unused, nullptr);
  CHECK_NEAR(gradients[0], (above - below) / 2e-6, 1e-6);
}

TEST(tune_gp_fantasies_scatter_as_the_process_does) {
  // Many draws of one missing value have the process's mean and variance there (with noise).
  const tune::GpPoints known{2, 1, {0.2, 0.7}, {false}}, with{3, 1, {0.2, 0.7, 0.4}, {false}};
  const tune::GpParameters parameters{{-2 * std::log(0.5), std::log(2.0), std::log(0.1)}};
  double mean, variance;
  tune::Gp(known, parameters, {1, -1}, 1, {}).predict(Reals{0.4}.data(), &mean, &variance, nullptr);
  const int n = 4000;
  Reals z, means(n);
  for (int i = 0; i < n; ++i) z.push_back(tune::Draws{1, 0, tune::Stream::gp}.normal(static_cast<std::uint64_t>(i)));
  // Where a fantasy y was drawn, its own process has the mean (variance of the prediction) / (that + noise) on the way to y.
  double unused, sum = 0, squares = 0;
  tune::Gp(with, parameters, {1, -1}, n, z).predict(Reals{0.4}.data(), means.data(), &unused, nullptr);
  for (const double value : means) {
    const double y = mean + (value - mean) * (variance + 0.1) / variance;
    sum += y / n, squares += y * y / n;
  }
  CHECK_NEAR(sum, mean, 5 * std::sqrt((variance + 0.1) / n));
  CHECK_NEAR(squares - sum * sum, variance + 0.1, 0.15 * (variance + 0.1));
}

TEST(tune_log_expected_improvement_is_the_logarithm_of_the_integral) {
  for (const double best : {2.0, 0.3, -0.5, -2.0, -5.0}) {
    const double mean = 0.1, sigma = 0.7;
    double integral = 0;
    const int n = 200000;
    for (int i = 0; i < n; ++i) {  // over y from best − 8 to best
      const double y = best - 8 * (i + 0.5) / n, t = (y - mean) / sigma;
      integral += (best - y) * std::exp(-0.5 * t * t) / (sigma * std::sqrt(2 * M_PI)) * 8 / n;
    }
    const tune::LogImprovement got = tune::log_expected_improvement(mean, sigma * sigma, best);
    CHECK_NEAR(got.value, std::log(integral), 1e-6);
  }
  // Far out: ln φ(z) − 2 ln |z|, and no break between the formulas.
  CHECK_NEAR(tune::log_expected_improvement(1000, 1, 0).value, -500000 - tune::kLogSqrt2Pi - 2 * std::log(1000), 1e-4);
  for (const double z : {-1.0, -30.0})
    CHECK_NEAR(tune::log_expected_improvement(0, 1, z - 1e-9).value,
               tune::log_expected_improvement(0, 1, z + 1e-9).value, 1e-6);
}

TEST(tune_acquisition_has_the_gradients_of_its_differences) {
  for (const double best : {1.0, -0.4, -3.0, -40.0}) {
    for (const auto f : {tune::log_expected_improvement, tune::log_probability_below}) {
      const tune::LogImprovement at = f(0.2, 0.5, best);
      const double by_mean = (f(0.2 + 1e-6, 0.5, best).value - f(0.2 - 1e-6, 0.5, best).value) / 2e-6;
      const double by_variance = (f(0.2, 0.5 + 1e-6, best).value - f(0.2, 0.5 - 1e-6, best).value) / 2e-6;
      CHECK_NEAR(at.by_mean, by_mean, 1e-5 * (1 + std::fabs(by_mean)));
      CHECK_NEAR(at.by_variance, by_variance, 1e-5 * (1 + std::fabs(by_variance)));
    }
  }
}

TEST(tune_surrogate_promise_has_the_gradient_of_its_differences) {
  const tune::Dimensions space(2);
  tune::Sequence draws({5, 0, tune::Stream::start});
  Reals rows, pending{0.3, 0.4, 0.6, 0.9}, z;
  for (int i = 0; i < 24; ++i) rows.push_back(draws.uniform());
  for (int i = 0; i < 2 * 2 * 4; ++i) z.push_back(draws.normal());
  tune::BranchData data;
  data.dims = {0, 1};
  data.constraints.resize(1);
  for (std::size_t i = 0; i < 12; ++i) {
    data.rows.push_back(&rows[2 * i]);
    data.y.push_back(std::sin(6 * rows[2 * i]) + rows[2 * i + 1] + 0.2 * draws.normal());
    data.constraints[0].push_back(rows[2 * i + 1] - 0.5 + 0.2 * draws.normal());
  }
  data.pending = {&pending[0], &pending[2]};
  const tune::Surrogate surrogate(space, data, 4, z);
  for (const Reals& x : {Reals{0.5, 0.5}, Reals{0.9, 0.2}}) {
    Reals gradient(2);
    surrogate.promise(x.data(), gradient.data());
    for (std::size_t k = 0; k < 2; ++k) {
      Reals up = x, down = x;
      up[k] += 1e-6, down[k] -= 1e-6;
      const double want = (surrogate.promise(up.data(), nullptr) - surrogate.promise(down.data(), nullptr)) / 2e-6;
      CHECK_NEAR(gradient[k], want, 1e-4 * (1 + std::fabs(want)));
    }
  }
}

TEST(tune_gp_finds_the_least_point_of_a_parabola_within_constraints) {
  // (x − 0.7)² + (y − 0.2)², x at most 0.5: the least feasible point is (0.5, 0.2).
  const tune::Dimensions dims(2);
  Reals trials, tiers, keys, constraints;
  for (std::uint32_t number = 0; number < 30; ++number) {
    tune::SearchRequest request;
    request.dims = dims;
    const int n = static_cast<int>(number);
    request.trials = {trials.data(), n, 2};
    request.standing = {tiers.data(), {keys.data(), n, 2}, 1};
    request.constraints = {constraints.data(), n, 1};
    request.number = number;
    tune::Sequence draws({1, number, tune::Stream::start});
    const double u = draws.uniform(), v = draws.uniform();
    const Reals rows = number < 6 ? Reals{u, v} : tune::gp_candidates(request, {});
    const double x = rows[0], y = rows[1], value = (x - 0.7) * (x - 0.7) + (y - 0.2) * (y - 0.2), over = x - 0.5;
    trials.insert(trials.end(), {x, y});
    tiers.push_back(over > 0 ? tune::Standing::infeasible : tune::Standing::complete);
    keys.insert(keys.end(), {over > 0 ? over : value, over > 0 ? value : NAN});
    constraints.push_back(over);
  }
  double best = 1e300;
  for (std::size_t i = 0; i < 30; ++i)
    if (tiers[i] == tune::Standing::complete) best = std::min(best, keys[2 * i]);
  CHECK_NEAR(best, 0.04, 0.004);
}

TEST(tune_gp_candidates_are_points_of_their_branch) {
  // A choice of two, and a number that exists with the second of them alone.
  const tune::Dimensions dims{{tune::Dimension::Kind::choice, 2, {}}, {}, {tune::Dimension::Kind::real, 0, {{0, {1}}}}};
  Reals trials, keys;
  const Reals tiers(20, tune::Standing::complete);
  tune::Sequence draws({3, 0, tune::Stream::start});
  for (int i = 0; i < 20; ++i) {
    const double x = draws.uniform(), y = draws.uniform(), choice = i % 2;
    trials.insert(trials.end(), {choice, x, choice == 1 ? y : tune::kAbsent});
    keys.insert(keys.end(), {x + (choice == 1 ? (y - 0.5) * (y - 0.5) : 0.1), NAN});
  }
  tune::SearchRequest request;
  request.dims = dims;
  request.trials = {trials.data(), 20, 3};
  request.standing = {tiers.data(), {keys.data(), 20, 2}, 1};
  const Reals rows = tune::gp_candidates(request, {});
  CHECK(rows.size() >= 30);
  for (std::size_t i = 0; i < rows.size(); i += 3) CHECK_EQ(std::isnan(rows[i + 2]), rows[i] == 0);
}
