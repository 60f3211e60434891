// GPTQ (Frantar et al. 2022): rounds the weights of a layer column by column and lets the columns that are still free make up for
// the error, measured by the inputs' second moments H = Σ x xᵀ. With H⁻¹ = Uᵀ U, U upper triangular, rounding column k costs
// e = (w_k − q_k) / U_kk, and every later column j becomes w_j − e U_kj. All of it in float64.
//
// U comes from one factorization: H = R Rᵀ with R upper triangular (Cholesky from the last column on) gives U = R⁻¹.
// The work, K³ · 2/3 + N K² multiply-adds, is done in matrix products of panels and blocks.
//
// Few rows x say little of how inputs go together: of n rows that are independent, products of two inputs are off by 1 / √n even
// where there is none. H's off-diagonal elements are therefore shrunk by ρ, the oracle-approximating shrinkage of their correlations
// (Chen et al. 2010): 1 for one row, where this is rounding to nearest, and next to nothing for many. An input that was 0 in all rows
// has a weight that nothing makes up for and that is rounded to nearest.
//
// Scales are given, one a group of `group` columns, so that the order of the columns is free ("static groups").
#pragma once
#include <cstdint>
#include <vector>

#include "base/index.h"
#include "base/parallel.h"
#include "kernels/gemm/gemm.h"

namespace athanor::quant {

struct GptqArgs {
  Index rows = 0, inner = 0;        // N, K
  const float* w = nullptr;         // [N, K]
  const double* moments = nullptr;  // H [K, K], symmetric
  Index group = 1;                  // columns that share a scale
  const float* scale = nullptr;     // [N, ceil(K / group)]
  const float* zero = nullptr;      // like scale: the integer that stands for 0
  double low = 0, high = 0;         // bounds of the integers, without a table
  const float* table = nullptr;     // ascending [entries]: values in units of the scale, in place of integers
  Index entries = 0;
  const std::uint8_t* mask = nullptr;  // [N, K]: where 0 the weight stays 0
  double samples = 0;                  // rows that H sums up; 0: many
  double damp = 0.01;                  // added to H's diagonal, in units of its mean over seen inputs
  void (*product)(const GemmF64Args&, Parallel&) = nullptr;  // of the chosen instruction set
  bool by_activation = false;                                // columns of large H_kk first
};

// ρ for these moments; 0 where `samples` is.
double gptq_shrinkage(const GptqArgs& args);

// Columns of H in the order in which they are rounded.
std::vector<Index> gptq_order(const GptqArgs& args);

// U of H in that order, [K, K] row-major with zeros below the diagonal; false if H is not positive definite.
bool gptq_factor(const GptqArgs& args, const std::vector<Index>& order, std::vector<double>& u, Parallel& parallel);

// The codes [N, K]: integers of [low, high], or numbers of table entries. False as gptq_factor.
bool gptq(const GptqArgs& args, std::int32_t* codes, Parallel& parallel);

}  // namespace athanor::quant
