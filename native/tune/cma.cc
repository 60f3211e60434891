#include "tune/cma.h"

#include <algorithm>
#include <cmath>

#include "tune/numerics/elementary.h"
#include "tune/numerics/quasi.h"

namespace athanor::tune {
namespace {

constexpr int kMostRedraws = 20;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

int default_population(int d) { return 4 + static_cast<int>(3 * log(d)); }

}  // namespace

Cma::Cma(std::vector<int> levels, const CmaOptions& options, std::uint64_t seed)
    : levels_(std::move(levels)), options_(options), seed_(seed), d_(static_cast<int>(levels_.size())) {
  first_lambda_ = options.population > 0 ? std::max(options.population, 4) : default_population(d_);
  begin(first_lambda_, options.sigma, Reals(static_cast<std::size_t>(d_), 0.5));
}

void Cma::begin(int lambda, double sigma, Reals mean) {
  const auto d = static_cast<std::size_t>(d_);
  lambda_ = lambda, mu_ = lambda / 2, sigma_ = first_sigma_ = sigma, mean_ = std::move(mean);
  pc_.assign(d, 0), ps_.assign(d, 0), scales_.assign(d, 1), margin_.assign(d, 1);
  c_.assign(options_.separable ? d : d * d, options_.separable ? 1 : 0);
  b_.assign(options_.separable ? 0 : d * d, 0);
  if (!options_.separable)
    for (int i = 0; i < d_; ++i) c_[at(i, i)] = b_[at(i, i)] = 1;
  generation_ = decomposed_ = 0;
  bests_.clear();
  weigh();
}

// Section "default parameters" of the tutorial, table 1.
void Cma::weigh() {
  const double d = d_;
  weights_.clear();
  for (int i = 0; i < lambda_; ++i) weights_.push_back(log((lambda_ + 1) / 2.0) - log(i + 1));
  double positive = 0, squares = 0, negative = 0, negative_squares = 0;
  for (int i = 0; i < lambda_; ++i) {
    const double w = weights_[static_cast<std::size_t>(i)];
    (i < mu_ ? positive : negative) += w;
    (i < mu_ ? squares : negative_squares) += w * w;
  }
  mueff_ = positive * positive / squares;
  const double negative_mueff = negative * negative / negative_squares;
  cc_ = (4 + mueff_ / d) / (d + 4 + 2 * mueff_ / d);
  cs_ = (mueff_ + 2) / (d + mueff_ + 5);
  c1_ = 2 / ((d + 1.3) * (d + 1.3) + mueff_);
  cmu_ = std::min(1 - c1_, 2 * (mueff_ - 2 + 1 / mueff_) / ((d + 2) * (d + 2) + mueff_));
  if (options_.separable) {
    c1_ = std::min(0.5, c1_ * (d + 2) / 3), cmu_ = std::min(1 - c1_, cmu_ * (d + 2) / 3);
  }
  damping_ = 1 + 2 * std::max(0.0, std::sqrt((mueff_ - 1) / (d + 1)) - 1) + cs_;
  chi_ = std::sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
  const double most = std::min({1 + c1_ / cmu_, 1 + 2 * negative_mueff / (mueff_ + 2), (1 - c1_ - cmu_) / (d * cmu_)});
  for (int i = 0; i < lambda_; ++i) {
    double& w = weights_[static_cast<std::size_t>(i)];
    w = i < mu_ ? w / positive : negative < 0 ? w * most / -negative : 0;
  }
}

// The first try of a trial is a point of a scrambled Sobol sequence, so that those of a generation lie evenly around its mean (Teytaud and
// Gelly, "DCMA: yet another derandomization in covariance-matrix-adaptation", 2007).
Reals Cma::draw(const Draws& draws, int attempt) const {
  Reals x, y(static_cast<std::size_t>(d_)), even;
  if (attempt == 0) even = sobol_point(draws.seed, draws.number, d_);
  for (int redraw = 0; redraw < kMostRedraws; ++redraw) {
    const std::uint64_t first =
        (static_cast<std::uint64_t>(attempt) * kMostRedraws + static_cast<std::uint64_t>(redraw)) *
        static_cast<std::uint64_t>(d_);
    Reals z;
    for (int i = 0; i < d_; ++i) {
      const double normal = even.empty() || redraw > 0 ? draws.normal(first + static_cast<std::uint64_t>(i))
                                                       : normal_quantile(even[static_cast<std::size_t>(i)]);
      z.push_back(normal * scales_[static_cast<std::size_t>(i)]);
    }
    if (options_.separable)
      y = z;
    else
      multiply(b_.data(), d_, z.data(), y.data());
    x = mean_;
    bool inside = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] += sigma_ * margin_[i] * y[i];
      inside = inside && (levels_[i] > 0 || (x[i] >= 0 && x[i] <= 1));
    }
    if (inside) return x;
  }
  for (std::size_t i = 0; i < x.size(); ++i)
    if (levels_[i] == 0) x[i] = std::clamp(x[i], 0.0, 1.0);
  return x;
}

void Cma::tell(const std::vector<CmaTrial>& generation) {
  const auto d = static_cast<std::size_t>(d_);
  std::vector<Reals> steps;  // y of each trial, in units of σ and the margin
  for (const CmaTrial& trial : generation) {
    Reals y(d);
    for (std::size_t i = 0; i < d; ++i) y[i] = (trial.x[i] - mean_[i]) / (sigma_ * margin_[i]);
    steps.push_back(std::move(y));
  }
  Reals mean_step(d, 0.0), white(d, 0.0), back(d, 0.0);
  for (int k = 0; k < mu_; ++k)
    for (std::size_t i = 0; i < d; ++i)
      mean_step[i] += weights_[static_cast<std::size_t>(k)] * steps[static_cast<std::size_t>(k)][i];
  for (std::size_t i = 0; i < d; ++i) mean_[i] += sigma_ * margin_[i] * mean_step[i];
  // C^(−1/2) y = B (Bᵀ y / scales)
  const auto whiten = [&](const Reals& y, Reals& out) {
    if (options_.separable) {
      for (std::size_t i = 0; i < d; ++i) out[i] = y[i] / scales_[i];
      return;
    }
    for (int j = 0; j < d_; ++j) {
      double sum = 0;
      for (int i = 0; i < d_; ++i) sum += b_[at(i, j)] * y[static_cast<std::size_t>(i)];
      back[static_cast<std::size_t>(j)] = sum / scales_[static_cast<std::size_t>(j)];
    }
    multiply(b_.data(), d_, back.data(), out.data());
  };
  whiten(mean_step, white);
  const double pull = std::sqrt(cs_ * (2 - cs_) * mueff_);
  double length = 0;
  for (std::size_t i = 0; i < d; ++i) ps_[i] = (1 - cs_) * ps_[i] + pull * white[i], length += ps_[i] * ps_[i];
  length = std::sqrt(length);
  ++generation_, evaluations_ += lambda_;
  (is_small_ ? small_ : large_) += lambda_;
  const double settled = std::sqrt(1 - exp(2.0 * generation_ * log(1 - cs_)));
  const bool steady = length / settled < (1.4 + 2.0 / (d_ + 1)) * chi_;
  const double pull_c = steady ? std::sqrt(cc_ * (2 - cc_) * mueff_) : 0;
  for (std::size_t i = 0; i < d; ++i) pc_[i] = (1 - cc_) * pc_[i] + pull_c * mean_step[i];
  double sum = 0;
  for (const double w : weights_) sum += w;
  const double keep = 1 + c1_ * (steady ? 0 : cc_ * (2 - cc_)) - c1_ - cmu_ * sum;
  Reals shares;
  for (std::size_t k = 0; k < steps.size(); ++k) {
    double w = weights_[k];
    if (w < 0) {
      whiten(steps[k], white);
      w *= d_ / std::max(dot(white.data(), white.data(), d_), 1e-30);
    }
    shares.push_back(cmu_ * w);
  }
  for (int i = 0; i < d_; ++i)
    for (int j = options_.separable ? i : 0; j <= i; ++j) {
      const auto p = static_cast<std::size_t>(i), q = static_cast<std::size_t>(j);
      double& entry = c_[options_.separable ? p : at(i, j)];
      entry = keep * entry + c1_ * pc_[p] * pc_[q];
      for (std::size_t k = 0; k < steps.size(); ++k) entry += shares[k] * steps[k][p] * steps[k][q];
      if (!options_.separable) c_[at(j, i)] = entry;
    }
  sigma_ *= exp(std::min(1.0, cs_ / damping_ * (length / chi_ - 1)));
  decompose();
  for (int j = 0; j < d_; ++j)
    if (levels_[static_cast<std::size_t>(j)] > 0) correct_margin(j);
  bests_.push_back(generation.empty() ? kInfinity : generation[0].value);
  if (is_done()) restart();
}

void Cma::decompose() {
  const auto d = static_cast<std::size_t>(d_);
  if (options_.separable) {
    for (std::size_t i = 0; i < d; ++i) scales_[i] = std::sqrt(c_[i] = std::max(c_[i], 1e-30));
    return;
  }
  if (generation_ - decomposed_ < 1 / ((c1_ + cmu_) * d_ * 10))
    return;  // changes are small: every few generations will do
  decomposed_ = generation_;
  Reals copy = c_, values(d);
  eigen(copy.data(), d_, values.data(), b_.data());
  for (std::size_t i = 0; i < d; ++i) scales_[i] = std::sqrt(std::max(values[i], 1e-30));
}

// Keeps the probability of leaving the current level of a grid at 1 / (λ d) at least, by moving the mean and widening the margin.
void Cma::correct_margin(int j) {
  const auto k = static_cast<std::size_t>(j);
  const int levels = levels_[k];
  if (levels < 2) return;
  const double alpha = 1.0 / (lambda_ * d_);
  const double deviation = sigma_ * std::sqrt(c_[options_.separable ? k : at(j, j)]);
  double& mean = mean_[k];
  mean = std::clamp(mean, -0.5, 1.5);
  const int level = level_of(mean, levels);
  const double width = margin_[k] * deviation;
  if (level == 0 || level == levels - 1) {
    const double edge = level == 0 ? 1.0 / levels : 1 - 1.0 / levels;
    const double reach = width * normal_quantile(1 - std::min(alpha, 0.49));
    mean = edge + (mean < edge ? -1 : 1) * std::min(std::fabs(mean - edge), reach);
    return;
  }
  const double low = static_cast<double>(level) / levels, up = (level + 1.0) / levels;
  const double p_low = normal_cdf((low - mean) / width), p_up = 1 - normal_cdf((up - mean) / width);
  const double p_mid = 1 - p_low - p_up, at_low = std::max(alpha / 2, p_low), at_up = std::max(alpha / 2, p_up);
  const double excess = (1 - at_low - at_up - p_mid) / (at_low + at_up + p_mid - 1.5 * alpha);
  const double q_low = normal_quantile(1 - std::min(at_low + excess * (at_low - alpha / 2), 0.49));
  const double q_up = normal_quantile(1 - std::min(at_up + excess * (at_up - alpha / 2), 0.49));
  margin_[k] = (up - low) / ((q_low + q_up) * deviation);
  mean = (low * q_up + up * q_low) / (q_low + q_up);
}

bool Cma::is_done() const {
  const auto [least, most] = std::minmax_element(scales_.begin(), scales_.end());
  if (sigma_ * *most < 1e-9 || *most > 1e7 * *least || sigma_ * *most > 1e4) return true;
  const auto window = static_cast<std::size_t>(10 + 30 * d_ / lambda_);
  if (bests_.size() < window) return false;
  const auto [low, high] = std::minmax_element(bests_.end() - static_cast<long>(window), bests_.end());
  return !(*high - *low > 1e-12);
}

void Cma::restart() {
  ++restarts_;
  const Draws draws{seed_, static_cast<std::uint32_t>(restarts_), Stream::cma};
  Reals mean;
  for (int i = 0; i < d_; ++i) mean.push_back(draws.uniform(~std::uint64_t{0} - static_cast<std::uint64_t>(i)));
  int lambda = first_lambda_;
  double sigma = options_.sigma;
  if (options_.restarts == Restarts::ipop) lambda = first_lambda_ << std::min(restarts_, 9);
  if (options_.restarts == Restarts::bipop) {
    is_small_ = small_ < large_;
    const double large = first_lambda_ * static_cast<double>(1 << std::min(restarts_, 9)), u = draws.uniform(1 << 30);
    if (is_small_) {
      lambda = std::max(first_lambda_, static_cast<int>(first_lambda_ * power(0.5 * large / first_lambda_, u * u)));
      sigma *= exp(-2 * u * log(10));
    } else {
      lambda = static_cast<int>(large);
    }
  }
  begin(lambda, sigma, std::move(mean));
}

}  // namespace athanor::tune
