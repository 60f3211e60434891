// What is known of one branch of a space: a Gaussian process of the objective, one of each constraint, and from them what a trial
// promises at a point of the branch.
#pragma once
#include <memory>
#include <vector>

#include "tune/gp/gp.h"
#include "tune/space.h"

namespace athanor::tune {

// Trials of one branch, in the dimensions that exist there.
struct BranchData {
  std::vector<int> dims;            // positions in the space
  std::vector<const double*> rows;  // of the space's width
  Reals y;                          // small is good
  std::vector<Reals> constraints;   // at most 0 is feasible
  std::vector<const double*> pending;
};

class Surrogate {
 public:
  // `z` are normal draws for what pending trials may give: fantasies × (1 + constraints) × pending.
  Surrogate(const Dimensions& space, BranchData data, int fantasies, const Reals& z);

  const std::vector<int>& dims() const { return dims_; }
  // The least mean of the objective at a trial, in its own units.
  double least() const;
  // Improvements are measured from here, in the objective's own units.
  void set_best(double best) { best_ = best; }

  // ln of the expected improvement that is feasible, averaged over the fantasies; x and the gradient in the branch's dimensions.
  double promise(const double* x, double* gradient) const;

 private:
  std::vector<int> dims_;
  double centre_ = 0, spread_ = 1, best_ = 0;
  std::vector<double> bounds_;  // of the constraints, in units of their processes
  std::unique_ptr<Gp> objective_;
  std::vector<std::unique_ptr<Gp>> constraints_;
  mutable Reals means_, gradients_;
};

}  // namespace athanor::tune
