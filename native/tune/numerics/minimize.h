// Minimization of a smooth function in a box: limited-memory BFGS (Nocedal 1980) over the variables that are not held at a bound, with
// projected backtracking.
#pragma once
#include <functional>
#include <vector>

namespace athanor::tune {

struct MinimizeOptions {
  int evaluations = 40;
  double tolerance = 1e-5;  // of the projected gradient's largest entry
  double first_step = 0.2;  // length of the first step at most
};

// f(x, gradient) gives the value; infinity or NaN where x is out of the question. x becomes the best point; returns its value.
double minimize(const std::function<double(const double* x, double* gradient)>& f, const std::vector<double>& low,
                const std::vector<double>& high, std::vector<double>& x, const MinimizeOptions& options);

}  // namespace athanor::tune
