// Bayesian optimization by Gaussian processes: one for every branch of a conditional space, the logarithm of the expected improvement,
// fantasies for pending trials (Snoek et al., arXiv 1206.2944), random scalarizations of several objectives (Knowles 2006).
#pragma once
#include <vector>

#include "tune/request.h"

namespace athanor::tune {

// Candidates from the best on, each a row. `given` are ranked instead, if there are any.
std::vector<double> gp_candidates(const SearchRequest& request, const Table& given);

}  // namespace athanor::tune
