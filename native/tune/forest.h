// A regression tree on numbers in [0, 1] and choices.
#pragma once
#include <vector>

#include "tune/random.h"
#include "tune/space.h"

namespace athanor::tune {

// Inner nodes send a row left when its number is at most the cut, or its choice equals it. Children stand after their parent.
struct TreeNode {
  int dim = -1;  // −1: a leaf
  double cut = 0;
  int left = 0, right = 0;
  double value = 0;  // of a leaf: the mean of its trials
};

class Tree {
 public:
  // Trials may come several times (a bootstrap sample). A split looks at about a third of the dimensions, all of them if there are few.
  Tree(const Dimensions& dims, const Table& rows, const std::vector<double>& values, std::vector<int> sample, int depth,
       Sequence& draws);

  double predict(const double* row) const;
  const std::vector<TreeNode>& nodes() const { return nodes_; }

 private:
  struct Split {
    int dim = -1;
    double cut = 0, gain = 0;
  };
  int grow(int* begin, int* end, int depth, Sequence& draws);
  Split best_split(int* begin, int* end, int dim) const;
  bool goes_left(int dim, double cut, const double* row) const;

  const Dimensions& dims_;
  const Table& rows_;
  const std::vector<double>& values_;
  std::vector<TreeNode> nodes_;
};

}  // namespace athanor::tune
