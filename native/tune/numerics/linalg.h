// Dense symmetric matrices of a few hundred rows, row by row in double precision. Everything is made of dot products of rows, whose
// order of additions is fixed: the same bits on every machine.
#pragma once
#include <vector>

namespace athanor::tune {

using Reals = std::vector<double>;

// Σ a[k] b[k]
double dot(const double* a, const double* b, int n);

// out[r] = Σ a[r · stride + k] b[k] for four neighbouring rows.
void dot4(const double* a, int stride, const double* b, int n, double out[4]);

// The lower triangle of A (n × n) becomes that of L with L Lᵀ = A; false if A is not positive definite.
bool cholesky(double* a, int n);

// x ← L⁻¹ x and x ← L⁻ᵀ x
void solve_lower(const double* l, int n, double* x);
void solve_upper(const double* l, int n, double* x);

// (L Lᵀ)⁻¹ in full. `work` has n × n numbers.
void inverse_of_product(const double* l, int n, double* inverse, double* work);

// y = A x for a full symmetric matrix.
void multiply(const double* a, int n, const double* x, double* y);

// Eigenvalues, ascending, and eigenvectors (the columns of `vectors`) of a symmetric matrix by Jacobi's rotations
// A is used up.
void eigen(double* a, int n, double* values, double* vectors);

}  // namespace athanor::tune
