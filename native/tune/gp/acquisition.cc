#include "tune/gp/acquisition.h"

#include <cmath>

#include "tune/numerics/elementary.h"

namespace athanor::tune {
namespace {

constexpr double kRootHalfPi = 1.25331413731550025121;

// ln (φ(z) + z Φ(z)) and the derivative Φ / (φ + z Φ).
void log_h(double z, double& value, double& slope) {
  if (z > -1) {
    const double h = normal_pdf(z) + z * normal_cdf(z);
    value = log(h), slope = normal_cdf(z) / h;
    return;
  }
  // Φ / φ = √(π/2) erfcx(−z / √2); 1 + z Φ / φ loses its digits as 1 / z², from where on the series 1/z² − 3/z⁴ + 15/z⁶ has them.
  const double ratio = kRootHalfPi * erfcx(-z * kSqrtHalf);
  const double square = 1 / (z * z);
  const double rest = z > -30 ? 1 + z * ratio : square * (1 - square * (3 - 15 * square));
  value = -0.5 * z * z - kLogSqrt2Pi + log(rest);
  slope = ratio / rest;
}

}  // namespace

LogImprovement log_expected_improvement(double mean, double variance, double best) {
  const double sigma = std::sqrt(variance), z = (best - mean) / sigma;
  double value, slope;
  log_h(z, value, slope);
  return {value + log(sigma), -slope / sigma, (1 - z * slope) / (2 * variance)};
}

LogImprovement log_probability_below(double mean, double variance, double bound) {
  const double sigma = std::sqrt(variance), z = (bound - mean) / sigma;
  const double slope = z > -1 ? normal_pdf(z) / normal_cdf(z) : 1 / (kRootHalfPi * erfcx(-z * kSqrtHalf));
  return {log_normal_cdf(z), -slope / sigma, -slope * z / (2 * variance)};
}

}  // namespace athanor::tune
