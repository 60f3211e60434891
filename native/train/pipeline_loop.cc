#include "train/pipeline_loop.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "comm/transfers.h"
#include "kernels/dispatch.h"

namespace athanor {
namespace {

using Clock = std::chrono::steady_clock;
using Instruction = PipelineInstruction;
using Kind = ShardedLoopConfig::Kind;

struct RowRange {
  Index begin, end;
};
RowRange rows_of(Index rows, int shard, int shards) { return {rows * shard / shards, rows * (shard + 1) / shards}; }

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

}  // namespace

PipelineLoop::PipelineLoop(PipelineConfig config)
    : config_(std::move(config)), agreement_(config_.communicator, config_.told) {
  for (const Index count : config_.hyper_counts) {
    offsets_.push_back(hyper_size_);
    hyper_size_ += count;
  }
  for (const Index bytes : config_.slots) slots_.push_back({std::make_shared<Block>(bytes), nullptr, false});
  for (const Instruction& instruction : config_.instructions) {
    Call call;
    if (instruction.kind == Instruction::Kind::run) {
      const Program& program = *config_.programs[static_cast<std::size_t>(instruction.program)];
      const RowRange range = rows_of(config_.rows, instruction.shard, config_.shards);
      for (std::size_t i = 0; i < program.inputs().size(); ++i)
        call.feeds.push_back(make_feed(program.inputs()[i], instruction.feeds[i], range.end - range.begin));
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

PipelineLoop::Feed PipelineLoop::make_feed(const Port& port, int slot, Index rows) const {
  Feed feed;
  feed.slot = slot;
  if (slot >= 0) return feed;
  const auto found = std::find(config_.hyper.begin(), config_.hyper.end(), port.name);
  feed.memory = std::make_shared<Block>(port.type.bytes());
  feed.count = port.type.count();
  if (found != config_.hyper.end()) {
    feed.offset = offsets_[static_cast<std::size_t>(found - config_.hyper.begin())];
    return feed;
  }
  const Column& column = config_.dataset->column(port.name);
  const Shape &row = column.type.shape, &wanted = port.type.shape;
  const bool fits = wanted.rank() == row.rank() && wanted.rank() >= 1 && column.type.dtype == port.type.dtype &&
                    wanted[0] == rows && std::equal(row.begin() + 1, row.end(), wanted.begin() + 1);
  check(fits, Code::shape, [&] {
    return "fit: column \"" + port.name + "\" is " + to_string(column.type) + ", a stage takes " + to_string(port.type);
  });
  feed.column = &column;
  return feed;
}

LoopResult PipelineLoop::run(const LoopRequest& request) {
  const auto start = Clock::now();
  check(request.first_row >= 0 && request.steps >= 0 &&
            request.first_row + request.steps * config_.rows <= config_.dataset->rows(),
        Code::argument, [] { return "fit: the steps asked for leave the data set"; });
  check(static_cast<Index>(request.hyper.size()) == request.steps * hyper_size_, Code::argument, [&] {
    return "fit: expected " + std::to_string(request.steps * hyper_size_) + " hyper-parameters, got " +
           std::to_string(request.hyper.size());
  });
  threads_ = pool();
  const std::int32_t* order = nullptr;
  if (request.shuffle)
    order = reinterpret_cast<const std::int32_t*>(config_.dataset->order(request.seed, request.epoch).host());
  LoopResult result;
  for (Index i = 0; i < request.steps && !result.cancelled && !result.guarded; ++i) {
    const auto number = static_cast<std::int64_t>(request.first_step) + i;
    agreement_.begin(request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed));
    step(request, i, order);
    agreement_.exchange(number);
    for (const auto& exchange : config_.exchanges) exchange->finish();
    for (std::size_t s = 0; s < slots_.size(); ++s) settle(static_cast<int>(s));
    agreement_.require_success(number);
    if (agreement_.any_stop()) {
      result.cancelled = true;
      break;
    }
    update(request, i, result);
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

void PipelineLoop::step(const LoopRequest& request, Index step, const std::int32_t* order) {
  const auto number = static_cast<std::int64_t>(request.first_step) + step;
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
    run_pass(instruction, call, request, step, order);
    if (instruction.kind == Instruction::Kind::run)
      spans_.push_back({static_cast<int>(i), start, seconds_since(begun_)});
  }
}

// A pass that throws is completed with zeros, so that the others get what they wait for.
void PipelineLoop::run_pass(const Instruction& instruction, const Call& call, const LoopRequest& request, Index step,
                            const std::int32_t* order) {
  GradientExchange* exchange =
      instruction.exchange < 0 ? nullptr : config_.exchanges[static_cast<std::size_t>(instruction.exchange)].get();
  if (exchange != nullptr) {
    const RowRange rows = rows_of(config_.rows, instruction.shard, config_.shards);
    const double share = static_cast<double>(rows.end - rows.begin) / static_cast<double>(config_.rows);
    exchange->begin_shard(static_cast<std::int64_t>(request.first_step) + step, instruction.shard,
                          static_cast<float>(share));
  }
  if (instruction.kind == Instruction::Kind::run && !agreement_.has_failed()) {
    try {
      run_program(instruction, call, request, step, order);
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

void PipelineLoop::run_program(const Instruction& instruction, const Call& call, const LoopRequest& request, Index step,
                               const std::int32_t* order) {
  const RowRange range = rows_of(config_.rows, instruction.shard, config_.shards);
  const Index first_row = request.first_row + step * config_.rows + range.begin;
  std::vector<const void*> feeds;
  for (const Feed& feed : call.feeds) {
    feeds.push_back(feed.slot >= 0 ? slots_[static_cast<std::size_t>(feed.slot)].memory->data() : feed.memory->data());
    if (feed.slot >= 0) continue;
    if (feed.column == nullptr) {
      std::memcpy(feed.memory->data(), request.hyper.data() + step * hyper_size_ + feed.offset,
                  static_cast<std::size_t>(feed.count) * sizeof(double));
      continue;
    }
    kernels::BatchGather args{};
    args.y = feed.memory->data();
    args.x = feed.column->data->host();
    args.index = order == nullptr ? nullptr : order + first_row;
    args.first = first_row;
    args.x_dtype = args.y_dtype = feed.column->type.dtype;
    args.rows = range.end - range.begin;
    args.samples = config_.dataset->rows();
    args.row_elements = feed.column->type.shape.count(1);
    args.scale = 1;
    kernel_table().movement.batch_gather(args, *threads_);
  }
  RunRequest run;
  run.feeds = feeds;
  run.results = call.results;
  run.seed = request.seed;
  run.step = request.first_step + static_cast<std::uint64_t>(step);
  run.first_row = range.begin;
  run.rows = range.end - range.begin;
  run.parallel = threads_.get();
  config_.programs[static_cast<std::size_t>(instruction.program)]->run(run);
  if (std::find(instruction.results.begin(), instruction.results.end(), Instruction::kLoss) ==
      instruction.results.end())
    return;
  const double weight = config_.kind == Kind::rows    ? static_cast<double>(run.rows)
                        : config_.kind == Kind::count ? static_cast<double>(count_)
                                                      : 1.0;
  agreement_.note(instruction.shard, loss_, weight);
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
