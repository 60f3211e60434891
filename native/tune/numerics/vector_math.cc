#include "tune/numerics/vector_math.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "tune/numerics/elementary.h"

namespace athanor::tune {
namespace {

constexpr int kLanes = 4;  // of the inner loops, which the compiler turns into vectors of whatever width it has

void exp_block(double* x) {
  constexpr double kShift = 0x1.8p52, kLn2High = 0x1.62e42fefa38p-1, kLn2Low = 0x1.ef35793c7673p-45;
  static constexpr double kTaylor[] = {
      1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
      1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
  double r[kLanes], sum[kLanes], kept[kLanes];
  std::uint64_t bits[kLanes];
  for (int i = 0; i < kLanes; ++i) kept[i] = x[i] < -700 ? 0.0 : 1.0;
  for (int i = 0; i < kLanes; ++i) x[i] = x[i] < -700 ? -700 : x[i];
  for (int i = 0; i < kLanes; ++i) {
    const double k = x[i] * 1.44269504088896340736 + kShift;
    bits[i] = std::bit_cast<std::uint64_t>(k) << 52;  // the low bits of k, where an exponent stands
    const double whole = k - kShift;
    r[i] = (x[i] - whole * kLn2High) - whole * kLn2Low;
  }
  for (int i = 0; i < kLanes; ++i) sum[i] = kTaylor[13];
  for (int term = 12; term >= 0; --term)
    for (int i = 0; i < kLanes; ++i) sum[i] = sum[i] * r[i] + kTaylor[term];
  for (int i = 0; i < kLanes; ++i)
    x[i] = std::bit_cast<double>(std::bit_cast<std::uint64_t>(sum[i]) + bits[i]) * kept[i];
}

}  // namespace

void exp_all(double* x, int n) {
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) exp_block(x + i);
  double rest[kLanes] = {};
  std::copy(x + i, x + n, rest);
  exp_block(rest);
  std::copy(rest, rest + (n - i), x + i);
}

void add_squares(double* out, const double* norm, const double* scale, const double* centre, double x, int n) {
  int k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    double z[kLanes], sum[kLanes];
    for (int i = 0; i < kLanes; ++i) z[i] = scale[k + i] * x - centre[k + i];
    for (int i = 0; i < kLanes; ++i) sum[i] = out[k + i] + (norm[k + i] - z[i] * z[i]);
    for (int i = 0; i < kLanes; ++i) out[k + i] = sum[i];
  }
  for (; k < n; ++k) {
    const double z = scale[k] * x - centre[k];
    out[k] += norm[k] - z * z;
  }
}

double log_sum_exp(std::vector<double>& x) {
  const double top = *std::max_element(x.begin(), x.end());
  for (double& value : x) value -= top;
  exp_all(x.data(), static_cast<int>(x.size()));
  double sum = 0;
  for (const double value : x) sum += value;
  return top + log(sum);
}

}  // namespace athanor::tune
