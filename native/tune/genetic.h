// NSGA-II (Deb et al. 2002) one child at a time: parents are the best of all trials so far by front and crowding, so that a result is
// used by the very next trial. Simulated binary crossover and polynomial mutation for numbers, uniform crossover for choices.
#pragma once
#include <vector>

#include "tune/request.h"

namespace athanor::tune {

struct GeneticOptions {
  int population = 20;
  double crossover = 0.9;  // probability that a child has two parents
};

// Children, each a row; the first is the trial's, the others are further draws. No rows without trials.
std::vector<double> genetic_candidates(const SearchRequest& request, const GeneticOptions& options);

}  // namespace athanor::tune
