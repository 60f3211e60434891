#include "tune/numerics/linalg.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace athanor::tune {
namespace {

// Two neighbouring products; every x64 and arm64 processor has them in one register.
#if defined(__GNUC__)
using Pair = double __attribute__((vector_size(16)));
Pair load(const double* p) {
  Pair pair;
  std::memcpy(&pair, p, sizeof pair);
  return pair;
}
double total(Pair a, Pair b) { return (a[0] + b[0]) + (a[1] + b[1]); }
#else
struct Pair {
  double v[2] = {};
  Pair operator*(Pair o) const { return {{v[0] * o.v[0], v[1] * o.v[1]}}; }
  Pair& operator+=(Pair o) { return v[0] += o.v[0], v[1] += o.v[1], *this; }
};
Pair load(const double* p) { return {{p[0], p[1]}}; }
double total(Pair a, Pair b) { return (a.v[0] + b.v[0]) + (a.v[1] + b.v[1]); }
#endif

}  // namespace

double dot(const double* a, const double* b, int n) {
  Pair even{}, odd{};
  int k = 0;
  for (; k + 4 <= n; k += 4) even += load(a + k) * load(b + k), odd += load(a + k + 2) * load(b + k + 2);
  double sum = total(even, odd);
  for (; k < n; ++k) sum += a[k] * b[k];
  return sum;
}

void dot4(const double* a, int stride, const double* b, int n, double out[4]) {
  const double *a0 = a, *a1 = a + stride, *a2 = a1 + stride, *a3 = a2 + stride;
  Pair e0{}, e1{}, e2{}, e3{}, o0{}, o1{}, o2{}, o3{};
  int k = 0;
  for (; k + 4 <= n; k += 4) {
    const Pair even = load(b + k), odd = load(b + k + 2);
    e0 += load(a0 + k) * even, o0 += load(a0 + k + 2) * odd;
    e1 += load(a1 + k) * even, o1 += load(a1 + k + 2) * odd;
    e2 += load(a2 + k) * even, o2 += load(a2 + k + 2) * odd;
    e3 += load(a3 + k) * even, o3 += load(a3 + k + 2) * odd;
  }
  out[0] = total(e0, o0), out[1] = total(e1, o1), out[2] = total(e2, o2), out[3] = total(e3, o3);
  for (; k < n; ++k) out[0] += a0[k] * b[k], out[1] += a1[k] * b[k], out[2] += a2[k] * b[k], out[3] += a3[k] * b[k];
}

bool cholesky(double* a, int n) {
  // Column by column; four rows below the diagonal at once.
  for (int j = 0; j < n; ++j) {
    double* row = a + static_cast<long>(j) * n;
    const double square = row[j] - dot(row, row, j);
    if (!(square > 0)) return false;
    row[j] = std::sqrt(square);
    const double scale = 1 / row[j];
    int i = j + 1;
    for (; i + 4 <= n; i += 4) {
      double sums[4];
      dot4(a + static_cast<long>(i) * n, n, row, j, sums);
      for (int r = 0; r < 4; ++r) {
        double& entry = a[static_cast<long>(i + r) * n + j];
        entry = (entry - sums[r]) * scale;
      }
    }
    for (; i < n; ++i) {
      double* other = a + static_cast<long>(i) * n;
      other[j] = (other[j] - dot(other, row, j)) * scale;
    }
  }
  return true;
}

void solve_lower(const double* l, int n, double* x) {
  for (int i = 0; i < n; ++i) {
    const double* row = l + static_cast<long>(i) * n;
    x[i] = (x[i] - dot(row, x, i)) / row[i];
  }
}

void solve_upper(const double* l, int n, double* x) {
  for (int i = n - 1; i >= 0; --i) {
    const double* row = l + static_cast<long>(i) * n;
    x[i] /= row[i];
    for (int k = 0; k < i; ++k) x[k] -= row[k] * x[i];
  }
}

void inverse_of_product(const double* l, int n, double* inverse, double* work) {
  // Row j of `work` is column j of L⁻¹: entries from j on. Four columns at once; those before their own diagonal are zero.
  std::fill(work, work + static_cast<long>(n) * n, 0.0);
  for (int j = 0; j < n; j += 4) {
    const int rows = std::min(4, n - j);
    for (int i = j; i < n; ++i) {
      const double* row = l + static_cast<long>(i) * n;
      double sums[4];
      if (rows == 4)
        dot4(work + static_cast<long>(j) * n + j, n, row + j, i - j, sums);
      else
        for (int r = 0; r < rows; ++r) sums[r] = dot(work + static_cast<long>(j + r) * n + j, row + j, i - j);
      for (int r = 0; r < rows && j + r <= i; ++r)
        work[static_cast<long>(j + r) * n + i] = ((i == j + r ? 1.0 : 0.0) - sums[r]) / row[i];
    }
  }
  // (L Lᵀ)⁻¹ = L⁻ᵀ L⁻¹: entry (i, j) is the dot product of columns i and j of L⁻¹, which begin at max(i, j).
  for (int i = 0; i < n; ++i) {
    const double* column = work + static_cast<long>(i) * n;
    int j = 0;
    for (; j + 4 <= i + 1; j += 4) {
      double sums[4];
      dot4(work + static_cast<long>(j) * n + i, n, column + i, n - i, sums);
      for (int r = 0; r < 4; ++r) inverse[static_cast<long>(i) * n + j + r] = sums[r];
    }
    for (; j <= i; ++j)
      inverse[static_cast<long>(i) * n + j] = dot(work + static_cast<long>(j) * n + i, column + i, n - i);
  }
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < i; ++j) inverse[static_cast<long>(j) * n + i] = inverse[static_cast<long>(i) * n + j];
}

void multiply(const double* a, int n, const double* x, double* y) {
  int i = 0;
  for (; i + 4 <= n; i += 4) dot4(a + static_cast<long>(i) * n, n, x, n, y + i);
  for (; i < n; ++i) y[i] = dot(a + static_cast<long>(i) * n, x, n);
}

}  // namespace athanor::tune
