// exp over arrays, which is where kernel densities and covariances spend their time.
#pragma once
#include <vector>

namespace athanor::tune {

// x[i] ← e^x[i] for x[i] ≤ 700; below −700 it is 0. Relative error below 1e-15.
void exp_all(double* x, int n);

// out[i] += norm[i] − (scale[i] · x − centre[i])²
void add_squares(double* out, const double* norm, const double* scale, const double* centre, double x, int n);

// ln Σ e^x[i]; x is used up.
double log_sum_exp(std::vector<double>& x);

}  // namespace athanor::tune
