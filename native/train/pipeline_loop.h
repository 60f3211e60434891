// Many steps of pipeline parallelism in one call: this rank runs its stages of the model for every micro-batch, in the order of a schedule
// that was made before, and sends activations and their gradients to its neighbours. JavaScript takes no part in a step.
//
// A step is a list of instructions over slots, pieces of memory for what goes from one program to another or to another rank. Sending and
// receiving only begin; a program waits for what it reads and for what it is about to overwrite. The micro-batches of a batch are its
// shards (train/sharded_loop.h): gradients are summed along the same tree, and the norm of all gradients is put together from the
// pieces that one process would sum, so that the update has the same bits however the model is cut.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/agreement.h"
#include "ops/comm/gradient_exchange.h"
#include "ops/effects/optimizer_state.h"
#include "runtime/thread_pool.h"
#include "train/loop.h"
#include "train/shards.h"

namespace athanor {

struct PipelineInstruction {
  enum class Kind { run, send, receive, skip } kind = Kind::run;
  int program = 0;            // run: of the config's programs
  int shard = 0;              // run and skip: the micro-batch, counted over the whole batch
  int exchange = -1;          // run and skip: takes the gradients or statistics of this pass
  std::vector<int> feeds;     // run: the slot of each input, -1 for a column or a number of the step
  std::vector<int> results;   // run: the slot of each output, or what kResult… says
  std::vector<int> slots;     // send, receive
  int peer = 0, channel = 0;  // send, receive: the rank of the pipeline
  std::string detail;         // "micro-batch 3 from stage 1 to 2"
  static constexpr int kNone = -1, kLoss = -2, kCount = -3;
};

// A weight that several stages use: its owner steps it, the others get it after every step.
struct SharedWeight {
  std::shared_ptr<Variable> variable;
  int from = 0;  // rank of the pipeline
  std::vector<int> to;
};

struct PipelineConfig {
  std::shared_ptr<comm::Communicator> communicator;
  std::shared_ptr<comm::Group> pipeline;  // the ranks that hold the stages, in order
  std::vector<comm::ShardBlock> told;     // by rank of the world: the micro-batches whose losses it sees
  std::shared_ptr<Dataset> dataset;
  Index rows = 0;  // of a batch
  int shards = 1;
  std::vector<std::string> hyper;
  std::vector<Index> hyper_counts;  // numbers of each, as not every rank has a program that takes it
  LossKind kind = LossKind::rows;
  std::vector<std::shared_ptr<Program>> programs;
  std::vector<Index> slots;  // bytes of each
  std::vector<PipelineInstruction> instructions;
  std::vector<std::shared_ptr<GradientExchange>> exchanges;
  std::vector<std::vector<std::vector<std::string>>> tensors;  // names of the update's inputs, by exchange and bucket
  std::vector<bool> holds_gradients;                           // by exchange: gradients, or statistics
  std::shared_ptr<Program> update;                             // null where this rank trains nothing
  std::shared_ptr<OptimizerState> optimizer;                   // of this rank's parameters; null likewise
  double max_norm = 0;                                         // 0: gradients are not clipped
  std::vector<Index> sizes;  // elements of every trained parameter of the model, in the optimizer's order
  std::vector<int> owners;   // the rank of the pipeline that steps each
  // The ranks that have the parameters marked in `divided` among them; null where all are whole.
  std::shared_ptr<comm::Group> tensor;
  std::vector<bool> divided;
  std::vector<SharedWeight> shared;
};

// When a pass ran: seconds since the step began.
struct PipelineSpan {
  int instruction = 0;
  double start = 0, end = 0;
};

class PipelineLoop {
 public:
  // Throws Code::argument or Code::shape where programs and data do not fit.
  explicit PipelineLoop(PipelineConfig config);

  // As ShardedLoop::run.
  LoopResult run(const LoopRequest& request);

  // Of the last step that ran, in the order in which this rank took them.
  const std::vector<PipelineSpan>& spans() const { return spans_; }

 private:
  struct Feed {
    int slot = -1;   // what another program or rank has made
    ShardFeed rows;  // else
  };
  struct Call {
    std::vector<Feed> feeds;
    std::vector<void*> results;
  };
  struct SlotState {
    std::shared_ptr<Block> memory;
    comm::Communicator::Ticket ticket;
    bool receives = false;
  };

  void place_update();
  void settle(int slot);
  void step(const Batches& batches, Index step);
  void run_pass(const PipelineInstruction& instruction, const Call& call, const Batches& batches, Index step);
  void run_program(const PipelineInstruction& instruction, const Call& call, const Batches& batches, Index step);
  void move(const PipelineInstruction& instruction, std::int64_t step);
  double norm(std::int64_t step);
  void update(const Batches& batches, Index step, LoopResult& result);
  double agreed_fault(double own, std::int64_t step);
  double first_fault(const std::shared_ptr<comm::Group>& group, double own, std::int64_t step);
  double norm_of_whole(double whole, double parts, std::int64_t step);
  void share_weights(std::int64_t step);

  PipelineConfig config_;
  comm::Agreement agreement_;
  StepNumbers numbers_;
  std::vector<SlotState> slots_;
  std::vector<Call> calls_;  // by instruction
  std::vector<ShardFeed> update_feeds_;
  std::vector<const void*> update_pointers_;
  std::optional<optim::OptimPlan> norm_plan_;  // over the parameters of the whole model; gradients of this rank alone
  std::vector<PipelineSpan> spans_;
  std::shared_ptr<ThreadPool> threads_;
  std::chrono::steady_clock::time_point begun_;
  float loss_ = 0, count_ = 0;
  float batch_loss_ = 0;
};

}  // namespace athanor
