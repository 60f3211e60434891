// One branch of a conditional or mixed space by itself.
#include <algorithm>

#include "tune/request.h"

namespace athanor::tune {

Branch::Branch(const SearchRequest& request, int fewest) : whole_(request) {
  if (!request.fixed) return;
  std::vector<int> deciding;
  const auto add = [&](int j) {
    if (!std::isnan(request.fixed[j])) deciding.push_back(j);
  };
  for (int j = 0; j < request.width(); ++j) {
    const Dimension& dim = request.dims[static_cast<std::size_t>(j)];
    if (dim.kind == Dimension::Kind::choice) add(j);
    for (const Condition& condition : dim.conditions) add(condition.on);
  }
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
    if (request.constraints.rows > 0) append(constraints_, request.constraints.row(i), request.constraints.width);
  }
  const int count = static_cast<int>(tiers_.size());
  if (count < fewest) return;
  narrowed_ = std::make_unique<SearchRequest>(request);
  narrowed_->trials = {trials_.data(), count, request.width()};
  if (request.constraints.rows > 0) narrowed_->constraints = {constraints_.data(), count, request.constraints.width};
  narrowed_->standing = {tiers_.data(), {keys_.data(), count, standing.keys.width}, standing.objectives};
}

}  // namespace athanor::tune
