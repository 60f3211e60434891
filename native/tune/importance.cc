#include "tune/importance.h"

#include <algorithm>

#include "tune/forest.h"

namespace athanor::tune {
namespace {

using Kind = Dimension::Kind;
using Reals = std::vector<double>;

// A bootstrap sample.
std::vector<int> resampled(int n, Sequence& draws) {
  std::vector<int> sample;
  for (int i = 0; i < n; ++i) sample.push_back(draws.below(n));
  return sample;
}

// A leaf as a box: an interval of every number, a set of every choice.
struct Box {
  Reals low, high;
  std::vector<std::vector<bool>> allowed;
  double value = 0;
};

class Marginals {
 public:
  Marginals(const Dimensions& dims, const Tree& tree) : dims_(dims), tree_(tree) {
    Box whole{Reals(dims.size(), 0.0), Reals(dims.size(), 1.0), {}, 0};
    for (const Dimension& dim : dims)
      whole.allowed.emplace_back(static_cast<std::size_t>(dim.kind == Kind::choice ? dim.levels : 0), true);
    collect(0, whole);
  }

  // The variance of the tree's prediction over the whole space.
  double variance() const {
    double mean = 0, squares = 0;
    for (const Box& box : boxes_) {
      const double volume = share(box, dims_.size());
      mean += volume * box.value, squares += volume * box.value * box.value;
    }
    return squares - mean * mean;
  }

  // The variance of the prediction as a function of dimension j alone, averaged over the others.
  double variance_of(std::size_t j) const { return dims_[j].kind == Kind::choice ? of_choice(j) : of_number(j); }

 private:
  void collect(int at, const Box& box) {
    const TreeNode& node = tree_.nodes()[static_cast<std::size_t>(at)];
    if (node.dim < 0) {
      boxes_.push_back(box);
      boxes_.back().value = node.value;
      return;
    }
    const auto j = static_cast<std::size_t>(node.dim);
    Box left = box, right = box;
    if (dims_[j].kind == Kind::choice) {
      const auto level = static_cast<std::size_t>(node.cut);
      left.allowed[j].assign(left.allowed[j].size(), false);
      left.allowed[j][level] = true, right.allowed[j][level] = false;
    } else {
      left.high[j] = right.low[j] = node.cut;
    }
    collect(node.left, left);
    collect(node.right, right);
  }

  double extent(const Box& box, std::size_t j) const {
    if (dims_[j].kind != Kind::choice) return box.high[j] - box.low[j];
    return static_cast<double>(std::count(box.allowed[j].begin(), box.allowed[j].end(), true)) / dims_[j].levels;
  }

  // The box's share of the space, without dimension `except`.
  double share(const Box& box, std::size_t except) const {
    double product = 1;
    for (std::size_t j = 0; j < dims_.size(); ++j)
      if (j != except) product *= extent(box, j);
    return product;
  }

  double of_choice(std::size_t j) const {
    Reals at(static_cast<std::size_t>(dims_[j].levels), 0.0);
    for (const Box& box : boxes_)
      for (std::size_t level = 0; level < at.size(); ++level)
        if (box.allowed[j][level]) at[level] += box.value * share(box, j);
    double mean = 0, squares = 0;
    for (const double value : at) mean += value / dims_[j].levels, squares += value * value / dims_[j].levels;
    return squares - mean * mean;
  }

  // Between two neighbouring cuts the marginal is constant: what boxes begin less what boxes end, summed up from the left.
  double of_number(std::size_t j) const {
    std::vector<std::pair<double, double>> changes;
    for (const Box& box : boxes_) {
      const double part = box.value * share(box, j);
      changes.emplace_back(box.low[j], part), changes.emplace_back(box.high[j], -part);
    }
    std::sort(changes.begin(), changes.end());
    double value = 0, mean = 0, squares = 0;
    for (std::size_t i = 0; i + 1 < changes.size(); ++i) {
      value += changes[i].second;
      const double length = changes[i + 1].first - changes[i].first;
      mean += length * value, squares += length * value * value;
    }
    return squares - mean * mean;
  }

  const Dimensions& dims_;
  const Tree& tree_;
  std::vector<Box> boxes_;
};

}  // namespace

std::vector<double> fanova_importance(const Dimensions& dims, const Table& rows, const Reals& values,
                                      const ForestOptions& options) {
  Reals sums(dims.size(), 0.0);
  for (int t = 0; t < options.trees && rows.rows > 1; ++t) {
    Sequence draws({options.seed, static_cast<std::uint32_t>(t), Stream::forest});
    const Tree tree(dims, rows, values, resampled(rows.rows, draws), options.depth, draws);
    const Marginals marginals(dims, tree);
    const double variance = marginals.variance();
    if (!(variance > 0)) continue;
    for (std::size_t j = 0; j < dims.size(); ++j)
      sums[j] += std::max(0.0, marginals.variance_of(j)) / variance / options.trees;
  }
  return sums;
}

std::vector<double> permutation_importance(const Dimensions& dims, const Table& rows, const Reals& values,
                                           const ForestOptions& options) {
  Reals sums(dims.size(), 0.0);
  for (int t = 0; t < options.trees && rows.rows > 1; ++t) {
    Sequence draws({options.seed, static_cast<std::uint32_t>(t), Stream::forest});
    const std::vector<int> sample = resampled(rows.rows, draws);
    std::vector<bool> used(static_cast<std::size_t>(rows.rows), false);
    for (const int i : sample) used[static_cast<std::size_t>(i)] = true;
    std::vector<int> unseen;
    for (int i = 0; i < rows.rows; ++i)
      if (!used[static_cast<std::size_t>(i)]) unseen.push_back(i);
    const Tree tree(dims, rows, values, sample, options.depth, draws);
    for (std::size_t j = 0; j < dims.size() && unseen.size() > 1; ++j) {
      std::vector<int> order = unseen;
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[static_cast<std::size_t>(draws.below(static_cast<int>(i)))]);
      double before = 0, after = 0;
      for (std::size_t i = 0; i < unseen.size(); ++i) {
        Reals row(rows.row(unseen[i]), rows.row(unseen[i]) + dims.size());
        const double value = values[static_cast<std::size_t>(unseen[i])], plain = tree.predict(row.data()) - value;
        row[j] = rows.at(order[i], static_cast<int>(j));
        const double shuffled = tree.predict(row.data()) - value;
        before += plain * plain, after += shuffled * shuffled;
      }
      sums[j] += (after - before) / static_cast<double>(unseen.size()) / options.trees;
    }
  }
  for (double& sum : sums) sum = std::max(0.0, sum);
  return sums;
}

}  // namespace athanor::tune
