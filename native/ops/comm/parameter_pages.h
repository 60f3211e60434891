// Parameters that ranks divide (ZeRO stage 3): each keeps the elements that it steps, and has the others' only while a program reads them,
// bucket by bucket, in the forward and again in the backward pass.
// A piece is on its way while the one before it is read.
//
// The address of a parameter never changes: its memory is one reserved piece, whose pages are given back to the system where they are
// another rank's (madvise). So no kernel and no plan knows of it.
//
// All calls but resident_bytes() come from the thread that runs the steps.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "ops/comm/gradient_exchange.h"
#include "ops/effects/optimizer_state.h"
#include "runtime/paging.h"

namespace athanor {

class ParameterPages final : public Resource, public Paging {
 public:
  // Of an optimizer whose states are divided. Everything is there at first.
  explicit ParameterPages(std::shared_ptr<OptimizerState> optimizer);

  int piece_of(const Variable& variable) const override;
  void begin_program() override;
  void note_need(int piece) override;
  // What a program delivers to the exchange, in the same order.
  void note_delivery(int bucket);
  // Throws Code::unsupported where a program needs something else than those before: a rank without samples takes part in the same messages.
  void end_program() override;

  // Before each shard, in turn.
  void begin_shard(std::int64_t step);
  void need(int piece) override;
  void drop(int piece) override;
  void delivered() { ++at_; }
  // The rest of what a program would have needed and delivered, zeros, where it was not run or has failed; then nothing is there any more
  // but this rank's own. All ranks call it.
  void finish_shard(GradientExchange& exchange, Parallel& parallel);

  // The optimizer has stepped: others' elements are old.
  void stepped();
  // Everything is there until the next step. All ranks call it.
  void gather_all();
  // What is not there is NaN from here on, so that nobody takes it for weights.
  void leave();

  // Of parameters in memory, this rank's own and what is there of others'; from any thread.
  Index resident_bytes() const { return resident_.load(std::memory_order_relaxed) * Index{sizeof(float)}; }

 private:
  struct Event {
    bool is_need;
    int number;
    friend bool operator==(const Event&, const Event&) = default;
  };
  template <class Visit>
  void for_each_of_others(int piece, Visit visit) const;
  Index of_others(int piece) const;
  void start(int piece);
  void take(int piece);
  void start_next();
  void wait_for_all();
  void hold_everything(bool holds);

  std::shared_ptr<OptimizerState> optimizer_;
  bool whole_ = true;
  std::set<int> there_;  // pieces, while not everything is
  std::map<int, comm::Communicator::Ticket> coming_;
  std::atomic<Index> resident_{0};
  std::vector<Event> sequence_, recorded_;
  bool has_sequence_ = false;
  std::size_t at_ = 0;
  std::int64_t step_ = -1;
};

}  // namespace athanor
