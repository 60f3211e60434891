// What every sampler that learns from trials is asked, and how trials compare.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "tune/random.h"
#include "tune/space.h"

namespace athanor::tune {

// Tier 0 are complete and feasible trials, their keys the objectives to be made small. Others come after them by tier, and within
// one by their keys in turn.
struct Standing {
  enum Tier { complete, pruned, infeasible, infinite, failed };
  const double* tiers = nullptr;
  Table keys;  // at least as wide as there are objectives. Pruned: −last step, value; infeasible: the violation
  int objectives = 1;
};

struct SearchRequest {
  Dimensions dims;
  Table trials;
  Standing standing;
  Table pending;                  // trials without a result
  const double* fixed = nullptr;  // a row, NaN where free
  std::uint64_t seed = 0;
  std::uint32_t number = 0;

  Draws draws(Stream stream) const { return {seed, number, stream}; }
  int width() const { return static_cast<int>(dims.size()); }
};

// The trials of one branch, if the request fixes what others hang on and at least `fewest` trials have that; else all of them.
class Branch {
 public:
  Branch(const SearchRequest& request, int fewest);
  const SearchRequest& request() const { return narrowed_ ? *narrowed_ : whole_; }

 private:
  const SearchRequest& whole_;
  std::vector<double> trials_, tiers_, keys_;
  std::unique_ptr<SearchRequest> narrowed_;
};

// Trials from the best on. Several objectives: by front, and within the last front of the `wanted` ones by hypervolume.
std::vector<int> best_first(const Standing& standing, int wanted);

}  // namespace athanor::tune
