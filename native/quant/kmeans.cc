#include "quant/kmeans.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace athanor::quant {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();
constexpr int kRounds = 200;  // of Lloyd's algorithm; it ends when no cut moves

// Distinct values, ascending, and sums over those before each: of weights, weight · x, weight · x².
struct Line {
  std::vector<double> x, w0, w1, w2;

  Index size() const { return static_cast<Index>(x.size()); }
  double mean(Index i, Index j) const { return (w1[j] - w1[i]) / (w0[j] - w0[i]); }
  double around_zero(Index i, Index j) const { return w2[j] - w2[i]; }
  double cost(Index i, Index j) const {
    const double sum = w1[j] - w1[i];
    return std::max(0.0, w2[j] - w2[i] - sum * sum / (w0[j] - w0[i]));
  }
};

Line line_of(const KmeansArgs& args) {
  struct Point {
    float x, weight;
  };
  std::vector<Point> points;
  points.reserve(static_cast<std::size_t>(args.count));
  for (Index i = 0; i < args.count; ++i) {
    if (args.weight[i] > 0) points.push_back({args.x[i], args.weight[i]});
  }
  std::sort(points.begin(), points.end(), [](Point a, Point b) { return a.x < b.x; });
  Line line;
  line.w0 = line.w1 = line.w2 = {0};
  for (std::size_t i = 0; i < points.size();) {
    const double x = points[i].x;
    double weight = 0;
    for (; i < points.size() && points[i].x == x; ++i) weight += points[i].weight;
    line.x.push_back(x);
    line.w0.push_back(line.w0.back() + weight);
    line.w1.push_back(line.w1.back() + weight * x);
    line.w2.push_back(line.w2.back() + weight * x * x);
  }
  return line;
}

// Where clusters may begin: 0 … line.size(), ascending.
std::vector<Index> borders_of(const Line& line, bool zero) {
  const Index n = line.size();
  std::vector<Index> at{0, n};
  const auto below = [&](double x) { return std::lower_bound(line.x.begin(), line.x.end(), x) - line.x.begin(); };
  if (n <= kKmeansExact) {
    for (Index i = 1; i < n; ++i) at.push_back(i);
  } else {
    const double first = line.x.front(), width = (line.x.back() - first) / (kKmeansExact / 2);
    for (Index i = 1; i < kKmeansExact / 2; ++i) {
      at.push_back(n * i / (kKmeansExact / 2));
      at.push_back(below(first + width * static_cast<double>(i)));
    }
    if (zero) at.insert(at.end(), {below(0), below(0) + 1});
  }
  std::sort(at.begin(), at.end());
  at.erase(std::unique(at.begin(), at.end()), at.end());
  return at;
}

// Least costs of the first j bins in m clusters, m after m; `zeroed` have one of them around 0.
class Cuts {
 public:
  Cuts(const Line& line, std::vector<Index> borders, Index clusters, bool zero)
      : line_(line), at_(std::move(borders)), bins_(static_cast<Index>(at_.size()) - 1), clusters_(clusters) {
    free_.assign(clusters + 1, std::vector<Index>(bins_ + 1, 0));
    std::vector<double> plain(bins_ + 1, kFar), zeroed(bins_ + 1, kFar);
    plain[0] = 0;
    if (zero) zeroed_ = free_, takes_zero_.assign(clusters + 1, std::vector<char>(bins_ + 1, 0));
    for (Index m = 1; m <= clusters; ++m) {
      std::vector<double> next(bins_ + 1, kFar), next_zeroed(bins_ + 1, kFar);
      extend(plain, next, free_[m], 0, bins_, 0, bins_);
      if (zero) {
        extend(zeroed, next_zeroed, zeroed_[m], 0, bins_, 0, bins_);
        put_zero(plain, next_zeroed, m);
      }
      plain.swap(next), zeroed.swap(next_zeroed);
    }
  }

  // The centres of the best cut.
  std::vector<double> centres(bool zero) const {
    std::vector<double> found;
    Index j = bins_;
    for (Index m = clusters_; m > 0; --m) {
      const Index i = zero ? zeroed_[m][j] : free_[m][j];
      const bool around_zero = zero && takes_zero_[m][j] != 0;
      if (around_zero)
        found.push_back(0), zero = false;
      else if (i < j)
        found.push_back(line_.mean(at_[i], at_[j]));
      j = i;
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  // to[j] = min over i < j of from[i] + cost(i, j) for j in [low, high], whose best i are in [first, last].
  void extend(const std::vector<double>& from, std::vector<double>& to, std::vector<Index>& best, Index low, Index high,
              Index first, Index last) const {
    if (low > high) return;
    const Index j = (low + high) / 2;
    Index at = first;
    for (Index i = first; i <= std::min(last, j - 1); ++i) {
      const double cost = from[i] < kFar ? from[i] + line_.cost(at_[i], at_[j]) : kFar;
      if (cost < to[j]) to[j] = cost, at = i;
    }
    best[j] = at;
    // Places that nothing reaches say nothing of where others begin.
    const bool reached = to[j] < kFar;
    extend(from, to, best, low, j - 1, first, reached ? at : last);
    extend(from, to, best, j + 1, high, reached ? at : first, last);
  }

  // The last cluster is the one around 0; it may be empty.
  void put_zero(const std::vector<double>& from, std::vector<double>& to, Index m) {
    double least = kFar;
    Index at = 0;
    for (Index j = 0; j <= bins_; ++j) {
      const double before = from[j] - line_.around_zero(0, at_[j]);
      if (from[j] < kFar && before < least) least = before, at = j;
      const double cost = least < kFar ? least + line_.around_zero(0, at_[j]) : kFar;
      if (cost < to[j] || (cost < kFar && to[j] == kFar)) to[j] = cost, zeroed_[m][j] = at, takes_zero_[m][j] = 1;
    }
  }

  const Line& line_;
  std::vector<Index> at_;
  Index bins_, clusters_;
  std::vector<std::vector<Index>> free_, zeroed_;
  std::vector<std::vector<char>> takes_zero_;
};

// Every centre but 0, where it has to stay, becomes the mean of the values nearest to it.
void move(const Line& line, std::vector<double>& centres, bool zero) {
  const std::size_t k = centres.size();
  std::vector<Index> cuts(k + 1, 0), last;
  cuts[k] = line.size();
  for (int round = 0; round < kRounds && cuts != last; ++round) {
    last = cuts;
    for (std::size_t c = 1; c < k; ++c) {
      const double middle = (centres[c - 1] + centres[c]) / 2;
      cuts[c] = std::lower_bound(line.x.begin(), line.x.end(), middle) - line.x.begin();
    }
    for (std::size_t c = 0; c < k; ++c) {
      const bool fixed = zero && centres[c] == 0;
      if (!fixed && cuts[c] < cuts[c + 1]) centres[c] = line.mean(cuts[c], cuts[c + 1]);
    }
  }
}

}  // namespace

std::vector<float> kmeans_table(const KmeansArgs& args) {
  const Line line = line_of(args);
  std::vector<double> centres;
  if (line.size() > 0) {
    const bool zero = std::binary_search(line.x.begin(), line.x.end(), 0.0);
    std::vector<Index> borders = borders_of(line, zero);
    const Index clusters = std::min(args.entries, static_cast<Index>(borders.size()) - 1);
    centres = Cuts(line, std::move(borders), clusters, zero).centres(zero);
    move(line, centres, zero);
  }
  std::vector<float> table(static_cast<std::size_t>(args.entries), 0.0f);
  for (std::size_t i = 0; i < table.size() && !centres.empty(); ++i)
    table[i] = static_cast<float>(centres[std::min(i, centres.size() - 1)]);
  return table;
}

}  // namespace athanor::quant
