// One branch of a conditional space by itself.
#include <algorithm>

#include "tune/request.h"

namespace athanor::tune {

Branch::Branch(const SearchRequest& request, int fewest) : whole_(request) {
  if (!request.fixed) return;
  std::vector<int> deciding;
  for (const Dimension& dim : request.dims)
    for (const Condition& condition : dim.conditions)
      if (!std::isnan(request.fixed[condition.on])) deciding.push_back(condition.on);
  if (deciding.empty()) return;
  const auto append = [](std::vector<double>& to, const double* from, int count) {
    to.insert(to.end(), from, from + count);
  };
  const Standing& standing = request.standing;
  for (int i = 0; i < request.trials.rows; ++i) {
    const double* row = request.trials.row(i);
    const auto agrees = [&](int j) { return std::fabs(row[j] - request.fixed[j]) < 1e-9; };
    if (!std::all_of(deciding.begin(), deciding.end(), agrees)) continue;
    append(trials_, row, request.width());
    append(keys_, standing.keys.row(i), standing.keys.width);
    tiers_.push_back(standing.tiers[i]);
  }
  const int count = static_cast<int>(tiers_.size());
  if (count < fewest) return;
  narrowed_ = std::make_unique<SearchRequest>(request);
  narrowed_->trials = {trials_.data(), count, request.width()};
  narrowed_->standing = {tiers_.data(), {keys_.data(), count, standing.keys.width}, standing.objectives};
}

}  // namespace athanor::tune
