// Eigenvalues by Jacobi's rotations: matrices of a search have few rows, and its small eigenvalues keep their relative accuracy.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tune/numerics/linalg.h"

namespace athanor::tune {
namespace {

void rotate(double* a, int n, int p, int q, double* vectors) {
  const double apq = a[p * n + q];
  const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const double t = (theta < 0 ? -1 : 1) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  for (int k = 0; k < n; ++k) {
    const double x = a[k * n + p], y = a[k * n + q];
    a[k * n + p] = c * x - s * y, a[k * n + q] = s * x + c * y;
  }
  for (int k = 0; k < n; ++k) {
    const double x = a[p * n + k], y = a[q * n + k];
    a[p * n + k] = c * x - s * y, a[q * n + k] = s * x + c * y;
  }
  a[p * n + q] = a[q * n + p] = 0;
  for (int k = 0; k < n; ++k) {
    const double x = vectors[k * n + p], y = vectors[k * n + q];
    vectors[k * n + p] = c * x - s * y, vectors[k * n + q] = s * x + c * y;
  }
}

}  // namespace

void eigen(double* a, int n, double* values, double* vectors) {
  std::fill(vectors, vectors + static_cast<long>(n) * n, 0.0);
  for (int i = 0; i < n; ++i) vectors[i * n + i] = 1;
  for (int sweep = 0; sweep < 60; ++sweep) {
    bool rotated = false;
    for (int p = 0; p < n; ++p)
      for (int q = p + 1; q < n; ++q) {
        const double limit = 1e-17 * std::sqrt(std::fabs(a[p * n + p] * a[q * n + q]));
        if (std::fabs(a[p * n + q]) <= limit) continue;
        rotate(a, n, p, q, vectors);
        rotated = true;
      }
    if (!rotated) break;
  }
  std::vector<int> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return a[i * n + i] < a[j * n + j]; });
  const Reals unsorted(vectors, vectors + static_cast<long>(n) * n);
  for (int j = 0; j < n; ++j) {
    const int from = order[static_cast<std::size_t>(j)];
    values[j] = a[from * n + from];
    for (int k = 0; k < n; ++k) vectors[k * n + j] = unsorted[static_cast<std::size_t>(k * n + from)];
  }
}

}  // namespace athanor::tune
