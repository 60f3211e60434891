#include "tune/gp/gp_sampler.h"

#include <algorithm>
#include <numeric>

#include "tune/gp/promise_search.h"

namespace athanor::tune {
namespace {

constexpr int kMostTrials = 400;  // of a branch; of more, the best ones and an even choice of the rest
constexpr int kFewest = 3;        // trials of a branch that a process can be fitted to
constexpr int kFantasies = 8;
constexpr int kMostPending = 64;

struct Trial {
  int index;
  double y;
};

// One number a trial, small is good: the objective; of several, their largest in random weights (augmented Chebyshev).
Reals scalarized(const SearchRequest& request, const std::vector<int>& trials) {
  const Standing& standing = request.standing;
  const int m = standing.objectives;
  const auto value = [&](int i, int j) {
    // Of infeasible trials the violation comes first.
    const int shift = standing.tiers[i] == Standing::infeasible ? 1 : 0;
    return j + shift < standing.keys.width ? standing.keys.at(i, j + shift) : kAbsent;
  };
  Reals y;
  if (m == 1) {
    for (const int i : trials) y.push_back(value(i, 0));
    return y;
  }
  Sequence draws(request.draws(Stream::gp));
  Reals weights, low(static_cast<std::size_t>(m), 1e300), high(static_cast<std::size_t>(m), -1e300);
  double sum = 0;
  for (int j = 0; j < m; ++j) weights.push_back(-log(draws.uniform())), sum += weights.back();
  for (const int i : trials)
    for (int j = 0; j < m; ++j) {
      auto &l = low[static_cast<std::size_t>(j)], &h = high[static_cast<std::size_t>(j)];
      if (!std::isnan(value(i, j))) l = std::min(l, value(i, j)), h = std::max(h, value(i, j));
    }
  for (const int i : trials) {
    double largest = -1e300, total = 0;
    for (int j = 0; j < m; ++j) {
      const auto k = static_cast<std::size_t>(j);
      const double part = weights[k] / sum * (value(i, j) - low[k]) / std::max(high[k] - low[k], 1e-300);
      largest = part > largest || std::isnan(part) ? part : largest, total += part;
    }
    y.push_back(largest + 0.05 * total);
  }
  return y;
}

double median_of(Reals values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Large values say that a region is bad and no more: above the median the objective is drawn in, by a logarithm in units of the
// usual distance from the median (0.3 of it: values of hundreds of times the best one say nothing about its neighbourhood).
void draw_in(std::vector<Trial>& trials) {
  Reals values;
  for (const Trial& trial : trials) values.push_back(trial.y);
  const double middle = median_of(values);
  Reals below;
  for (const double value : values) below.push_back(std::fabs(value - middle));
  const double unit = std::max(
      {0.3 * median_of(below), 1e-3 * std::fabs(middle - *std::min_element(values.begin(), values.end())), 1e-300});
  for (Trial& trial : trials)
    if (trial.y > middle + unit) trial.y = middle + unit * (1 + log((trial.y - middle) / unit));
}

// What is known of every trial, as one number.
std::vector<Trial> observed(const SearchRequest& request) {
  const Standing& standing = request.standing;
  std::vector<int> with_values;
  for (int i = 0; i < request.trials.rows; ++i)
    if (standing.tiers[i] == Standing::complete || standing.tiers[i] == Standing::infeasible) with_values.push_back(i);
  const Reals y = scalarized(request, with_values);
  std::vector<Trial> trials;
  for (std::size_t k = 0; k < y.size(); ++k)
    if (std::isfinite(y[k])) trials.push_back({with_values[k], y[k]});
  if (trials.empty()) return trials;
  draw_in(trials);
  Reals known;
  for (const Trial& trial : trials) known.push_back(trial.y);
  const double worst = *std::max_element(known.begin(), known.end()), middle = median_of(known);
  for (int i = 0; i < request.trials.rows; ++i) {
    const double tier = standing.tiers[i];
    if (tier == Standing::infinite || tier == Standing::failed) trials.push_back({i, worst});
    // A pruned trial is known not to be among the better ones; how bad it would have been is not.
    if (tier == Standing::pruned && standing.objectives == 1) {
      const double last = standing.keys.at(i, 1);
      trials.push_back({i, std::isfinite(last) ? std::clamp(last, middle, worst) : worst});
    }
  }
  std::stable_sort(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) { return a.index < b.index; });
  return trials;
}

// Branches differ in which dimensions exist, and in the values of those that others hang on.
Reals signature_of(const SearchRequest& request, const std::vector<bool>& deciding, const double* row) {
  Reals signature;
  for (std::size_t j = 0; j < request.dims.size(); ++j)
    signature.push_back(std::isnan(row[j]) ? -1 : deciding[j] ? row[j] : -2);
  return signature;
}

bool is_complete(const Dimensions& dims, const double* row) {
  for (std::size_t j = 0; j < dims.size(); ++j)
    if (std::isnan(row[j]) == exists(dims[j], row)) return false;
  return true;
}

struct Group {
  Reals signature;
  std::vector<Trial> trials;
  std::vector<const double*> pending;
};

std::vector<Group> grouped(const SearchRequest& request) {
  std::vector<bool> deciding(request.dims.size(), false);
  for (const Dimension& dim : request.dims)
    for (const Condition& condition : dim.conditions) deciding[static_cast<std::size_t>(condition.on)] = true;
  std::vector<Group> groups;
  const auto group_of = [&](const double* row) -> Group& {
    Reals signature = signature_of(request, deciding, row);
    for (Group& group : groups)
      if (group.signature == signature) return group;
    groups.push_back({std::move(signature), {}, {}});
    return groups.back();
  };
  for (const Trial& trial : observed(request)) {
    const double* row = request.trials.row(trial.index);
    if (is_complete(request.dims, row)) group_of(row).trials.push_back(trial);
  }
  for (int i = std::max(0, request.pending.rows - kMostPending); i < request.pending.rows; ++i)
    if (is_complete(request.dims, request.pending.row(i)))
      group_of(request.pending.row(i)).pending.push_back(request.pending.row(i));
  return groups;
}

bool agrees_with_fixed(const SearchRequest& request, const Group& group) {
  if (!request.fixed) return true;
  for (std::size_t j = 0; j < request.dims.size(); ++j) {
    const double fixed = request.fixed[j], own = group.signature[j];
    if (std::isnan(fixed)) continue;
    if (own == -1 || (own >= 0 && std::fabs(own - fixed) > 1e-9)) return false;
  }
  return true;
}

// Of too many trials the better third and every k-th of the others.
std::vector<Trial> bounded(std::vector<Trial> trials) {
  if (static_cast<int>(trials.size()) <= kMostTrials) return trials;
  std::stable_sort(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) { return a.y < b.y; });
  const std::size_t best = kMostTrials / 3, others = kMostTrials - best;
  std::vector<Trial> kept(trials.begin(), trials.begin() + static_cast<long>(best));
  for (std::size_t i = 0; i < others; ++i) kept.push_back(trials[best + i * (trials.size() - best) / others]);
  std::stable_sort(kept.begin(), kept.end(), [](const Trial& a, const Trial& b) { return a.index < b.index; });
  return kept;
}

struct Branched {
  Surrogate surrogate;
  std::vector<const double*> near;
  Reals fixed;  // what the request fixes, and what makes the branch
};

Reals fixed_in(const SearchRequest& request, const Group& group) {
  Reals fixed(request.dims.size(), kAbsent);
  for (std::size_t j = 0; j < fixed.size(); ++j) {
    if (request.fixed) fixed[j] = request.fixed[j];
    if (group.signature[j] >= 0) fixed[j] = group.signature[j];
  }
  return fixed;
}

Branched model_of(const SearchRequest& request, const Group& group, std::uint64_t which) {
  const std::vector<Trial> trials = bounded(group.trials);
  BranchData data;
  for (std::size_t j = 0; j < request.dims.size(); ++j)
    if (group.signature[j] != -1) data.dims.push_back(static_cast<int>(j));
  for (const Trial& trial : trials) data.rows.push_back(request.trials.row(trial.index)), data.y.push_back(trial.y);
  for (int c = 0; c < request.constraints.width && request.constraints.rows > 0; ++c) {
    Reals values;
    for (const Trial& trial : trials) values.push_back(request.constraints.at(trial.index, c));
    double worst = 0;
    for (const double value : values)
      if (!std::isnan(value)) worst = std::max(worst, value);
    for (double& value : values) value = std::isnan(value) ? worst : value;
    data.constraints.push_back(std::move(values));
  }
  data.pending = group.pending;
  const int fantasies = data.pending.empty() ? 1 : kFantasies;
  Reals z;
  const Draws draws = request.draws(Stream::gp);
  const std::size_t count = data.pending.size() * static_cast<std::size_t>(fantasies) * (1 + data.constraints.size());
  for (std::size_t i = 0; i < count; ++i) z.push_back(draws.normal((1 + which) << 32 | i));
  std::vector<Trial> order = trials;
  std::stable_sort(order.begin(), order.end(), [](const Trial& a, const Trial& b) { return a.y < b.y; });
  std::vector<const double*> near;
  for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 5); ++i)
    near.push_back(request.trials.row(order[i].index));
  return {Surrogate(request.dims, std::move(data), fantasies, z), std::move(near), fixed_in(request, group)};
}

std::vector<double> rows_of(std::vector<Promising> points) {
  std::stable_sort(points.begin(), points.end(),
                   [](const Promising& a, const Promising& b) { return a.promise > b.promise; });
  std::vector<double> rows;
  for (const Promising& point : points) rows.insert(rows.end(), point.row.begin(), point.row.end());
  return rows;
}

}  // namespace

std::vector<double> gp_candidates(const SearchRequest& asked, const Table& given) {
  const Branch branch(asked, kFewest);
  const SearchRequest& request = branch.request();
  std::vector<Group> groups = grouped(request);
  std::vector<Branched> models;
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (static_cast<int>(groups[g].trials.size()) < kFewest) continue;
    const bool wanted = given.rows > 0 || agrees_with_fixed(request, groups[g]);
    if (!wanted) continue;
    models.push_back(model_of(request, groups[g], g));
    best = std::min(best, models.back().surrogate.least());
  }
  std::vector<Promising> all;
  for (std::size_t b = 0; b < models.size(); ++b) {
    models[b].surrogate.set_best(best);
    const SearchPlan plan{request.trials.rows > 250 ? 128 : 256, 5, 40};
    Draws draws = request.draws(Stream::gp);
    draws.number ^= static_cast<std::uint32_t>(b) << 24;
    if (given.rows == 0)
      for (Promising& point :
           most_promising(request.dims, models[b].surrogate, models[b].fixed.data(), models[b].near, draws, plan))
        all.push_back(std::move(point));
  }
  for (int i = 0; i < given.rows; ++i) {
    const double* row = given.row(i);
    double promise = -1e300;
    for (const Branched& model : models) {
      Reals x;
      for (const int j : model.surrogate.dims()) x.push_back(row[j]);
      const bool fits = std::none_of(x.begin(), x.end(), [](double value) { return std::isnan(value); });
      if (fits) promise = std::max(promise, model.surrogate.promise(x.data(), nullptr));
    }
    all.push_back({promise, Reals(row, row + request.width())});
  }
  return rows_of(std::move(all));
}

}  // namespace athanor::tune
