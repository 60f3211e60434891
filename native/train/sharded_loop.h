// Many steps of data parallelism in one call: every rank runs the forward and backward pass over its shards of each batch, the
// shards' gradients are added up over all ranks along a fixed tree, and every rank takes the same step of the optimizer.
//
// A batch of `rows` is cut into a fixed number of shards, whatever the number of ranks: losses, gradients and weights have the same
// bits for any number of them. What goes wrong in one shard is agreed on by all ranks before any effect.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ops/comm/gradient_exchange.h"
#include "runtime/thread_pool.h"
#include "train/loop.h"

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
  // How the losses of shards add up: means over rows, means over what "#count" says, or sums.
  enum class Kind { rows, count, sum } kind = Kind::rows;
  int gradient_buckets = 0;  // the first ones; the rest are statistics, means over rows
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
  struct Feed {
    std::string name;
    const Column* column = nullptr;  // null: a number of the step
    Index offset = 0, count = 0;     // of those numbers, in a row of hypers
    std::shared_ptr<Block> memory;
  };
  struct Part {
    std::shared_ptr<Program> program;
    Index rows = 0;
    std::vector<Feed> feeds;
    std::vector<void*> results;
    bool counts = false;
  };

  // What a rank tells the others of a step: whether it has failed, whether it wants to stop, then loss and weight of each of its shards.
  Feed number_feed(const Port& port) const;
  Part make_part(const ShardProgram& shard);
  Part& part_of(Index rows);
  void run_shards(const LoopRequest& request, Index step, const std::int32_t* order);
  void run_shard(const LoopRequest& request, Index step, const std::int32_t* order, int shard);
  void tell(std::int64_t step);
  [[noreturn]] void throw_agreed(std::int64_t step);
  bool any_stop() const;
  void update(const LoopRequest& request, Index step, LoopResult& result);
  double* told_by(int rank) { return told_.data() + told_at_[static_cast<std::size_t>(rank)]; }

  ShardedLoopConfig config_;
  std::vector<Index> offsets_;  // of every hyper, in a row
  Index hyper_size_ = 0;
  std::vector<Part> parts_;
  std::vector<Feed> update_feeds_;
  std::vector<const void*> update_pointers_;
  std::vector<std::size_t> told_at_;
  std::vector<double> told_;
  std::shared_ptr<ThreadPool> threads_;
  std::exception_ptr failure_;  // of this rank in the step that runs
  float loss_ = 0;
  float count_ = 0;  // outputs of the shard that runs
  float shard_loss_ = 0;
};

}  // namespace athanor
