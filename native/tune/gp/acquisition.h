// What a trial at x promises, as logarithms that stay finite and have gradients where the promise itself is zero to the last bit
// (Ament et al., arXiv 2310.20708).
#pragma once

namespace athanor::tune {

// ln E max(0, best − Y), Y ~ N(mean, variance), and its derivatives.
struct LogImprovement {
  double value, by_mean, by_variance;
};
LogImprovement log_expected_improvement(double mean, double variance, double best);

// ln P(Y ≤ bound), Y ~ N(mean, variance), and its derivatives.
LogImprovement log_probability_below(double mean, double variance, double bound);

}  // namespace athanor::tune
