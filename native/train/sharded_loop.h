// Many steps of data parallelism in one call: every rank runs the forward and backward pass over its shards of each batch, the
// shards' gradients are added up over all ranks along a fixed tree, and every rank takes the same step of the optimizer.
//
// A batch of `rows` is cut into a fixed number of shards, whatever the number of ranks: losses, gradients and weights have the same
// bits for any number of them. What goes wrong in one shard is agreed on by all ranks before any effect.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "comm/agreement.h"
#include "ops/comm/gradient_exchange.h"
#include "runtime/thread_pool.h"
#include "train/loop.h"
#include "train/shards.h"

namespace athanor {

// The passes over a shard of so many rows: its outputs are "loss" and, of kind count, "#count"; its collectives deliver to the exchange.
struct ShardProgram {
  Index rows;
  std::shared_ptr<Program> program;
};

struct ShardedLoopConfig {
  std::vector<ShardProgram> shards;
  // Takes "#loss", the hyper-parameters and everything exchanged, under `tensors`; its one output is the optimizer's report.
  std::shared_ptr<Program> update;
  std::shared_ptr<Dataset> dataset;
  std::shared_ptr<GradientExchange> exchange;
  std::vector<std::vector<std::string>> tensors;  // the names of the update's inputs, bucket by bucket
  Index rows = 0;                                 // of a batch
  std::vector<std::string> hyper;
  LossKind kind = LossKind::rows;  // of kind count, "#count" says what counts
  int gradient_buckets = 0;        // the first ones; the rest are statistics, means over rows
};

class ShardedLoop {
 public:
  // Throws Code::argument or Code::shape where programs and data do not fit.
  explicit ShardedLoop(ShardedLoopConfig config);

  Index batch() const { return config_.rows; }

  // As Loop::run; records are the loss, the report, and of kind count what counted. `cancelled` on any rank ends all of them after the
  // same step. Throws on all ranks what one of them met, and Code::communication.
  LoopResult run(const LoopRequest& request);

 private:
  struct Part {
    std::shared_ptr<Program> program;
    Index rows = 0;
    std::vector<ShardFeed> feeds;
    std::vector<void*> results;
  };

  void place_update();
  Part make_part(const ShardProgram& shard);
  Part& part_of(Index rows);
  void run_shards(const Batches& batches, Index step);
  void run_shard(const Batches& batches, Index step, int shard);
  void update(const Batches& batches, Index step, LoopResult& result);

  ShardedLoopConfig config_;
  comm::Agreement agreement_;
  StepNumbers numbers_;
  std::vector<Part> parts_;
  std::vector<ShardFeed> update_feeds_;
  std::vector<const void*> update_pointers_;
  std::shared_ptr<ThreadPool> threads_;
  float loss_ = 0;
  float count_ = 0;  // outputs of the shard that runs
  float shard_loss_ = 0;
};

}  // namespace athanor
