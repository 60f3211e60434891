#include "tune/forest.h"

#include <algorithm>
#include <numeric>

namespace athanor::tune {

Tree::Tree(const Dimensions& dims, const Table& rows, const std::vector<double>& values, std::vector<int> sample,
           int depth, Sequence& draws)
    : dims_(dims), rows_(rows), values_(values) {
  grow(sample.data(), sample.data() + sample.size(), depth, draws);
}

bool Tree::goes_left(int dim, double cut, const double* row) const {
  return dims_[static_cast<std::size_t>(dim)].kind == Dimension::Kind::choice ? row[dim] == cut : row[dim] <= cut;
}

double Tree::predict(const double* row) const {
  int at = 0;
  while (nodes_[static_cast<std::size_t>(at)].dim >= 0) {
    const TreeNode& node = nodes_[static_cast<std::size_t>(at)];
    at = goes_left(node.dim, node.cut, row) ? node.left : node.right;
  }
  return nodes_[static_cast<std::size_t>(at)].value;
}

// What the sum of squares falls by: S_l² / n_l + S_r² / n_r − S² / n.
Tree::Split Tree::best_split(int* begin, int* end, int dim) const {
  Split best;
  const auto value = [&](int i) { return values_[static_cast<std::size_t>(i)]; };
  double total = 0;
  for (const int* at = begin; at != end; ++at) total += value(*at);
  const double n = static_cast<double>(end - begin);
  const auto offer = [&](double sum, double count, double cut) {
    const double rest = total - sum;
    const double gain = sum * sum / count + rest * rest / (n - count) - total * total / n;
    if (gain > best.gain) best = {dim, cut, gain};
  };
  const Dimension& dimension = dims_[static_cast<std::size_t>(dim)];
  if (dimension.kind == Dimension::Kind::choice) {
    std::vector<double> sums(static_cast<std::size_t>(dimension.levels), 0.0), counts = sums;
    for (const int* at = begin; at != end; ++at) {
      const auto level = static_cast<std::size_t>(rows_.at(*at, dim));
      sums[level] += value(*at), ++counts[level];
    }
    for (std::size_t level = 0; level < sums.size(); ++level)
      if (counts[level] > 0 && counts[level] < n) offer(sums[level], counts[level], static_cast<double>(level));
    return best;
  }
  std::sort(begin, end, [&](int a, int b) {
    const double x = rows_.at(a, dim), y = rows_.at(b, dim);
    return x != y ? x < y : a < b;
  });
  double sum = 0;
  for (int* at = begin; at + 1 != end; ++at) {
    sum += value(*at);
    const double here = rows_.at(at[0], dim), next = rows_.at(at[1], dim);
    if (here < next) offer(sum, static_cast<double>(at - begin + 1), 0.5 * (here + next));
  }
  return best;
}

int Tree::grow(int* begin, int* end, int depth, Sequence& draws) {
  const int self = static_cast<int>(nodes_.size());
  nodes_.emplace_back();
  double sum = 0;
  for (const int* at = begin; at != end; ++at) sum += values_[static_cast<std::size_t>(*at)];
  nodes_.back().value = sum / static_cast<double>(end - begin);
  if (depth == 0 || end - begin < 2) return self;
  std::vector<int> order(dims_.size());
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(draws.below(static_cast<int>(i)))]);
  const std::size_t looked_at = order.size() <= 6 ? order.size() : std::max<std::size_t>(6, order.size() / 3);
  Split best;
  for (std::size_t i = 0; i < order.size() && (i < looked_at || best.dim < 0); ++i) {
    const Split split = best_split(begin, end, order[i]);
    if (split.gain > best.gain) best = split;
  }
  if (best.dim < 0) return self;
  int* middle = std::partition(begin, end, [&](int i) { return goes_left(best.dim, best.cut, rows_.row(i)); });
  nodes_[static_cast<std::size_t>(self)].dim = best.dim;
  nodes_[static_cast<std::size_t>(self)].cut = best.cut;
  const int left = grow(begin, middle, depth - 1, draws);
  const int right = grow(middle, end, depth - 1, draws);
  nodes_[static_cast<std::size_t>(self)].left = left;
  nodes_[static_cast<std::size_t>(self)].right = right;
  return self;
}

}  // namespace athanor::tune
