// What data parallelism keeps between the backward pass and the update, as a resource of a graph: the shards' gradients are added
// up on this rank along the fixed tree (comm/shard_tree.h), bucket by bucket, and as soon as the last shard has filled a bucket its
// exchange with the other ranks begins, while the backward pass goes on.
//
// A bucket is one piece of memory with its tensors side by side. Gradients come in weighted: what is exchanged is the sum over all
// samples of the batch, or the mean, as the caller weights them.
#pragma once
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/reduction.h"
#include "graph/graph.h"

namespace athanor {

struct GradientBucket {
  std::vector<Index> elements;  // of each tensor, f32
  std::string detail;           // "bucket 2 of the gradients"
  // Every rank gets the sums of its own run of the bucket alone (comm::segment_of), half of the bytes; else all of them.
  bool scatter = false;
  // Of a bucket that is scattered, only those sums are kept; the memory of a bucket is another's once it has been exchanged.
  bool part = false;
};

class ParameterPages;

class GradientExchange final : public Resource, public std::enable_shared_from_this<GradientExchange> {
 public:
  // Throws Code::argument when there are fewer shards than ranks.
  GradientExchange(std::shared_ptr<comm::Communicator> communicator, std::shared_ptr<comm::Group> group, int shards,
                   std::vector<GradientBucket> buckets);

  comm::Communicator& communicator() const { return *communicator_; }
  const std::shared_ptr<comm::Communicator>& shared_communicator() const { return communicator_; }
  // The ranks that have shards of the same batch: of a mesh, those along its data dimension.
  const std::shared_ptr<comm::Group>& group() const { return group_; }
  int shards() const { return shards_; }
  comm::ShardBlock own() const { return own_; }
  const std::vector<GradientBucket>& buckets() const { return buckets_; }

  // Parameters that are gathered where a program uses them; null: all of them are there.
  const std::shared_ptr<ParameterPages>& pages() const { return pages_; }
  void set_pages(std::shared_ptr<ParameterPages> pages) { pages_ = std::move(pages); }

  // Before each shard of this rank, in turn; `share` is what the op's weight "share" stands for.
  void begin_shard(std::int64_t step, int shard, float share);
  float share() const { return share_; }

  // The gradients of a bucket, of the shard that runs; a null pointer or a weight of 0 stands for zeros.
  void deliver(int bucket, std::span<const float* const> gradients, float weight, Parallel& parallel);

  // Zeros for every bucket that the shard has not delivered: an empty shard, or one that failed.
  void complete_shard(Parallel& parallel);

  // Waits for all buckets of the step. Throws Code::communication.
  void finish();

  // The sums, after finish(); of a bucket that is scattered, this rank's elements count.
  float* tensor(int bucket, int index) const;
  // A number of all sums of a bucket.
  void scale(int bucket, float factor, Parallel& parallel);

  // Bytes of gradients that are kept from step to step, and of memory that messages and sums go through; from any thread.
  struct Bytes {
    Index kept = 0, passing = 0;
  };
  Bytes bytes() const;

 private:
  struct State {
    Index elements = 0;
    std::vector<Index> offsets;  // of each tensor, in elements
    // Partial sums of this rank's shards, and room for those of others. Of a part, only while the bucket is on its way.
    std::vector<std::shared_ptr<Block>> buffers;
    std::shared_ptr<Block> staging;
    std::shared_ptr<Block> part;  // the sums of this rank's run, where nothing else is kept
    bool delivered = false;       // by the shard that runs
    comm::Communicator::Ticket ticket;
  };
  std::shared_ptr<Block> borrow(Index bytes);
  void make_room(std::size_t bucket);
  void settle(State& state);
  comm::ElementRange own_run(const State& state) const;
  void start_ready();

  std::shared_ptr<comm::Communicator> communicator_;
  std::shared_ptr<comm::Group> group_;
  int shards_;
  comm::ShardBlock own_;
  comm::ShardSchedule schedule_;
  comm::ReductionPlan plan_;
  std::vector<GradientBucket> buckets_;
  std::vector<State> states_;
  mutable std::mutex memory_;  // of which blocks there are, for bytes()
  std::shared_ptr<ParameterPages> pages_;
  std::vector<std::shared_ptr<Block>> spare_;  // memory of buckets that have been exchanged
  std::size_t started_ = 0;  // buckets whose exchange has begun, in order: the same order on all ranks
  std::int64_t step_ = 0;
  int entry_ = 0;  // which of this rank's shards runs
  float share_ = 1;
};

}  // namespace athanor
