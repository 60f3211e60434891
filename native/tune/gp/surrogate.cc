#include "tune/gp/surrogate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tune/gp/acquisition.h"
#include "tune/numerics/elementary.h"

namespace athanor::tune {
namespace {

constexpr int kMostFitted = 200;  // trials from which hyper-parameters are taken; more of them say little else

struct Standard {
  double centre = 0, spread = 1;
};

Standard standardize(Reals& y) {
  Standard s;
  const double n = static_cast<double>(y.size());
  for (const double value : y) s.centre += value / n;
  double variance = 0;
  for (const double value : y) variance += (value - s.centre) * (value - s.centre) / n;
  s.spread = variance > 0 ? std::sqrt(variance) : 1;
  for (double& value : y) value = (value - s.centre) / s.spread;
  return s;
}

GpPoints to_points(const Dimensions& space, const std::vector<int>& dims, const std::vector<const double*>& rows) {
  GpPoints points{static_cast<int>(rows.size()), static_cast<int>(dims.size()), {}, {}};
  for (const int j : dims) {
    points.is_choice.push_back(space[static_cast<std::size_t>(j)].kind == Dimension::Kind::choice);
    for (const double* row : rows) points.columns.push_back(row[j]);
  }
  return points;
}

// Every k-th of the trials, the first and the last among them.
template <class T>
std::vector<T> thinned(const std::vector<T>& all) {
  if (static_cast<int>(all.size()) <= kMostFitted) return all;
  std::vector<T> some;
  for (std::size_t i = 0; i < kMostFitted; ++i) some.push_back(all[i * (all.size() - 1) / (kMostFitted - 1)]);
  return some;
}

}  // namespace

Surrogate::Surrogate(const Dimensions& space, BranchData data, int fantasies, const Reals& z) : dims_(data.dims) {
  const std::vector<const double*> fitted = thinned(data.rows);
  std::vector<const double*> all = data.rows;
  all.insert(all.end(), data.pending.begin(), data.pending.end());
  const std::size_t drawn = data.pending.size() * static_cast<std::size_t>(fantasies);
  const auto make = [&](const Reals& y, std::size_t which) {
    const GpParameters parameters = fit_gp(to_points(space, dims_, fitted), thinned(y));
    const Reals own(z.begin() + static_cast<long>(which * drawn), z.begin() + static_cast<long>((which + 1) * drawn));
    return std::make_unique<Gp>(to_points(space, dims_, all), parameters, y, fantasies, own);
  };
  const Standard s = standardize(data.y);
  centre_ = s.centre, spread_ = s.spread;
  objective_ = make(data.y, 0);
  for (std::size_t c = 0; c < data.constraints.size(); ++c) {
    const Standard of = standardize(data.constraints[c]);
    bounds_.push_back(-of.centre / of.spread);
    constraints_.push_back(make(data.constraints[c], c + 1));
  }
  best_ = least();
  means_.resize(static_cast<std::size_t>(fantasies));
  gradients_.resize(static_cast<std::size_t>(fantasies + 1) * dims_.size());
}

double Surrogate::least() const {
  double sum = 0;  // fantasies differ where pending trials are better than all before
  for (const double value : objective_->least()) sum += value;
  return centre_ + spread_ * sum / objective_->columns();
}

double Surrogate::promise(const double* x, double* gradient) const {
  const int fantasies = objective_->columns();
  const std::size_t d = dims_.size();
  double variance = 0;
  objective_->predict(x, means_.data(), &variance, gradient ? gradients_.data() : nullptr);
  const double known_best = (best_ - centre_) / spread_;
  Reals values;
  std::vector<LogImprovement> parts;
  for (int c = 0; c < fantasies; ++c) {
    const double own = objective_->least()[static_cast<std::size_t>(c)];
    parts.push_back(log_expected_improvement(means_[static_cast<std::size_t>(c)], variance, std::min(own, known_best)));
    values.push_back(parts.back().value);
  }
  const double top = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& value : values) sum += value = exp(value - top);
  double result = log(spread_) + top + log(sum / fantasies);
  if (gradient) {
    std::fill(gradient, gradient + d, 0.0);
    for (int c = 0; c < fantasies; ++c) {
      const double share = values[static_cast<std::size_t>(c)] / sum;
      const LogImprovement& part = parts[static_cast<std::size_t>(c)];
      for (std::size_t j = 0; j < d; ++j)
        gradient[j] += share * (part.by_mean * gradients_[static_cast<std::size_t>(c) * d + j] +
                                part.by_variance * gradients_[static_cast<std::size_t>(fantasies) * d + j]);
    }
  }
  for (std::size_t i = 0; i < constraints_.size(); ++i) {
    constraints_[i]->predict(x, means_.data(), &variance, gradient ? gradients_.data() : nullptr);
    double mean = 0;
    for (const double value : means_) mean += value / fantasies;
    const LogImprovement feasible = log_probability_below(mean, variance, bounds_[i]);
    result += feasible.value;
    for (std::size_t j = 0; gradient && j < d; ++j) {
      double slope = 0;
      for (int c = 0; c < fantasies; ++c) slope += gradients_[static_cast<std::size_t>(c) * d + j] / fantasies;
      gradient[j] +=
          feasible.by_mean * slope + feasible.by_variance * gradients_[static_cast<std::size_t>(fantasies) * d + j];
    }
  }
  return result;
}

}  // namespace athanor::tune
