// What the ranks of a group agree on. In every step, before it has any effect: whether one of them has failed or wants to stop, and the loss
// of the whole batch from the losses of its shards. At the end: that all have got there, so that each may end at once.
#pragma once
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/shard_tree.h"
#include "comm/transfers.h"

namespace athanor::comm {

class Agreement {
 public:
  // `shards`: whose losses each rank of the group tells; none for one that sees no loss.
  Agreement(std::shared_ptr<Communicator> communicator, std::shared_ptr<Group> group,
            const std::vector<ShardBlock>& shards);

  Communicator& communicator() const { return *communicator_; }
  const std::shared_ptr<Group>& group() const { return group_; }

  // A step begins; `stop`: this rank wants to end the run.
  void begin(bool stop);
  // The loss of one of this rank's shards, and what it weighs among the others.
  void note(int shard, double loss, double weight);
  // The error of this rank; the first counts.
  void note_failure(std::exception_ptr failure);
  bool has_failed() const { return failure_ != nullptr; }

  // Exchanges all of it. Throws Code::communication.
  void exchange(std::int64_t step);
  // After exchange(): throws on all ranks what the first of them met, if one of them has failed.
  void require_success(std::int64_t step);
  bool any_stop() const;

  struct Total {
    double sum = 0, weight = 0;  // of loss times weight, in the order of shards
  };
  Total total() const;

 private:
  double* of(int rank) { return told_.data() + at_[static_cast<std::size_t>(rank)]; }
  [[noreturn]] void throw_agreed(std::int64_t step);

  std::shared_ptr<Communicator> communicator_;
  std::shared_ptr<Group> group_;
  ShardBlock own_;
  std::vector<std::size_t> at_;  // of every rank in `told_`, and the end
  std::vector<double> told_;     // by rank: failed, stop, then loss and weight of its shards
  std::exception_ptr failure_;
};

// An all-gather within a group, and then a wait until all of them have everything. A rank that goes on to fail, or to leave, as soon
// as it has the pieces would otherwise be told of to a slower one that has not read them yet, which would report that instead.
// Throws Code::communication.
void all_gather_settled(Communicator& communicator, const std::shared_ptr<Group>& group, Label label,
                        const std::vector<Piece>& pieces);

// The wait alone: until all ranks have got here, or one has failed, which whoever calls this is about to report better.
void settle(Communicator& communicator, const std::shared_ptr<Group>& group, std::int64_t step);

}  // namespace athanor::comm
