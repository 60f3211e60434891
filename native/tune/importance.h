// Which parameters matter: a random forest of the trials (Breiman 2001), and what its trees say of each parameter by itself, either as the
// share of the variance that its marginal explains (fANOVA: Hutter, Hoos and Leyton-Brown 2014) or as what predictions lose when its
// values are shuffled among trials that a tree has not seen.
#pragma once
#include <cstdint>
#include <vector>

#include "tune/space.h"

namespace athanor::tune {

struct ForestOptions {
  int trees = 64;
  int depth = 64;
  std::uint64_t seed = 0;
};

// Rows have every dimension. A share for each dimension, 0 or more; all 0 where the values do not differ.
std::vector<double> fanova_importance(const Dimensions& dims, const Table& rows, const std::vector<double>& values,
                                      const ForestOptions& options);
std::vector<double> permutation_importance(const Dimensions& dims, const Table& rows, const std::vector<double>& values,
                                           const ForestOptions& options);

}  // namespace athanor::tune
