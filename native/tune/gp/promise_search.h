// The most promising points of a branch: many points compared, the best of them climbed from, choices and short grids tried one by one.
#pragma once
#include <cstdint>
#include <vector>

#include "tune/gp/surrogate.h"
#include "tune/random.h"

namespace athanor::tune {

struct Promising {
  double promise;
  Reals row;  // of the space's width
};

struct SearchPlan {
  int points = 256;      // compared at first
  int climbs = 5;        // of the best of them
  int evaluations = 40;  // in a climb
};

// Points that the space has, the most promising first; dimensions that the branch lacks are absent, `fixed` ones keep their value.
// `near` are good trials, around which some of the points lie.
std::vector<Promising> most_promising(const Dimensions& space, const Surrogate& surrogate, const double* fixed,
                                      const std::vector<const double*>& near, const Draws& draws,
                                      const SearchPlan& plan);

}  // namespace athanor::tune
