#include "tune/gp/gp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "tune/numerics/elementary.h"
#include "tune/numerics/minimize.h"
#include "tune/numerics/vector_math.h"

namespace athanor::tune {
namespace {

constexpr double kRoot5 = 2.23606797749978969641;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// out[i] += w · (x − column[i])², or w where a choice differs.
void add_distances(const double* column, double x, double w, bool is_choice, double* out, int n) {
  if (is_choice)
    for (int i = 0; i < n; ++i) out[i] += column[i] == x ? 0 : w;
  else
    for (int i = 0; i < n; ++i) out[i] += w * ((x - column[i]) * (x - column[i]));
}

// From squared distances: k = s (1 + √5 r + 5/3 r²) e^(−√5 r), and slope = dk / d(r²) = −5/6 s (1 + √5 r) e^(−√5 r).
void matern(double* squares, double scale, double* k, double* slope, int n) {
  for (int i = 0; i < n; ++i) squares[i] = kRoot5 * std::sqrt(squares[i]);
  for (int i = 0; i < n; ++i) k[i] = -squares[i];
  exp_all(k, n);
  for (int i = 0; i < n; ++i) {
    const double a = squares[i], e = scale * k[i];
    slope[i] = -5.0 / 6 * (1 + a) * e;
    k[i] = (1 + a + a * a / 3) * e;
  }
}

// −ln prior of the logarithms, added to the gradient.
double prior_loss(const double* logs, int d, double* gradient) {
  const double centre = std::sqrt(2.0) + 0.5 * log(d), variance = 3;
  double loss = 0;
  for (int j = 0; j < d; ++j) {  // ln ℓ = −½ logs[j] ~ N(centre, 3), as a density of ℓ
    const double z = -0.5 * logs[j] - centre;
    loss += z * z / (2 * variance) - 0.5 * logs[j];
    if (gradient) gradient[j] += -0.5 * z / variance - 0.5;
  }
  const double noise = exp(logs[d + 1]);
  loss += logs[d] * logs[d] / 2 - 0.1 * logs[d + 1] + 30 * noise;
  if (gradient) gradient[d] += logs[d], gradient[d + 1] += -0.1 + 30 * noise;
  return loss;
}

}  // namespace

double gp_loss(const GpPoints& points, const Reals& y, const double* logs, double* gradient) {
  const int n = points.n, d = points.d;
  const auto size = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  static thread_local Reals k, slope, inverse, work, squares;
  k.assign(size, 0), slope.resize(size), squares.resize(static_cast<std::size_t>(n));
  const double scale = exp(logs[d]), noise = exp(logs[d + 1]);
  Reals weights;
  for (int j = 0; j < d; ++j) weights.push_back(exp(logs[j]));
  for (int i = 0; i < n; ++i) {
    double* row = &k[static_cast<std::size_t>(i) * static_cast<std::size_t>(n)];
    std::fill(squares.begin(), squares.begin() + i, 0.0);
    for (int j = 0; j < d; ++j)
      add_distances(points.column(j), points.column(j)[i], weights[static_cast<std::size_t>(j)],
                    points.is_choice[static_cast<std::size_t>(j)], squares.data(), i);
    matern(squares.data(), scale, row, &slope[static_cast<std::size_t>(i) * static_cast<std::size_t>(n)], i);
    row[i] = scale + noise;
  }
  if (!cholesky(k.data(), n)) return kInfinity;
  Reals alpha = y;
  solve_lower(k.data(), n, alpha.data());
  double loss = 0.5 * dot(alpha.data(), alpha.data(), n);
  for (int i = 0; i < n; ++i) loss += log(k[static_cast<std::size_t>(i) * static_cast<std::size_t>(n + 1)]);
  if (gradient) std::fill(gradient, gradient + d + 2, 0.0);
  loss += prior_loss(logs, d, gradient);
  if (!gradient) return loss;
  solve_upper(k.data(), n, alpha.data());
  inverse.resize(size), work.resize(size);
  inverse_of_product(k.data(), n, inverse.data(), work.data());
  // −dL/dθ = −½ tr((α αᵀ − K⁻¹) dK/dθ), the sum over pairs counted once.
  double trace = 0, weighted = 0;
  Reals& pull = squares;
  for (int i = 0; i < n; ++i) {
    const double* row = &inverse[static_cast<std::size_t>(i) * static_cast<std::size_t>(n)];
    const double* dk = &slope[static_cast<std::size_t>(i) * static_cast<std::size_t>(n)];
    const double a = alpha[static_cast<std::size_t>(i)];
    for (int m = 0; m < i; ++m)
      pull[static_cast<std::size_t>(m)] = (a * alpha[static_cast<std::size_t>(m)] - row[m]) * dk[m];
    for (int j = 0; j < d; ++j) {
      const double* column = points.column(j);
      double sum = 0;
      if (points.is_choice[static_cast<std::size_t>(j)])
        for (int m = 0; m < i; ++m) sum += column[m] == column[i] ? 0 : pull[static_cast<std::size_t>(m)];
      else
        for (int m = 0; m < i; ++m)
          sum += pull[static_cast<std::size_t>(m)] * ((column[i] - column[m]) * (column[i] - column[m]));
      gradient[j] -= weights[static_cast<std::size_t>(j)] * sum;
    }
    trace += a * a - row[i];
    weighted += a * y[static_cast<std::size_t>(i)];
  }
  // dK/d ln s = K − noise I; α ᵀ K α = yᵀ α, tr(K⁻¹ K) = n.
  gradient[d] -= 0.5 * (weighted - n - noise * trace);
  gradient[d + 1] -= 0.5 * noise * trace;
  return loss;
}

GpParameters fit_gp(const GpPoints& points, const Reals& y) {
  const auto d = static_cast<std::size_t>(points.d);
  Reals low(d + 2, -9.2), high(d + 2, 9.2);  // length scales from 0.01 to 100
  low[d] = -3, high[d] = 5;
  low[d + 1] = -13.8, high[d + 1] = 0;
  const auto f = [&](const double* x, double* gradient) { return gp_loss(points, y, x, gradient); };
  const double lengths[] = {0.5, 2.0, 0.2};
  Reals best;
  double least = kInfinity;
  for (const double length : lengths) {
    Reals x(d + 2, -2 * log(length));
    x[d] = 0, x[d + 1] = length == 2.0 ? -3 : -9;
    const double loss = minimize(f, low, high, x, {14, 1e-3, 1.0});
    if (loss < least || best.empty()) least = loss, best = x;
  }
  minimize(f, low, high, best, {30, 1e-3, 0.3});
  return {best};
}

Gp::Gp(GpPoints points, const GpParameters& parameters, const Reals& known, int columns, const Reals& z)
    : points_(std::move(points)), columns_(columns) {
  const int n = points_.n, d = points_.d;
  const auto size = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  for (int j = 0; j < d; ++j) weights_.push_back(exp(parameters.logs[static_cast<std::size_t>(j)]));
  scale_ = exp(parameters.logs[static_cast<std::size_t>(d)]);
  double noise = exp(parameters.logs[static_cast<std::size_t>(d) + 1]);
  k_.resize(static_cast<std::size_t>(n)), slope_.resize(k_.size()), u_.resize(k_.size());
  Reals l(size), x(static_cast<std::size_t>(d)), work(size);
  inverse_.resize(size);
  for (;; noise *= 10) {  // rounding may need more than was fitted
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < d; ++j) x[static_cast<std::size_t>(j)] = points_.column(j)[i];
      covariance(x.data(), &l[static_cast<std::size_t>(i) * static_cast<std::size_t>(n)], slope_.data());
      l[static_cast<std::size_t>(i) * static_cast<std::size_t>(n + 1)] += noise;
    }
    if (cholesky(l.data(), n)) break;
    check(noise < 1e9, Code::internal,
          [] { return "a Gaussian process was given points or values that are not finite"; });
  }
  Reals values;
  draw_missing(values, l.data(), known, z);
  inverse_of_product(l.data(), n, inverse_.data(), work.data());
  alpha_.resize(static_cast<std::size_t>(columns) * static_cast<std::size_t>(n));
  for (int c = 0; c < columns; ++c) {
    const double* y = &values[static_cast<std::size_t>(c) * static_cast<std::size_t>(n)];
    double* alpha = &alpha_[static_cast<std::size_t>(c) * static_cast<std::size_t>(n)];
    multiply(inverse_.data(), n, y, alpha);
    double least = kInfinity;  // the mean at a point is K α = y − noise · α
    for (int i = 0; i < n; ++i) least = std::min(least, y[i] - noise * alpha[i]);
    least_.push_back(least);
  }
}

// With L of all points: the first values whitened, w = L₁₁⁻¹ y, tell the mean of the others, L₂₁ w, and L₂₂ z is what they scatter.
void Gp::draw_missing(Reals& values, const double* l, const Reals& known, const Reals& z) const {
  const int n = points_.n, first = static_cast<int>(known.size()), missing = n - first;
  for (int c = 0; c < columns_; ++c) {
    Reals white = known;
    white.resize(static_cast<std::size_t>(n));
    for (int i = 0; i < first; ++i) {
      const double* row = l + static_cast<long>(i) * n;
      white[static_cast<std::size_t>(i)] = (white[static_cast<std::size_t>(i)] - dot(row, white.data(), i)) / row[i];
    }
    for (int i = 0; i < missing; ++i)
      white[static_cast<std::size_t>(first + i)] = z[static_cast<std::size_t>(c * missing + i)];
    values.insert(values.end(), known.begin(), known.end());
    for (int i = first; i < n; ++i) values.push_back(dot(l + static_cast<long>(i) * n, white.data(), i + 1));
  }
}

void Gp::covariance(const double* x, double* k, double* slope) const {
  static thread_local Reals squares;
  squares.assign(static_cast<std::size_t>(points_.n), 0);
  for (int j = 0; j < points_.d; ++j)
    add_distances(points_.column(j), x[j], weights_[static_cast<std::size_t>(j)],
                  points_.is_choice[static_cast<std::size_t>(j)], squares.data(), points_.n);
  matern(squares.data(), scale_, k, slope, points_.n);
}

void Gp::predict(const double* x, double* means, double* variance, double* gradients) const {
  const int n = points_.n, d = points_.d;
  covariance(x, k_.data(), slope_.data());
  multiply(inverse_.data(), n, k_.data(), u_.data());
  *variance = std::max(scale_ - dot(k_.data(), u_.data(), n), 1e-12 * scale_);
  for (int c = 0; c < columns_; ++c) means[c] = dot(k_.data(), &alpha_[static_cast<std::size_t>(c * n)], n);
  if (!gradients) return;
  for (int j = 0; j < d; ++j) {
    const bool is_choice = points_.is_choice[static_cast<std::size_t>(j)];
    const double w = 2 * weights_[static_cast<std::size_t>(j)];
    const double* column = points_.column(j);
    double* dk = k_.data();  // no longer needed
    for (int i = 0; i < n; ++i) dk[i] = is_choice ? 0 : slope_[static_cast<std::size_t>(i)] * w * (x[j] - column[i]);
    for (int c = 0; c < columns_; ++c) gradients[c * d + j] = dot(dk, &alpha_[static_cast<std::size_t>(c * n)], n);
    gradients[columns_ * d + j] = -2 * dot(dk, u_.data(), n);
  }
}

}  // namespace athanor::tune
