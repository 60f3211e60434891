// The tree-structured Parzen estimator (Bergstra et al. 2011): one density of the better trials, one of the others, and the
// candidate with the largest ratio. What is chosen within that frame follows Watanabe (arXiv 2304.11127): all parameters in one
// density, better trials weighted by their order, bandwidths by the spread of the better trials. Pending trials count among the
// worse ones: the constant liar.
#pragma once
#include <vector>

#include "tune/request.h"

namespace athanor::tune {

// Candidates from the best on, each a row: drawn from the better trials' density, or those of `given` if it has rows.
std::vector<double> tpe_candidates(const SearchRequest& request, int candidates, const Table& given);

}  // namespace athanor::tune
