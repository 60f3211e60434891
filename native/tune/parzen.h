// A mixture of product kernels, one a past trial and a uniform prior, after the tree-structured Parzen estimator (Bergstra et al. 2011;
// multivariate: Falkner et al. 2018, arXiv 1807.01774). Reals: normal, cut to [0, 1]. Grids: the mass that this gives to a cell.
// Choices: a share for the kernel's own value, the rest for the others. A parameter that a trial does not have is uniform
// in its kernel, so that trials of all branches of a conditional space say what they know in one mixture.
#pragma once
#include <vector>

#include "tune/random.h"
#include "tune/space.h"

namespace athanor::tune {

struct ParzenOptions {
  double prior = 1;               // weight of the uniform kernel, in trials
  std::vector<double> bandwidth;  // a dimension; of choices: what each other value gets beside 1 for its own
};

class Parzen {
 public:
  // Rows are kernels' centres. `dims` has to outlive the mixture.
  Parzen(const Dimensions& dims, const std::vector<const double*>& rows, const std::vector<double>& weights,
         const ParzenOptions& options);

  // Draws a row; where `fixed` is a number, the row has it and the kernel is chosen by how well it goes with it.
  void sample(Sequence& draws, const double* fixed, double* row) const;

  // ln of the density at a row, over the dimensions that exist in it.
  double log_density(const double* row) const;

 private:
  struct Column {
    std::vector<double> centre, scale, norm;  // a kernel: ln k(x) = norm − (scale·x − centre)²
    std::vector<int> level;                   // tables: −1 where the kernel's trial lacks the parameter
    std::vector<double> log_mass;             // tables: [level of the kernel][level of x]
    double bandwidth = 0;
  };
  void add_real(Column& column, const std::vector<const double*>& rows, int j) const;
  void add_table(Column& column, const std::vector<const double*>& rows, int j) const;
  void accumulate(const Column& column, int j, double x, std::vector<double>& sums) const;
  double draw(const Column& column, int j, int kernel, Sequence& draws) const;

  const Dimensions& dims_;
  int kernels_ = 0;
  std::vector<double> log_weights_;
  std::vector<Column> columns_;
};

}  // namespace athanor::tune
