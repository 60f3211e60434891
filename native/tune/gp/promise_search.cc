#include "tune/gp/promise_search.h"

#include <algorithm>

#include "tune/numerics/minimize.h"
#include "tune/numerics/quasi.h"

namespace athanor::tune {
namespace {

using Kind = Dimension::Kind;

constexpr int kShortGrid = 10;  // levels that are tried one by one
constexpr double kScales[] = {0.2, 0.07, 0.02};

class Search {
 public:
  Search(const Dimensions& space, const Surrogate& surrogate, const double* fixed)
      : space_(space), surrogate_(surrogate), fixed_(fixed) {
    for (const int j : surrogate.dims()) {
      const Dimension& dim = space[static_cast<std::size_t>(j)];
      const bool is_fixed = fixed && !std::isnan(fixed[j]);
      const bool listed = dim.kind == Kind::choice || (dim.kind == Kind::grid && dim.levels <= kShortGrid);
      smooth_.push_back(!is_fixed && !listed);
      listed_.push_back(!is_fixed && listed && dim.levels > 1);
    }
  }

  const Dimension& dim(std::size_t i) const { return space_[static_cast<std::size_t>(surrogate_.dims()[i])]; }
  std::size_t width() const { return smooth_.size(); }

  // A point of the unit cube made one that the space has.
  Reals settled_point(const Reals& u) const {
    Reals x;
    for (std::size_t i = 0; i < width(); ++i) {
      const int j = surrogate_.dims()[i];
      x.push_back(!smooth_[i] && !listed_[i] && fixed_ && !std::isnan(fixed_[j]) ? fixed_[j] : settled(dim(i), u[i]));
    }
    return x;
  }

  // Where x lies in the unit cube.
  Reals in_cube(const double* x) const {
    Reals u;
    for (std::size_t i = 0; i < width(); ++i)
      u.push_back(dim(i).kind == Kind::choice ? middle_of(static_cast<int>(x[i]), dim(i).levels) : x[i]);
    return u;
  }

  double promise(const Reals& x) const { return surrogate_.promise(x.data(), nullptr); }

  // Climbs in what is smooth, then tries every listed value, as long as that helps.
  Reals climbed(Reals x, int evaluations) const {
    climb(x, evaluations);
    for (int round = 0; round < 2 && improve_listed(x); ++round) climb(x, evaluations / 2);
    return settled_point(in_cube(x.data()));
  }

 private:
  void climb(Reals& x, int evaluations) const {
    if (std::none_of(smooth_.begin(), smooth_.end(), [](bool s) { return s; })) return;
    Reals low = x, high = x;
    for (std::size_t i = 0; i < width(); ++i)
      if (smooth_[i]) low[i] = 0, high[i] = 1;
    const auto loss = [&](const double* at, double* gradient) {
      const double value = surrogate_.promise(at, gradient);
      for (std::size_t i = 0; i < width(); ++i) gradient[i] = smooth_[i] ? -gradient[i] : 0;
      return -value;
    };
    minimize(loss, low, high, x, {evaluations, 1e-6, 0.1});
  }

  bool improve_listed(Reals& x) const {
    bool better = false;
    double best = promise(x);
    for (std::size_t i = 0; i < width(); ++i) {
      if (!listed_[i]) continue;
      const double before = x[i];
      double chosen = before;
      for (int level = 0; level < dim(i).levels; ++level) {
        x[i] = coordinate_of(dim(i), level);
        if (x[i] == before) continue;
        const double value = promise(x);
        if (value > best) best = value, chosen = x[i], better = true;
      }
      x[i] = chosen;
    }
    return better;
  }

  const Dimensions& space_;
  const Surrogate& surrogate_;
  const double* fixed_;
  std::vector<bool> smooth_, listed_;  // neither: fixed, or one level only
};

struct Scored {
  double promise;
  Reals x;
};

// Even points, and some around good trials.
std::vector<Scored> first_points(const Search& search, const Surrogate& surrogate,
                                 const std::vector<const double*>& near, const Draws& draws, int count) {
  const auto d = static_cast<int>(search.width());
  std::vector<Scored> points;
  const auto add = [&](const Reals& u) {
    Reals x = search.settled_point(u);
    const double promise = search.promise(x);
    points.push_back({promise, std::move(x)});
  };
  const std::uint64_t scramble = draws.seed ^ std::uint64_t{draws.number} << 20;
  for (int i = 0; i < count; ++i) add(sobol_point(scramble, static_cast<std::uint32_t>(i), d));
  Sequence sequence(draws);
  for (const double* row : near) {
    Reals own;
    for (const int j : surrogate.dims()) own.push_back(row[j]);
    const Reals centre = search.in_cube(own.data());
    for (const double scale : kScales)
      for (int repeat = 0; repeat < 6; ++repeat) {
        Reals u = centre;
        for (std::size_t i = 0; i < u.size(); ++i) {
          if (sequence.uniform() < 0.3 && d > 1) continue;
          u[i] = std::clamp(u[i] + scale * sequence.normal(), 0.0, 1.0);
          if (search.dim(i).kind == Kind::choice && sequence.uniform() < scale) u[i] = sequence.uniform();
        }
        add(u);
      }
  }
  std::stable_sort(points.begin(), points.end(),
                   [](const Scored& a, const Scored& b) { return a.promise > b.promise; });
  return points;
}

double distance_between(const Reals& a, const Reals& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

}  // namespace

std::vector<Promising> most_promising(const Dimensions& space, const Surrogate& surrogate, const double* fixed,
                                      const std::vector<const double*>& near, const Draws& draws,
                                      const SearchPlan& plan) {
  const Search search(space, surrogate, fixed);
  std::vector<Scored> points = first_points(search, surrogate, near, draws, plan.points);
  std::vector<Reals> begun;
  for (std::size_t i = 0; i < points.size() && static_cast<int>(begun.size()) < plan.climbs; ++i) {
    const auto close = [&](const Reals& other) { return distance_between(other, points[i].x) < 0.05; };
    if (std::none_of(begun.begin(), begun.end(), close)) begun.push_back(points[i].x);
  }
  for (const Reals& from : begun) {
    Reals x = search.climbed(from, plan.evaluations);
    const double promise = search.promise(x);
    points.push_back({promise, std::move(x)});
  }
  std::stable_sort(points.begin(), points.end(),
                   [](const Scored& a, const Scored& b) { return a.promise > b.promise; });
  if (points.size() > 64) points.resize(64);
  std::vector<Promising> result;
  for (const Scored& point : points) {
    Reals row(space.size(), kAbsent);
    for (std::size_t i = 0; i < search.width(); ++i) row[static_cast<std::size_t>(surrogate.dims()[i])] = point.x[i];
    result.push_back({point.promise, std::move(row)});
  }
  return result;
}

}  // namespace athanor::tune
