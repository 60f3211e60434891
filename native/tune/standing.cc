// The order of trials: which are the better ones.
#include <algorithm>
#include <numeric>

#include "tune/pareto.h"
#include "tune/request.h"

namespace athanor::tune {
namespace {

// Beyond the worst of these points in every objective, by a tenth of what they span.
std::vector<double> reference_of(const Table& values) {
  std::vector<double> reference;
  for (int j = 0; j < values.width; ++j) {
    double low = values.at(0, j), high = low;
    for (int i = 1; i < values.rows; ++i) low = std::min(low, values.at(i, j)), high = std::max(high, values.at(i, j));
    reference.push_back(high + std::max(0.1 * (high - low), 1e-12));
  }
  return reference;
}

// Complete trials of several objectives: fronts in turn, each in the order of what it adds to the hypervolume while `wanted` are missing.
std::vector<int> by_fronts(const Standing& standing, const std::vector<int>& trials, int wanted) {
  const int m = standing.objectives, n = static_cast<int>(trials.size());
  std::vector<double> flat;
  for (const int i : trials) flat.insert(flat.end(), standing.keys.row(i), standing.keys.row(i) + m);
  const std::vector<int> ranks = nondominated_ranks({flat.data(), n, m});
  std::vector<int> order(trials.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return ranks[static_cast<std::size_t>(a)] < ranks[static_cast<std::size_t>(b)];
  });
  std::vector<int> result;
  for (auto begin = order.begin(); begin != order.end();) {
    const int rank = ranks[static_cast<std::size_t>(*begin)];
    const auto end =
        std::find_if(begin, order.end(), [&](int i) { return ranks[static_cast<std::size_t>(i)] != rank; });
    if (static_cast<int>(result.size()) < wanted && end - begin > 1) {
      std::vector<double> front;
      for (auto at = begin; at != end; ++at)
        front.insert(front.end(), flat.begin() + *at * m, flat.begin() + (*at + 1) * m);
      const Table table{front.data(), static_cast<int>(end - begin), m};
      const std::vector<int> members(begin, end);
      const std::vector<int> chosen =
          hypervolume_order(table, reference_of(table).data(), wanted - static_cast<int>(result.size()));
      std::vector<bool> taken(members.size(), false);
      for (const int i : chosen)
        result.push_back(trials[static_cast<std::size_t>(members[static_cast<std::size_t>(i)])]);
      for (const int i : chosen) taken[static_cast<std::size_t>(i)] = true;
      for (std::size_t i = 0; i < members.size(); ++i)
        if (!taken[i]) result.push_back(trials[static_cast<std::size_t>(members[i])]);
    } else {
      for (auto at = begin; at != end; ++at) result.push_back(trials[static_cast<std::size_t>(*at)]);
    }
    begin = end;
  }
  return result;
}

}  // namespace

std::vector<int> best_first(const Standing& standing, int wanted) {
  std::vector<int> order(static_cast<std::size_t>(standing.keys.rows));
  std::iota(order.begin(), order.end(), 0);
  const bool several = standing.objectives > 1;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    if (standing.tiers[a] != standing.tiers[b]) return standing.tiers[a] < standing.tiers[b];
    if (several && standing.tiers[a] == 0) return false;
    for (int j = 0; j < standing.keys.width; ++j) {
      const double x = standing.keys.at(a, j), y = standing.keys.at(b, j);
      if (x != y && !(std::isnan(x) && std::isnan(y))) return std::isnan(y) || x < y;
    }
    return false;
  });
  if (!several) return order;
  const auto end = std::find_if(order.begin(), order.end(), [&](int i) { return standing.tiers[i] != 0; });
  const std::vector<int> complete = by_fronts(standing, {order.begin(), end}, wanted);
  std::copy(complete.begin(), complete.end(), order.begin());
  return order;
}

}  // namespace athanor::tune
