#include "train/pipeline_loop.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "comm/transfers.h"

namespace athanor {
namespace {

using Clock = std::chrono::steady_clock;
using Instruction = PipelineInstruction;

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

}  // namespace

PipelineLoop::PipelineLoop(PipelineConfig config)
    : config_(std::move(config)), agreement_(config_.communicator, config_.communicator->world(), config_.told) {
  for (std::size_t i = 0; i < config_.hyper.size(); ++i) numbers_.add(config_.hyper[i], config_.hyper_counts[i]);
  for (const Index bytes : config_.slots) slots_.push_back({std::make_shared<Block>(bytes), nullptr, false});
  for (const Instruction& instruction : config_.instructions) {
    Call call;
    if (instruction.kind == Instruction::Kind::run) {
      const Program& program = *config_.programs[static_cast<std::size_t>(instruction.program)];
      const RowRange range = rows_of(config_.rows, instruction.shard, config_.shards);
      for (std::size_t i = 0; i < program.inputs().size(); ++i) {
        const int slot = instruction.feeds[i];
        const Port& port = program.inputs()[i];
        call.feeds.push_back(
            {slot, slot >= 0 ? ShardFeed{} : make_feed(port, numbers_, *config_.dataset, range.count(), "a stage")});
      }
      for (std::size_t i = 0; i < program.outputs().size(); ++i) {
        const int to = instruction.results[i];
        void* memory = nullptr;
        if (to >= 0) {
          memory = slots_[static_cast<std::size_t>(to)].memory->data();
        } else if (to == Instruction::kLoss) {
          memory = &loss_;
        } else if (to == Instruction::kCount) {
          memory = &count_;
        }
        call.results.push_back(memory);
      }
    }
    calls_.push_back(std::move(call));
  }
  place_update();
}

LoopResult PipelineLoop::run(const LoopRequest& request) {
  const auto start = Clock::now();
  const Batches batches = batches_of(request, *config_.dataset, config_.rows, numbers_.size());
  threads_ = pool();
  LoopResult result;
  for (Index i = 0; i < request.steps && !result.cancelled && !result.guarded; ++i) {
    const auto number = static_cast<std::int64_t>(request.first_step) + i;
    agreement_.begin(request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed));
    step(batches, i);
    agreement_.exchange(number);
    for (const auto& exchange : config_.exchanges) exchange->finish();
    for (std::size_t s = 0; s < slots_.size(); ++s) settle(static_cast<int>(s));
    agreement_.require_success(number);
    if (agreement_.any_stop()) {
      result.cancelled = true;
      break;
    }
    update(batches, i, result);
  }
  result.seconds = seconds_since(start);
  return result;
}

void PipelineLoop::settle(int slot) {
  SlotState& state = slots_[static_cast<std::size_t>(slot)];
  if (state.ticket == nullptr) return;
  const comm::Communicator::Ticket ticket = std::move(state.ticket);
  state.ticket = nullptr;
  config_.communicator->wait(ticket);
}

void PipelineLoop::step(const Batches& batches, Index step) {
  const auto number = static_cast<std::int64_t>(batches.request.first_step) + step;
  spans_.clear();
  begun_ = Clock::now();
  for (std::size_t i = 0; i < config_.instructions.size(); ++i) {
    const Instruction& instruction = config_.instructions[i];
    if (instruction.kind == Instruction::Kind::send || instruction.kind == Instruction::Kind::receive) {
      move(instruction, number);
      continue;
    }
    const Call& call = calls_[i];
    for (const Feed& feed : call.feeds) {
      if (feed.slot >= 0 && slots_[static_cast<std::size_t>(feed.slot)].receives) settle(feed.slot);
    }
    for (const int slot : instruction.results) {
      if (slot >= 0) settle(slot);
    }
    const double start = seconds_since(begun_);
    run_pass(instruction, call, batches, step);
    if (instruction.kind == Instruction::Kind::run)
      spans_.push_back({static_cast<int>(i), start, seconds_since(begun_)});
  }
}

// A pass that throws is completed with zeros, so that the others get what they wait for.
void PipelineLoop::run_pass(const Instruction& instruction, const Call& call, const Batches& batches, Index step) {
  GradientExchange* exchange =
      instruction.exchange < 0 ? nullptr : config_.exchanges[static_cast<std::size_t>(instruction.exchange)].get();
  if (exchange != nullptr) {
    const RowRange rows = rows_of(config_.rows, instruction.shard, config_.shards);
    const double share = static_cast<double>(rows.count()) / static_cast<double>(config_.rows);
    exchange->begin_shard(static_cast<std::int64_t>(batches.request.first_step) + step, instruction.shard,
                          static_cast<float>(share));
  }
  if (instruction.kind == Instruction::Kind::run && !agreement_.has_failed()) {
    try {
      run_program(instruction, call, batches, step);
    } catch (const Error& error) {
      if (error.code() == Code::communication) throw;
      agreement_.note_failure(std::current_exception());
    }
  }
  if (agreement_.has_failed()) {
    for (const int slot : instruction.results) {
      if (slot < 0) continue;
      const Block& memory = *slots_[static_cast<std::size_t>(slot)].memory;
      std::memset(memory.data(), 0, static_cast<std::size_t>(memory.bytes()));
    }
  }
  if (exchange != nullptr) exchange->complete_shard(*threads_);
}

void PipelineLoop::run_program(const Instruction& instruction, const Call& call, const Batches& batches, Index step) {
  const RowRange range = rows_of(config_.rows, instruction.shard, config_.shards);
  std::vector<const void*> feeds;
  for (const Feed& feed : call.feeds) {
    if (feed.slot < 0) fill(feed.rows, batches, step, range, *config_.dataset, *threads_);
    feeds.push_back(feed.slot >= 0 ? slots_[static_cast<std::size_t>(feed.slot)].memory->data()
                                   : feed.rows.memory->data());
  }
  RunRequest run;
  run.feeds = feeds;
  run.results = call.results;
  run.seed = batches.request.seed;
  run.step = batches.request.first_step + static_cast<std::uint64_t>(step);
  run.first_row = range.begin;
  run.rows = range.count();
  run.parallel = threads_.get();
  config_.programs[static_cast<std::size_t>(instruction.program)]->run(run);
  if (std::find(instruction.results.begin(), instruction.results.end(), Instruction::kLoss) ==
      instruction.results.end())
    return;
  agreement_.note(instruction.shard, loss_, weight_of(config_.kind, run.rows, count_));
}

void PipelineLoop::move(const Instruction& instruction, std::int64_t step) {
  const bool sends = instruction.kind == Instruction::Kind::send;
  std::vector<comm::Piece> pieces;
  Index bytes = 0;
  for (const int slot : instruction.slots) {
    const Block& memory = *slots_[static_cast<std::size_t>(slot)].memory;
    // What a slot still gets has to be there before it is sent on, and what it still gives before it is received into.
    settle(slot);
    slots_[static_cast<std::size_t>(slot)].receives = !sends;
    pieces.push_back({instruction.peer, memory.data(), memory.bytes()});
    bytes += memory.bytes();
  }
  auto operation = sends ? comm::transfer(std::move(pieces), {}) : comm::transfer({}, std::move(pieces));
  const auto ticket =
      config_.communicator->start(config_.pipeline, {sends ? "send" : "receive", instruction.detail, bytes, step},
                                  std::move(operation), nullptr, instruction.channel);
  for (const int slot : instruction.slots) slots_[static_cast<std::size_t>(slot)].ticket = ticket;
}

}  // namespace athanor
