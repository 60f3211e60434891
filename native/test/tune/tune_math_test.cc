// The search's own exp, log, cos and normal distribution beside the C library's, and its draws.
#include "test/test.h"
#include "tune/numerics/elementary.h"
#include "tune/numerics/vector_math.h"
#include "tune/random.h"

using namespace athanor;

namespace {

double relative(double got, double want) { return std::fabs(got - want) / std::fabs(want); }

}  // namespace

TEST(tune_exp_and_log_are_those_of_the_c_library_to_the_last_bits) {
  double worst_exp = 0, worst_log = 0, worst_cos = 0;
  for (double x = -700; x < 700; x += 0.0377) worst_exp = std::fmax(worst_exp, relative(tune::exp(x), std::exp(x)));
  for (double x = 1e-300; x < 1e300; x *= 1.0137) worst_log = std::fmax(worst_log, relative(tune::log(x), std::log(x)));
  for (double x = -300; x < 300; x += 0.00377) worst_cos = std::fmax(worst_cos, std::fabs(tune::cos(x) - std::cos(x)));
  CHECK_NEAR(worst_exp, 0, 1e-15);
  CHECK_NEAR(worst_log, 0, 1e-15);
  CHECK_NEAR(worst_cos, 0, 1e-15);
  CHECK_EQ(tune::exp(-1e9), 0.0);
  CHECK(std::isinf(tune::exp(1e9)) && std::isnan(tune::exp(NAN)));
  CHECK(std::isinf(tune::log(0)) && std::isnan(tune::log(-1)) && std::isinf(tune::log(INFINITY)));
  CHECK_NEAR(relative(tune::exp(-740), std::exp(-740)), 0, 0.1);  // below the normal numbers
}

TEST(tune_exp_of_arrays_is_exp) {
  std::vector<double> x, want;
  for (int i = 0; i < 4003; ++i) x.push_back(-720 + 0.18 * i), want.push_back(tune::exp(x.back()));
  tune::exp_all(x.data(), static_cast<int>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) CHECK_NEAR(x[i], want[i], want[i] * 1e-15 + 1e-300);
}

TEST(tune_normal_distribution_in_both_tails) {
  double worst = 0, worst_log = 0, worst_quantile = 0;
  for (double z = -8; z < 8; z += 0.00077)
    worst = std::fmax(worst, relative(tune::normal_cdf(z), 0.5 * std::erfc(-z * std::sqrt(0.5))));
  for (double z = -35; z < 3; z += 0.0077)
    worst_log = std::fmax(worst_log, relative(tune::log_normal_cdf(z), std::log(0.5 * std::erfc(-z * std::sqrt(0.5)))));
  for (double p = 1e-12; p < 1; p = p < 0.01 ? p * 1.1 : p + 1e-4)
    worst_quantile = std::fmax(worst_quantile, relative(tune::normal_cdf(tune::normal_quantile(p)), p));
  CHECK_NEAR(worst, 0, 1e-13);
  CHECK_NEAR(worst_log, 0, 1e-12);
  CHECK_NEAR(worst_quantile, 0, 1e-13);
  // ln Φ(−1000) = −500000 − ln(1000 √(2π)) − 10⁻⁶ + …, the asymptotic series
  CHECK_NEAR(tune::log_normal_cdf(-1000), -500000 - std::log(1000) - tune::kLogSqrt2Pi - 1e-6, 1e-9);
}

TEST(tune_draws_are_uniform_and_independent_of_order) {
  const tune::Draws draws{42, 7, tune::Stream::tpe};
  double sum = 0, squares = 0, normals = 0, normal_squares = 0;
  const int n = 100000;
  for (int i = n - 1; i >= 0; --i) {
    const double u = draws.uniform(static_cast<std::uint64_t>(i)), z = draws.normal(static_cast<std::uint64_t>(i));
    CHECK(u > 0 && u < 1);
    sum += u, squares += u * u, normals += z, normal_squares += z * z;
  }
  CHECK_NEAR(sum / n, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  CHECK_NEAR(squares / n, 1.0 / 3, 0.005);
  CHECK_NEAR(normals / n, 0, 5 / std::sqrt(n));
  CHECK_NEAR(normal_squares / n, 1, 5 * std::sqrt(2.0 / n));
  CHECK(draws.uniform(0) != (tune::Draws{42, 8, tune::Stream::tpe}.uniform(0)));
  CHECK(draws.uniform(0) != (tune::Draws{42, 7, tune::Stream::gp}.uniform(0)));
}
