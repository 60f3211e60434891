// CMA-ES without a state of its own: the strategy is told the trials of the history in their order, and asked for the next point.
#pragma once
#include <vector>

#include "tune/cma.h"
#include "tune/request.h"

namespace athanor::tune {

// Points for the numeric dimensions that always exist; the others are NaN. The first row is the strategy's own, the others are
// further draws. No rows where no such dimension is.
std::vector<double> cma_candidates(const SearchRequest& request, const CmaOptions& options);

}  // namespace athanor::tune
