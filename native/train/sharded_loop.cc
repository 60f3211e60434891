#include "train/sharded_loop.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "ops/comm/parameter_pages.h"

namespace athanor {
namespace {

std::vector<comm::ShardBlock> shards_of_ranks(const GradientExchange& exchange) {
  std::vector<comm::ShardBlock> blocks;
  const int size = exchange.group()->size();
  for (int rank = 0; rank < size; ++rank) blocks.push_back(comm::shards_of(exchange.shards(), rank, size));
  return blocks;
}

}  // namespace

ShardedLoop::ShardedLoop(ShardedLoopConfig config)
    : config_(std::move(config)),
      agreement_(config_.exchange->shared_communicator(), config_.exchange->group(),
                 shards_of_ranks(*config_.exchange)) {
  // Only programs know how many numbers go by a name.
  for (const std::string& name : config_.hyper) {
    Index count = 0;
    const auto look = [&](const Program& program) {
      for (const Port& port : program.inputs()) {
        if (port.name == name) count = port.type.count();
      }
    };
    look(*config_.update);
    for (const ShardProgram& shard : config_.shards) look(*shard.program);
    numbers_.add(name, count);
  }
  for (const ShardProgram& shard : config_.shards) parts_.push_back(make_part(shard));
  place_update();
}

void ShardedLoop::place_update() {
  for (const Port& port : config_.update->inputs()) {
    const void* pointer = port.name == "#loss" ? &loss_ : nullptr;
    for (std::size_t b = 0; b < config_.tensors.size(); ++b) {
      for (std::size_t i = 0; i < config_.tensors[b].size(); ++i) {
        if (config_.tensors[b][i] == port.name)
          pointer = config_.exchange->tensor(static_cast<int>(b), static_cast<int>(i));
      }
    }
    if (pointer == nullptr) {
      check(numbers_.offset_of(port.name) >= 0, Code::internal,
            [&] { return "fit: nothing feeds \"" + port.name + "\""; });
      update_feeds_.push_back(make_feed(port, numbers_, *config_.dataset, 0, "the update"));
      pointer = update_feeds_.back().memory->data();
    }
    update_pointers_.push_back(pointer);
  }
}

ShardedLoop::Part ShardedLoop::make_part(const ShardProgram& shard) {
  Part part;
  part.program = shard.program;
  part.rows = shard.rows;
  for (const Port& port : shard.program->inputs())
    part.feeds.push_back(make_feed(port, numbers_, *config_.dataset, shard.rows, "a shard"));
  for (const Port& port : shard.program->outputs())
    part.results.push_back(port.name == "loss" ? &shard_loss_ : port.name == "#count" ? &count_ : nullptr);
  return part;
}

ShardedLoop::Part& ShardedLoop::part_of(Index rows) {
  for (Part& part : parts_) {
    if (part.rows == rows) return part;
  }
  throw Error(Code::internal, "fit: there is no program for a shard of " + std::to_string(rows) + " rows");
}

LoopResult ShardedLoop::run(const LoopRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  const Batches batches = batches_of(request, *config_.dataset, config_.rows, numbers_.size());
  threads_ = pool();
  LoopResult result;
  for (Index step = 0; step < request.steps && !result.cancelled && !result.guarded; ++step) {
    const auto number = static_cast<std::int64_t>(request.first_step) + step;
    agreement_.begin(request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed));
    run_shards(batches, step);
    agreement_.exchange(number);
    config_.exchange->finish();
    agreement_.require_success(number);
    if (agreement_.any_stop()) {
      result.cancelled = true;
      break;
    }
    update(batches, step, result);
    // Every rank has seen the same; one that throws at once must not be faster than the loss is to another.
    if (result.guarded) comm::settle(agreement_.communicator(), agreement_.group(), number);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

// A shard that throws is completed with zeros, so that the exchange ends on all ranks.
void ShardedLoop::run_shards(const Batches& batches, Index step) {
  const comm::ShardBlock own = config_.exchange->own();
  for (int shard = own.lo; shard < own.lo + own.count; ++shard) {
    const Index rows = rows_of(config_.rows, shard, config_.exchange->shards()).count();
    const float share = static_cast<float>(static_cast<double>(rows) / static_cast<double>(config_.rows));
    config_.exchange->begin_shard(static_cast<std::int64_t>(batches.request.first_step) + step, shard, share);
    if (rows > 0 && !agreement_.has_failed()) {
      try {
        run_shard(batches, step, shard);
        agreement_.note(shard, shard_loss_, weight_of(config_.kind, rows, count_));
      } catch (const Error& error) {
        if (error.code() == Code::communication) throw;
        agreement_.note_failure(std::current_exception());
      }
    }
    config_.exchange->complete_shard(*threads_);
  }
}

void ShardedLoop::run_shard(const Batches& batches, Index step, int shard) {
  const RowRange range = rows_of(config_.rows, shard, config_.exchange->shards());
  Part& part = part_of(range.count());
  std::vector<const void*> feeds;
  for (const ShardFeed& feed : part.feeds) {
    fill(feed, batches, step, range, *config_.dataset, *threads_);
    feeds.push_back(feed.memory->data());
  }
  RunRequest run;
  run.feeds = feeds;
  run.results = part.results;
  run.seed = batches.request.seed;
  run.step = batches.request.first_step + static_cast<std::uint64_t>(step);
  run.first_row = range.begin;
  run.rows = part.rows;
  run.parallel = threads_.get();
  part.program->run(run);
}

void ShardedLoop::update(const Batches& batches, Index step, LoopResult& result) {
  const comm::Agreement::Total total = agreement_.total();
  loss_ = loss_of(config_.kind, total);
  if (config_.kind == LossKind::count) {
    for (int b = 0; b < config_.gradient_buckets; ++b)
      config_.exchange->scale(b, static_cast<float>(1 / total.weight), *threads_);
  }
  for (const ShardFeed& feed : update_feeds_) fill(feed, batches, step, {0, 0}, *config_.dataset, *threads_);
  double report[4] = {};
  void* results[] = {report};
  RunRequest run;
  run.feeds = update_pointers_;
  run.results = results;
  run.seed = batches.request.seed;
  run.step = batches.request.first_step + static_cast<std::uint64_t>(step);
  run.parallel = threads_.get();
  config_.update->run(run);
  if (config_.exchange->pages() != nullptr) config_.exchange->pages()->stepped();
  result.records.push_back(loss_);
  result.records.insert(result.records.end(), report, report + 4);
  if (config_.kind == LossKind::count) result.records.push_back(total.weight);
  ++result.steps;
  result.guarded = report[3] != 0;
}

}  // namespace athanor
