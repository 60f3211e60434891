// Orders of many objectives, all to be made small. Fronts: Deb et al. 2002 (NSGA-II), by the efficient sort of Zhang et al. 2015.
// Hypervolume: sweep for two objectives, While et al. 2012 (WFG) for more.
#pragma once
#include <vector>

#include "tune/space.h"

namespace athanor::tune {

// Whether a is nowhere worse than b and somewhere better.
bool dominates(const double* a, const double* b, int objectives);

// The front of every row: 0 for those that no other dominates. Rows with NaN come after all others.
std::vector<int> nondominated_ranks(const Table& values);

// NSGA-II's distance to the neighbours within each front; infinite at its ends.
std::vector<double> crowding_distances(const Table& values, const std::vector<int>& ranks);

// What the rows dominate of the box below `reference`; rows that are not below it count nothing.
double hypervolume(const Table& values, const double* reference);

// Rows in the order in which each adds most hypervolume to those before it (greedy subset selection): `count` of them.
std::vector<int> hypervolume_order(const Table& values, const double* reference, int count);

}  // namespace athanor::tune
