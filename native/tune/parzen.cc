#include "tune/parzen.h"

#include <algorithm>

#include "tune/numerics/vector_math.h"

namespace athanor::tune {
namespace {

using Kind = Dimension::Kind;

constexpr int kTableLevels = 128;  // grids up to here have the mass of every cell; finer ones are as good as real

bool has_table(const Dimension& dim) {
  return dim.kind == Kind::choice || (dim.kind == Kind::grid && dim.levels <= kTableLevels);
}

double mass_between(double low, double high, double centre, double sigma) {
  if (centre - low > 8.3 * sigma && high - centre > 8.3 * sigma) return 1;  // to the last bit
  return normal_cdf((high - centre) / sigma) - normal_cdf((low - centre) / sigma);
}

// ln of a kernel's mass at every level, [own level][level].
std::vector<double> table_of(const Dimension& dim, double bandwidth) {
  const int n = dim.levels;
  std::vector<double> table(static_cast<std::size_t>(n) * n);
  for (int own = 0; own < n; ++own) {
    double* row = &table[static_cast<std::size_t>(own) * n];
    double sum = 0;
    for (int level = 0; level < n; ++level) {
      const double low = static_cast<double>(level) / n, high = (level + 1.0) / n;
      row[level] = dim.kind == Kind::choice ? (level == own ? 1 + bandwidth : bandwidth)
                                            : mass_between(low, high, middle_of(own, n), bandwidth);
      sum += row[level];
    }
    // Density in units of the uniform one, as for reals.
    for (int level = 0; level < n; ++level) row[level] = log(std::max(row[level] / sum * n, 1e-300));
  }
  return table;
}

}  // namespace

Parzen::Parzen(const Dimensions& dims, const std::vector<const double*>& rows, const std::vector<double>& weights,
               const ParzenOptions& options)
    : dims_(dims), kernels_(static_cast<int>(rows.size()) + 1), columns_(dims.size()) {
  double sum = options.prior;
  for (const double weight : weights) sum += weight;
  log_weights_.push_back(log(options.prior / sum));
  double before = 0, logarithm = 0;
  for (const double weight : weights) {
    if (weight != before) before = weight, logarithm = log(weight / sum);
    log_weights_.push_back(logarithm);
  }
  for (int j = 0; j < static_cast<int>(dims.size()); ++j) {
    Column& column = columns_[static_cast<std::size_t>(j)];
    column.bandwidth = options.bandwidth[static_cast<std::size_t>(j)];
    has_table(dims[static_cast<std::size_t>(j)]) ? add_table(column, rows, j) : add_real(column, rows, j);
  }
}

void Parzen::add_real(Column& column, const std::vector<const double*>& rows, int j) const {
  const double sigma = column.bandwidth, scale = kSqrtHalf / sigma, whole = -log(sigma) - kLogSqrt2Pi;
  column.centre.push_back(0), column.scale.push_back(0), column.norm.push_back(0);  // the prior
  for (const double* row : rows) {
    const double x = row[j];
    const bool present = !std::isnan(x);
    column.centre.push_back(present ? x * scale : 0);
    column.scale.push_back(present ? scale : 0);
    const double mass = present ? mass_between(0, 1, x, sigma) : 1;
    column.norm.push_back(!present ? 0 : mass < 1 ? whole - log(mass) : whole);
  }
}

void Parzen::add_table(Column& column, const std::vector<const double*>& rows, int j) const {
  column.log_mass = table_of(dims_[static_cast<std::size_t>(j)], column.bandwidth);
  column.level.push_back(-1);
  for (const double* row : rows)
    column.level.push_back(std::isnan(row[j]) ? -1 : level_of(dims_[static_cast<std::size_t>(j)], row[j]));
}

// sums[k] += ln k_j(x), for every kernel.
void Parzen::accumulate(const Column& column, int j, double x, std::vector<double>& sums) const {
  if (column.level.empty()) {
    add_squares(sums.data(), column.norm.data(), column.scale.data(), column.centre.data(), x, kernels_);
    return;
  }
  const int levels = dims_[static_cast<std::size_t>(j)].levels, level = level_of(dims_[static_cast<std::size_t>(j)], x);
  for (std::size_t k = 0; k < sums.size(); ++k)
    if (column.level[k] >= 0) sums[k] += column.log_mass[static_cast<std::size_t>(column.level[k] * levels + level)];
}

double Parzen::log_density(const double* row) const {
  std::vector<double> sums = log_weights_;
  for (std::size_t j = 0; j < dims_.size(); ++j)
    if (!std::isnan(row[j])) accumulate(columns_[j], static_cast<int>(j), row[j], sums);
  return log_sum_exp(sums);
}

void Parzen::sample(Sequence& draws, const double* fixed, double* row) const {
  std::vector<double> weights = log_weights_;
  for (std::size_t j = 0; j < dims_.size(); ++j)
    if (fixed && !std::isnan(fixed[j])) accumulate(columns_[j], static_cast<int>(j), fixed[j], weights);
  const double top = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& weight : weights) sum += weight = exp(weight - top);
  double left = draws.uniform() * sum;
  int kernel = 0;
  while (kernel + 1 < kernels_ && left >= weights[static_cast<std::size_t>(kernel)])
    left -= weights[static_cast<std::size_t>(kernel++)];
  for (int j = 0; j < static_cast<int>(dims_.size()); ++j) {
    if (!exists(dims_[static_cast<std::size_t>(j)], row))
      row[j] = kAbsent;
    else
      row[j] =
          fixed && !std::isnan(fixed[j]) ? fixed[j] : draw(columns_[static_cast<std::size_t>(j)], j, kernel, draws);
  }
}

double Parzen::draw(const Column& column, int j, int kernel, Sequence& draws) const {
  const Dimension& dim = dims_[static_cast<std::size_t>(j)];
  const auto k = static_cast<std::size_t>(kernel);
  const double u = draws.uniform();
  if (column.level.empty()) {
    if (column.scale[k] == 0) return settled(dim, u);
    const double sigma = column.bandwidth, centre = column.centre[k] / column.scale[k];
    const double low = normal_cdf(-centre / sigma), high = normal_cdf((1 - centre) / sigma);
    return settled(dim, centre + sigma * normal_quantile(std::clamp(low + u * (high - low), 1e-300, 1 - 0x1p-53)));
  }
  if (column.level[k] < 0) return settled(dim, u);
  const double* mass = &column.log_mass[static_cast<std::size_t>(column.level[k] * dim.levels)];
  double left = u * dim.levels;
  int level = 0;
  for (; level + 1 < dim.levels; ++level)
    if ((left -= exp(mass[level])) < 0) break;
  return coordinate_of(dim, level);
}

}  // namespace athanor::tune
