#include "tune/pareto.h"

#include <algorithm>
#include <numeric>

namespace athanor::tune {
namespace {

using Point = std::vector<double>;

bool has_nan(const double* row, int m) {
  return std::any_of(row, row + m, [](double x) { return std::isnan(x); });
}

double volume_between(const Point& point, const double* reference) {
  double product = 1;
  for (std::size_t j = 0; j < point.size(); ++j) product *= reference[j] - point[j];
  return product;
}

// Points that none dominates, equal ones once, by their first objective.
std::vector<Point> front_of(std::vector<Point> points) {
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  std::vector<Point> front;
  for (const Point& point : points) {  // whoever dominates a point stands before it
    const auto beats = [&](const Point& other) {
      return dominates(other.data(), point.data(), static_cast<int>(point.size()));
    };
    const auto first =
        point.size() == 2 && !front.empty() ? front.end() - 1 : front.begin();  // of two, the last decides
    if (std::none_of(first, front.end(), beats)) front.push_back(point);
  }
  return front;
}

double sweep(const std::vector<Point>& front, const double* reference) {
  double sum = 0, ceiling = reference[1];
  for (const Point& point : front) {
    sum += (reference[0] - point[0]) * (ceiling - point[1]);
    ceiling = point[1];
  }
  return sum;
}

double volume_of(const std::vector<Point>& front, const double* reference) {
  if (front.empty()) return 0;
  if (front[0].size() == 1) return reference[0] - front[0][0];
  if (front[0].size() == 2) return sweep(front, reference);
  // WFG: a point's own volume less what those after it share with it.
  double sum = 0;
  for (std::size_t i = 0; i < front.size(); ++i) {
    std::vector<Point> limited;
    for (std::size_t k = i + 1; k < front.size(); ++k) {
      Point worse = front[k];
      for (std::size_t j = 0; j < worse.size(); ++j) worse[j] = std::max(worse[j], front[i][j]);
      limited.push_back(std::move(worse));
    }
    sum += volume_between(front[i], reference) - volume_of(front_of(std::move(limited)), reference);
  }
  return sum;
}

std::vector<Point> below(const Table& values, const double* reference) {
  std::vector<Point> points;
  for (int i = 0; i < values.rows; ++i) {
    const double* row = values.row(i);
    bool inside = true;
    for (int j = 0; j < values.width; ++j) inside = inside && row[j] < reference[j];
    if (inside) points.emplace_back(row, row + values.width);
  }
  return points;
}

}  // namespace

bool dominates(const double* a, const double* b, int objectives) {
  bool better = false;
  for (int j = 0; j < objectives; ++j) {
    if (!(a[j] <= b[j])) return false;
    better = better || a[j] < b[j];
  }
  return better;
}

std::vector<int> nondominated_ranks(const Table& values) {
  const int n = values.rows, m = values.width;
  std::vector<int> order(static_cast<std::size_t>(n)), ranks(static_cast<std::size_t>(n), 0);
  std::iota(order.begin(), order.end(), 0);
  const auto sound =
      std::stable_partition(order.begin(), order.end(), [&](int i) { return !has_nan(values.row(i), m); });
  std::stable_sort(order.begin(), sound, [&](int a, int b) {
    return std::lexicographical_compare(values.row(a), values.row(a) + m, values.row(b), values.row(b) + m);
  });
  std::vector<std::vector<int>> fronts;
  const auto beaten_in = [&](const std::vector<int>& front, int i) {
    // The last member has the least second objective of a front of two, and is the likeliest to dominate in general.
    if (m == 2) return dominates(values.row(front.back()), values.row(i), m);
    return std::any_of(front.rbegin(), front.rend(), [&](int k) { return dominates(values.row(k), values.row(i), m); });
  };
  for (auto at = order.begin(); at != sound; ++at) {
    // A row that a front beats is beaten by all fronts before it: bisection.
    const auto home = std::partition_point(fronts.begin(), fronts.end(),
                                           [&](const std::vector<int>& front) { return beaten_in(front, *at); });
    ranks[static_cast<std::size_t>(*at)] = static_cast<int>(home - fronts.begin());
    if (home == fronts.end())
      fronts.push_back({*at});
    else
      home->push_back(*at);
  }
  for (auto at = sound; at != order.end(); ++at) ranks[static_cast<std::size_t>(*at)] = static_cast<int>(fronts.size());
  return ranks;
}

std::vector<double> crowding_distances(const Table& values, const std::vector<int>& ranks) {
  const auto n = static_cast<std::size_t>(values.rows);
  std::vector<double> distances(n, 0.0);
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (int j = 0; j < values.width; ++j) {
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      const int ra = ranks[static_cast<std::size_t>(a)], rb = ranks[static_cast<std::size_t>(b)];
      return ra != rb ? ra < rb : values.at(a, j) < values.at(b, j);
    });
    for (std::size_t begin = 0; begin < n;) {
      std::size_t end = begin;
      while (end < n && ranks[static_cast<std::size_t>(order[end])] == ranks[static_cast<std::size_t>(order[begin])])
        ++end;
      const double span = values.at(order[end - 1], j) - values.at(order[begin], j);
      distances[static_cast<std::size_t>(order[begin])] = distances[static_cast<std::size_t>(order[end - 1])] =
          std::numeric_limits<double>::infinity();
      for (std::size_t i = begin + 1; i + 1 < end; ++i)
        if (span > 0)
          distances[static_cast<std::size_t>(order[i])] +=
              (values.at(order[i + 1], j) - values.at(order[i - 1], j)) / span;
      begin = end;
    }
  }
  return distances;
}

double hypervolume(const Table& values, const double* reference) {
  return volume_of(front_of(below(values, reference)), reference);
}

std::vector<int> hypervolume_order(const Table& values, const double* reference, int count) {
  std::vector<int> chosen;
  std::vector<bool> taken(static_cast<std::size_t>(values.rows), false);
  std::vector<Point> kept;
  double volume = 0;
  while (static_cast<int>(chosen.size()) < std::min(count, values.rows)) {
    int best = -1;
    double most = -1;
    for (int i = 0; i < values.rows; ++i) {
      if (taken[static_cast<std::size_t>(i)]) continue;
      std::vector<Point> with = kept;
      const Table single{values.row(i), 1, values.width};
      for (Point& point : below(single, reference)) with.push_back(std::move(point));
      const double gain = volume_of(front_of(std::move(with)), reference) - volume;
      if (gain > most) most = gain, best = i;
    }
    chosen.push_back(best);
    taken[static_cast<std::size_t>(best)] = true;
    const Table single{values.row(best), 1, values.width};
    for (Point& point : below(single, reference)) kept.push_back(std::move(point));
    volume += std::max(most, 0.0);
  }
  return chosen;
}

}  // namespace athanor::tune
