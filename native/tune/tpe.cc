#include "tune/tpe.h"

#include <algorithm>
#include <numeric>

#include "tune/parzen.h"

namespace athanor::tune {
namespace {

constexpr double kBetterShare = 0.15;
constexpr int kMostBetter = 25;
constexpr double kPrior = 0.5;   // weight of the uniform kernel, in trials
constexpr double kSpread = 0.8;  // bandwidth of the better trials in units of their spread, times n^(−1 / (d + 4))
constexpr double kWidest = 0.1;  // that of the others, and the most of the better ones, in units of the range
constexpr double kUniformVariance = 1.0 / 12;
constexpr int kFewest = 5;        // trials of a branch that are enough to learn from it alone
constexpr int kMostWorse = 2000;  // of more, every k-th in the order of their values stands for its neighbours

// Silverman's shrinking of a bandwidth with n kernels in d dimensions.
double shrinking(double n, int d) { return power(n, -1.0 / (d + 4)); }

// The better trials are known by how wide they lie: their weighted variance, drawn towards that of the prior by one trial's weight.
double spread_of(const std::vector<const double*>& rows, const std::vector<double>& weights, std::size_t j) {
  double sum = 0, mean = 0, variance = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!std::isnan(rows[i][j])) sum += weights[i], mean += weights[i] * rows[i][j];
  if (sum == 0) return std::sqrt(kUniformVariance);
  mean /= sum;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!std::isnan(rows[i][j])) variance += weights[i] * (rows[i][j] - mean) * (rows[i][j] - mean);
  return std::sqrt((variance + kUniformVariance) / (sum + 1));
}

double narrowest(const Dimension& dim) { return dim.kind == Dimension::Kind::grid ? 0.5 / dim.levels : 1e-4; }

int dimensions_at_once(const Dimensions& dims) {
  // A trial has the unconditional ones and about as many of the others as one branch has: a mild understatement is harmless.
  const auto fixed = std::count_if(dims.begin(), dims.end(), [](const Dimension& d) { return d.conditions.empty(); });
  return std::max<int>(1, static_cast<int>(fixed) + (static_cast<int>(dims.size() - fixed) + 1) / 2);
}

ParzenOptions better_options(const SearchRequest& request, const std::vector<const double*>& rows,
                             const std::vector<double>& weights) {
  const double n = static_cast<double>(rows.size()) + 1;
  const double shrink = shrinking(n, dimensions_at_once(request.dims));
  ParzenOptions options{kPrior, {}};
  for (std::size_t j = 0; j < request.dims.size(); ++j) {
    const Dimension& dim = request.dims[j];
    if (dim.kind == Dimension::Kind::choice)
      options.bandwidth.push_back(1 / n);
    else {
      const double width = std::min(kWidest, kSpread * spread_of(rows, weights, j)) * shrink;
      options.bandwidth.push_back(std::max(width, narrowest(dim)));
    }
  }
  return options;
}

ParzenOptions worse_options(const SearchRequest& request, std::size_t trials) {
  const double n = static_cast<double>(trials) + 1;
  const double width = kWidest * shrinking(n, dimensions_at_once(request.dims));
  ParzenOptions options{kPrior, {}};
  for (const Dimension& dim : request.dims)
    options.bandwidth.push_back(dim.kind == Dimension::Kind::choice ? 1 / n : std::max(width, narrowest(dim)));
  return options;
}

std::vector<double> drawn(const SearchRequest& request, const Parzen& density, int candidates, const Table& given) {
  if (given.rows > 0) return {given.data, given.row(given.rows)};
  std::vector<double> rows(static_cast<std::size_t>(candidates) * request.dims.size());
  Sequence draws(request.draws(Stream::tpe));
  for (int c = 0; c < candidates; ++c)
    density.sample(draws, request.fixed, &rows[static_cast<std::size_t>(c) * request.dims.size()]);
  return rows;
}

// Rows by their score, the largest first.
template <class Score>
std::vector<double> ranked(const std::vector<double>& rows, int width, Score&& score) {
  const Table table{rows.data(), static_cast<int>(rows.size()) / width, width};
  std::vector<double> scores;
  for (int c = 0; c < table.rows; ++c) scores.push_back(score(table.row(c)));
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  std::vector<double> result;
  for (const int c : order) result.insert(result.end(), table.row(c), table.row(c) + width);
  return result;
}

}  // namespace

std::vector<double> tpe_candidates(const SearchRequest& asked, int candidates, const Table& given) {
  const Branch branch(asked, kFewest);
  const SearchRequest& request = branch.request();
  const int n = request.trials.rows;
  const int count = std::min(n, std::clamp(static_cast<int>(std::ceil(kBetterShare * n)), 1, kMostBetter));
  const std::vector<int> order = best_first(request.standing, count);

  std::vector<const double*> better, worse;
  std::vector<double> weights, worse_weights;
  for (int i = 0; i < count; ++i) {
    better.push_back(request.trials.row(order[static_cast<std::size_t>(i)]));
    weights.push_back(2.0 * (count - i) / (count + 1));  // linear in the order; they sum up to their number
  }
  const int rest = n - count, taken = std::min(rest, kMostWorse);
  for (int i = 0; i < taken; ++i) {
    const auto at = static_cast<std::size_t>(count + static_cast<long long>(i) * rest / taken);
    worse.push_back(request.trials.row(order[at]));
    worse_weights.push_back(static_cast<double>(rest) / taken);
  }
  for (int i = 0; i < request.pending.rows; ++i) worse.push_back(request.pending.row(i)), worse_weights.push_back(1);

  const Parzen good(request.dims, better, weights, better_options(request, better, weights));
  const Parzen bad(request.dims, worse, worse_weights, worse_options(request, static_cast<std::size_t>(rest)));
  return ranked(drawn(request, good, candidates, given), request.width(),
                [&](const double* row) { return good.log_density(row) - bad.log_density(row); });
}

}  // namespace athanor::tune
