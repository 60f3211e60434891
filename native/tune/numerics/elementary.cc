#include "tune/numerics/elementary.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace athanor::tune {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLn2High = 0x1.62e42fefa38p-1, kLn2Low = 0x1.ef35793c7673p-45;

template <int N>
double horner(const double (&c)[N], double x) {
  double sum = c[N - 1];
  for (int i = N - 2; i >= 0; --i) sum = sum * x + c[i];
  return sum;
}

double scaled(double x, std::int64_t exponent) {
  // In two steps, so that results below the normal range are reached by a product.
  const std::int64_t half = exponent / 2;
  const auto power_of_two = [](std::int64_t k) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
  };
  return x * power_of_two(half) * power_of_two(exponent - half);
}

}  // namespace

double exp(double x) {
  if (!(x < 709.782712893384)) return x > 0 ? kInfinity : x;  // NaN stays NaN
  if (x < -745.2) return 0;
  constexpr double kShift = 0x1.8p52;
  const double k = (x * 1.44269504088896340736 + kShift) - kShift;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  static constexpr double kTaylor[] = {
      1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
      1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
  return scaled(horner(kTaylor, r), static_cast<std::int64_t>(k));
}

double log(double x) {
  if (!(x > 0)) return x == 0 ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
  if (x == kInfinity) return x;
  int shift = 0;
  if (x < 0x1p-1022) x *= 0x1p54, shift = -54;
  auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);  // [1, 2)
  if (m > 1.41421356237309504880) m *= 0.5, ++exponent;
  exponent += shift;
  // ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.1716
  const double s = (m - 1) / (m + 1), z = s * s;
  static constexpr double kOdd[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                    1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
  const double small = 2 * s + 2 * s * z * horner(kOdd, z);
  return exponent * kLn2High + (small + exponent * kLn2Low);
}

double cos(double x) {
  // Reduced to r in [-π/4, π/4] around a multiple of π/2, in three parts of π/2.
  constexpr double kShift = 0x1.8p52;
  const double k = (x * 0.63661977236758134308 + kShift) - kShift;
  const double r = ((x - k * 0x1.921fb544p0) - k * 0x1.0b4611a6p-34) - k * 0x1.3198a2e037073p-69;
  const auto quadrant = static_cast<std::int64_t>(k) & 3;
  const double z = r * r;
  static constexpr double kCos[] = {1.0,
                                    -1.0 / 2,
                                    1.0 / 24,
                                    -1.0 / 720,
                                    1.0 / 40320,
                                    -1.0 / 3628800,
                                    1.0 / 479001600,
                                    -1.0 / 87178291200.0,
                                    1.0 / 20922789888000.0};
  static constexpr double kSin[] = {1.0,
                                    -1.0 / 6,
                                    1.0 / 120,
                                    -1.0 / 5040,
                                    1.0 / 362880,
                                    -1.0 / 39916800,
                                    1.0 / 6227020800.0,
                                    -1.0 / 1307674368000.0,
                                    1.0 / 355687428096000.0};
  const double c = horner(kCos, z), s = r * horner(kSin, z);
  switch (quadrant) {
    case 0: return c;
    case 1: return -s;
    case 2: return -c;
    default: return s;
  }
}

double erfcx(double x) {
  const double y = std::fabs(x);
  static constexpr double kA[] = {3.20937758913846947e03, 3.77485237685302021e02, 1.13864154151050156e02,
                                  3.16112374387056560e00, 1.85777706184603153e-1};
  static constexpr double kB[] = {2.84423683343917062e03, 1.28261652607737228e03, 2.44024637934444173e02,
                                  2.36012909523441209e01, 1.0};
  if (y <= 0.46875) return exp(x * x) * (1 - x * horner(kA, x * x) / horner(kB, x * x));
  double tail;
  if (y <= 4) {
    static constexpr double kC[] = {1.23033935479799725e03, 2.05107837782607147e03, 1.71204761263407058e03,
                                    8.81952221241769090e02, 2.98635138197400131e02, 6.61191906371416295e01,
                                    8.88314979438837594e00, 5.64188496988670089e-1, 2.15311535474403846e-8};
    static constexpr double kD[] = {1.23033935480374942e03, 3.43936767414372164e03, 4.36261909014324716e03,
                                    3.29079923573345963e03, 1.62138957456669019e03, 5.37181101862009858e02,
                                    1.17693950891312499e02, 1.57449261107098347e01, 1.0};
    tail = horner(kC, y) / horner(kD, y);
  } else {
    static constexpr double kP[] = {6.58749161529837803e-4, 1.60837851487422766e-2, 1.25781726111229246e-1,
                                    3.60344899949804439e-1, 3.05326634961232344e-1, 1.63153871373020978e-2};
    static constexpr double kQ[] = {2.33520497626869185e-3, 6.05183413124413191e-2, 5.27905102951428412e-1,
                                    1.87295284992346725e00, 2.56852019228982242e00, 1.0};
    const double z = 1 / (y * y);
    tail = (0.56418958354775628695 - z * horner(kP, z) / horner(kQ, z)) / y;
  }
  return x > 0 ? tail : 2 * exp(x * x) - tail;
}

double normal_pdf(double z) { return kInvSqrt2Pi * exp(-0.5 * z * z); }

double normal_cdf(double z) {
  const double y = std::fabs(z);
  const double tail = y > 39 ? 0 : 0.5 * exp(-0.5 * z * z) * erfcx(y * kSqrtHalf);
  return z > 0 ? 1 - tail : tail;
}

double log_normal_cdf(double z) {
  if (z > -1) return log(normal_cdf(z));
  return -0.5 * z * z + log(0.5 * erfcx(-z * kSqrtHalf));
}

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    static constexpr double kA[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                                    1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                                    3.3430575583588128105e4, 2.5090809287301226727e3};
    static constexpr double kB[] = {1.0,
                                    4.2313330701600911252e1,
                                    6.8718700749205790830e2,
                                    5.3941960214247511077e3,
                                    2.1213794301586595867e4,
                                    3.9307895800092710610e4,
                                    2.8729085735721942674e4,
                                    5.2264952788528545610e3};
    const double r = 0.180625 - q * q;
    return q * horner(kA, r) / horner(kB, r);
  }
  double r = std::sqrt(-log(q < 0 ? p : 1 - p));
  double value;
  if (r <= 5) {
    static constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                    3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                    2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static constexpr double kD[] = {1.0,
                                    2.05319162663775882187e0,
                                    1.67638483018380384940e0,
                                    6.89767334985100004550e-1,
                                    1.48103976427480074590e-1,
                                    1.51986665636164571966e-2,
                                    5.47593808499534494600e-4,
                                    1.05075007164441684324e-9};
    r -= 1.6;
    value = horner(kC, r) / horner(kD, r);
  } else {
    static constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                    2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static constexpr double kF[] = {1.0,
                                    5.99832206555887937690e-1,
                                    1.36929880922735805310e-1,
                                    1.48753612908506148525e-2,
                                    7.86869131145613259100e-4,
                                    1.84631831751005468180e-5,
                                    1.42151175831644588870e-7,
                                    2.04426310338993978564e-15};
    r -= 5;
    value = horner(kE, r) / horner(kF, r);
  }
  return q < 0 ? -value : value;
}

}  // namespace athanor::tune
