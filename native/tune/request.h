// What every sampler that learns from trials is asked, and how trials compare.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "tune/random.h"
#include "tune/space.h"

namespace athanor::tune {

// Tier 0 are complete and feasible trials, their keys the objectives to be made small. Others come after them by tier, and within
// one by their keys in turn. Keys are one wider than there are objectives.
struct Standing {
  static constexpr double complete = 0, pruned = 1, infeasible = 2, infinite = 3, failed = 4;
  const double* tiers = nullptr;
  Table keys;  // pruned: −last step, value; infeasible: the violation, then the objectives
  int objectives = 1;
};

struct SearchRequest {
  Dimensions dims;
  Table trials;
  Standing standing;
  Table constraints;  // of the trials, at most 0 where they hold, NaN where unknown; no rows without constraints
  Table pending;      // trials without a result
  const double* fixed = nullptr;  // a row, NaN where free
  std::uint64_t seed = 0;
  std::uint32_t number = 0;

  Draws draws(Stream stream) const { return {seed, number, stream}; }
  int width() const { return static_cast<int>(dims.size()); }
};

// The trials of one branch, if the request fixes choices or what others hang on, and at least `fewest` trials have that; else all of them.
class Branch {
 public:
  Branch(const SearchRequest& request, int fewest);
  const SearchRequest& request() const { return narrowed_ ? *narrowed_ : whole_; }

 private:
  const SearchRequest& whole_;
  std::vector<double> trials_, tiers_, keys_, constraints_;
  std::unique_ptr<SearchRequest> narrowed_;
};

// Trials from the best on. Several objectives: by front, and within the last front of the `wanted` ones by hypervolume.
std::vector<int> best_first(const Standing& standing, int wanted);

}  // namespace athanor::tune
