// An optimizer's states divided among ranks (ZeRO, Rajbhandari et al. 2020): every rank steps some elements of each parameter and keeps the
// states of these alone, then all give one another what they have stepped.
//
// Parameters lie bucket by bucket as their gradients are exchanged, each on a cache line, and each rank has one run of every bucket: what a
// reduce-scatter leaves it (comm/reduction.h). Runs end anywhere in a parameter, so that the ranks' shares are even; rules that work
// element by element do not see it, and the norm of the gradient is put together from the very pieces that one rank would sum.
#pragma once
#include <memory>
#include <vector>

#include "base/parallel.h"
#include "comm/reduction.h"
#include "ops/comm/rank_group.h"
#include "optim/optimizer.h"
#include "runtime/variable.h"

namespace athanor {

class StateParts {
 public:
  // `sizes`: elements of every parameter; `buckets`: all of them by their number, in the order of the exchange. Throws Code::argument where
  // a parameter is missing or comes twice.
  StateParts(std::shared_ptr<RankGroup> group, const std::vector<Index>& sizes, std::vector<std::vector<int>> buckets);

  const RankGroup& group() const { return *group_; }

  // Where a parameter begins, and all of them end, in elements of one piece of memory.
  Index begin_of(int variable) const { return begin_[static_cast<std::size_t>(variable)]; }
  Index elements() const { return bucket_begin_.back(); }

  int buckets() const { return static_cast<int>(bucket_begin_.size()) - 1; }
  int bucket_of(int variable) const { return bucket_of_[static_cast<std::size_t>(variable)]; }
  // Where a bucket lies in the piece of memory, and this rank's run of it.
  comm::ElementRange bucket(int number) const;
  comm::ElementRange own_run(int number) const { return run(group_->rank(), number); }

  // The elements of a parameter that a rank steps; none where begin = end.
  comm::ElementRange range(int rank, int variable) const;
  comm::ElementRange own(int variable) const { return range(group_->rank(), variable); }

  // The sum of the squares of all gradients, to the bits of optim::squared_norm on one rank. `plan` has whole gradients, of which this
  // rank's elements count; segment i is that of parameter `variables[i]`. All ranks call it.
  double squared_norm(const optim::OptimPlan& plan, const std::vector<int>& variables, std::int64_t step,
                      Parallel& parallel) const;

  // The smallest of the ranks' numbers that is not negative; -1 where there is none. All ranks call it.
  Index first_of_all(Index own, std::int64_t step) const;

  // Gives every rank the elements that the others have stepped; the piece of memory is the arena's beginning.
  void gather(const std::shared_ptr<Arena>& arena, std::int64_t step) const;
  // Of one bucket; these come in the same order on all ranks, whatever else they send.
  comm::Communicator::Ticket start_gather(int bucket, const std::shared_ptr<Arena>& arena, std::int64_t step) const;

 private:
  comm::ElementRange run(int rank, int bucket) const;
  int rank_at(int variable, Index element) const;

  std::shared_ptr<RankGroup> group_;
  std::vector<Index> sizes_;
  std::vector<Index> begin_;         // of every parameter
  std::vector<int> bucket_of_;       // of every parameter
  std::vector<Index> bucket_begin_;  // and the end
};

}  // namespace athanor
