// Gaussian process regression (Rasmussen and Williams 2006, algorithm 2.1): Matérn 5/2 with a length scale a dimension; choices differ
// or do not, by a distance of one. Hyper-parameters maximize the posterior: the prior of length scales grows with the number of
// dimensions (Hvarfner et al., arXiv 2402.02229), that of the noise is Gamma(1.1, 30).
#pragma once
#include <vector>

#include "tune/numerics/linalg.h"

namespace athanor::tune {

// n points of d dimensions, column by column, and which of the dimensions are choices.
struct GpPoints {
  int n = 0, d = 0;
  Reals columns;  // [d][n]
  std::vector<bool> is_choice;
  const double* column(int j) const { return &columns[static_cast<std::size_t>(j) * static_cast<std::size_t>(n)]; }
};

// Logarithms of: one over the square of each length scale, the signal's variance, the noise's variance.
struct GpParameters {
  Reals logs;
};

// The negative logarithm of likelihood times prior of the parameters (up to a constant), with its gradient if it is wanted.
double gp_loss(const GpPoints& points, const Reals& y, const double* logs, double* gradient);

// The parameters with the least loss, from several starts.
GpParameters fit_gp(const GpPoints& points, const Reals& y);

// A fitted process. There may be several columns of values over the same points (fantasies): they share the variance.
class Gp {
 public:
  // `known` are the values of the first points; those of the others are drawn from the process, `columns` times, with the normal
  // draws z (columns × missing).
  Gp(GpPoints points, const GpParameters& parameters, const Reals& known, int columns, const Reals& z);

  int columns() const { return columns_; }

  // Mean of each column and variance (without noise) at x, and with `gradients` their derivatives: means [columns][d], then d.
  void predict(const double* x, double* means, double* variance, double* gradients) const;

  // The least mean at a point, for each column.
  const Reals& least() const { return least_; }

 private:
  void covariance(const double* x, double* k, double* slope) const;
  void draw_missing(Reals& values, const double* l, const Reals& known, const Reals& z) const;

  GpPoints points_;
  int columns_ = 1;
  double scale_ = 1;
  Reals weights_, inverse_, alpha_, least_;  // alpha: [columns][n]
  mutable Reals k_, slope_, u_;
};

}  // namespace athanor::tune
