#include "tune/genetic.h"

#include <algorithm>
#include <numeric>

#include "tune/pareto.h"

namespace athanor::tune {
namespace {

using Kind = Dimension::Kind;

constexpr int kChildren = 16;
constexpr double kCrossoverIndex = 3, kMutationIndex = 5;  // the larger, the nearer children stay to their parents

// The places of trials: tier, then front (or value), then crowding.
std::vector<int> parents_of(const SearchRequest& request, int count) {
  const Standing& standing = request.standing;
  const int m = standing.objectives;
  std::vector<int> complete, others;
  for (int i = 0; i < request.trials.rows; ++i)
    (standing.tiers[i] == Standing::complete ? complete : others).push_back(i);
  std::vector<double> flat;
  for (const int i : complete) flat.insert(flat.end(), standing.keys.row(i), standing.keys.row(i) + m);
  const Table values{flat.data(), static_cast<int>(complete.size()), m};
  const std::vector<int> ranks = nondominated_ranks(values);
  const std::vector<double> crowding = crowding_distances(values, ranks);
  std::vector<std::size_t> order(complete.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return ranks[a] != ranks[b] ? ranks[a] < ranks[b] : crowding[a] > crowding[b];
  });
  std::vector<int> parents;
  for (const std::size_t k : order) parents.push_back(complete[k]);
  std::stable_sort(others.begin(), others.end(), [&](int a, int b) {
    if (standing.tiers[a] != standing.tiers[b]) return standing.tiers[a] < standing.tiers[b];
    return standing.keys.at(a, 0) < standing.keys.at(b, 0);
  });
  parents.insert(parents.end(), others.begin(), others.end());
  if (static_cast<int>(parents.size()) > count) parents.resize(static_cast<std::size_t>(count));
  return parents;
}

// Simulated binary crossover within [0, 1] (Deb and Agrawal 1995; its bounded form).
double crossed(double a, double b, Sequence& draws) {
  const double u = draws.uniform(), side = draws.uniform();
  if (std::fabs(a - b) < 1e-14) return a;
  const double low = std::min(a, b), high = std::max(a, b), gap = high - low;
  const double reach = 1 + 2 * (side < 0.5 ? low : 1 - high) / gap;
  const double alpha = 2 - power(reach, -(kCrossoverIndex + 1));
  const double beta = u <= 1 / alpha ? power(u * alpha, 1 / (kCrossoverIndex + 1))
                                     : power(1 / (2 - u * alpha), 1 / (kCrossoverIndex + 1));
  const double middle = 0.5 * (low + high);
  return std::clamp(side < 0.5 ? middle - 0.5 * beta * gap : middle + 0.5 * beta * gap, 0.0, 1.0);
}

// Polynomial mutation within [0, 1].
double mutated(double x, Sequence& draws) {
  const double u = draws.uniform(), down = x, up = 1 - x, index = kMutationIndex + 1;
  const double step = u < 0.5 ? power(2 * u + (1 - 2 * u) * power(1 - down, index), 1 / index) - 1
                              : 1 - power(2 * (1 - u) + 2 * (u - 0.5) * power(1 - up, index), 1 / index);
  return std::clamp(x + step, 0.0, 1.0);
}

class Breeding {
 public:
  Breeding(const SearchRequest& request, const GeneticOptions& options)
      : request_(request), options_(options), parents_(parents_of(request, options.population)) {}

  void child(Sequence& draws, double* row) const {
    const double *a = chosen(draws), *b = chosen(draws);
    const bool both = draws.uniform() < options_.crossover;
    const double rate = 1.0 / std::max(1, request_.width());
    for (int j = 0; j < request_.width(); ++j) {
      const Dimension& dim = request_.dims[static_cast<std::size_t>(j)];
      if (!exists(dim, row)) {
        row[j] = kAbsent;
        continue;
      }
      if (request_.fixed && !std::isnan(request_.fixed[j]))
        row[j] = request_.fixed[j];
      else
        row[j] = gene(dim, a[j], both ? b[j] : a[j], rate, draws);
    }
  }

 private:
  // The better of two parents: they stand in order.
  const double* chosen(Sequence& draws) const {
    const int count = static_cast<int>(parents_.size());
    const int first = draws.below(count), second = draws.below(count);
    return request_.trials.row(parents_[static_cast<std::size_t>(std::min(first, second))]);
  }

  static double gene(const Dimension& dim, double a, double b, double rate, Sequence& draws) {
    const double coin = draws.uniform(), luck = draws.uniform(), fresh = draws.uniform();
    if (std::isnan(a)) a = b;
    if (std::isnan(b)) b = a;
    if (std::isnan(a)) return settled(dim, fresh);  // neither parent has it
    if (dim.kind == Kind::choice) return luck < rate ? settled(dim, fresh) : coin < 0.5 ? a : b;
    double x = coin < 0.5 ? crossed(a, b, draws) : a;
    if (luck < rate) x = mutated(x, draws);
    return settled(dim, x);
  }

  const SearchRequest& request_;
  const GeneticOptions& options_;
  std::vector<int> parents_;
};

}  // namespace

std::vector<double> genetic_candidates(const SearchRequest& request, const GeneticOptions& options) {
  if (request.trials.rows == 0) return {};
  const Breeding breeding(request, options);
  Sequence draws(request.draws(Stream::genetic));
  std::vector<double> rows(static_cast<std::size_t>(kChildren * request.width()));
  for (int k = 0; k < kChildren; ++k) breeding.child(draws, &rows[static_cast<std::size_t>(k * request.width())]);
  return rows;
}

}  // namespace athanor::tune
