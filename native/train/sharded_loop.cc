// Long because a step of a rank is one story: shards, what is told, what is agreed on, the update.
#include "train/sharded_loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "comm/agreement.h"
#include "comm/transfers.h"
#include "kernels/dispatch.h"
#include "runtime/thread_pool.h"

namespace athanor {
namespace {

constexpr std::size_t kHead = 2, kPerShard = 2;  // numbers a rank tells, and more for each shard
constexpr std::size_t kSentence = 2048;

struct RowRange {
  Index begin, end;
};
RowRange rows_of(Index rows, int shard, int shards) { return {rows * shard / shards, rows * (shard + 1) / shards}; }

}  // namespace

ShardedLoop::ShardedLoop(ShardedLoopConfig config) : config_(std::move(config)) {
  // Numbers of a step stand side by side in the order in which their inputs are named; only programs know how many each are.
  for (const std::string& name : config_.hyper) {
    offsets_.push_back(hyper_size_);
    Index count = 0;
    const auto look = [&](const Program& program) {
      for (const Port& port : program.inputs()) {
        if (port.name == name) count = port.type.count();
      }
    };
    look(*config_.update);
    for (const ShardProgram& shard : config_.shards) look(*shard.program);
    hyper_size_ += count;
  }
  for (const ShardProgram& shard : config_.shards) parts_.push_back(make_part(shard));
  for (const Port& port : config_.update->inputs()) {
    const void* pointer = nullptr;
    for (std::size_t b = 0; b < config_.tensors.size(); ++b) {
      for (std::size_t i = 0; i < config_.tensors[b].size(); ++i) {
        if (config_.tensors[b][i] == port.name)
          pointer = config_.exchange->tensor(static_cast<int>(b), static_cast<int>(i));
      }
    }
    if (port.name == "#loss") pointer = &loss_;
    if (pointer == nullptr) {
      update_feeds_.push_back(number_feed(port));
      pointer = update_feeds_.back().memory->data();
    }
    update_pointers_.push_back(pointer);
  }
  const comm::Group& group = *config_.exchange->group();
  std::size_t at = 0;
  for (int rank = 0; rank < group.size(); ++rank) {
    told_at_.push_back(at);
    const int shards = comm::shards_of(config_.exchange->shards(), rank, group.size()).count;
    at += kHead + kPerShard * static_cast<std::size_t>(shards);
  }
  told_at_.push_back(at);
  told_.resize(at);
}

ShardedLoop::Feed ShardedLoop::number_feed(const Port& port) const {
  const auto found = std::find(config_.hyper.begin(), config_.hyper.end(), port.name);
  check(found != config_.hyper.end(), Code::internal, [&] { return "fit: nothing feeds \"" + port.name + "\""; });
  const Index offset = offsets_[static_cast<std::size_t>(found - config_.hyper.begin())];
  return {port.name, nullptr, offset, port.type.count(), std::make_shared<Block>(port.type.bytes())};
}

ShardedLoop::Part ShardedLoop::make_part(const ShardProgram& shard) {
  Part part;
  part.program = shard.program;
  part.rows = shard.rows;
  for (const Port& port : shard.program->inputs()) {
    if (std::find(config_.hyper.begin(), config_.hyper.end(), port.name) != config_.hyper.end()) {
      part.feeds.push_back(number_feed(port));
      continue;
    }
    const Column& column = config_.dataset->column(port.name);
    const Shape &row = column.type.shape, &wanted = port.type.shape;
    const bool fits = wanted.rank() == row.rank() && wanted.rank() >= 1 && column.type.dtype == port.type.dtype &&
                      wanted[0] == shard.rows && std::equal(row.begin() + 1, row.end(), wanted.begin() + 1);
    check(fits, Code::shape, [&] {
      return "fit: column \"" + port.name + "\" is " + to_string(column.type) + ", a shard takes " +
             to_string(port.type);
    });
    part.feeds.push_back({port.name, &column, 0, 0, std::make_shared<Block>(port.type.bytes())});
  }
  for (const Port& port : shard.program->outputs()) {
    const bool count = port.name == "#count";
    part.counts = part.counts || count;
    part.results.push_back(port.name == "loss" ? &shard_loss_ : count ? &count_ : nullptr);
  }
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
  check(request.first_row >= 0 && request.steps >= 0 &&
            request.first_row + request.steps * config_.rows <= config_.dataset->rows(),
        Code::argument, [] { return "fit: the steps asked for leave the data set"; });
  check(static_cast<Index>(request.hyper.size()) == request.steps * hyper_size_, Code::argument, [&] {
    return "fit: expected " + std::to_string(request.steps * hyper_size_) + " hyper-parameters, got " +
           std::to_string(request.hyper.size());
  });
  threads_ = pool();
  const std::int32_t* order = nullptr;
  if (request.shuffle) {
    order = reinterpret_cast<const std::int32_t*>(config_.dataset->order(request.seed, request.epoch).host());
  }
  LoopResult result;
  for (Index step = 0; step < request.steps && !result.cancelled && !result.guarded; ++step) {
    const auto number = static_cast<std::int64_t>(request.first_step) + step;
    double* own = told_by(config_.exchange->group()->rank());
    own[0] = 0;
    own[1] = request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed) ? 1 : 0;
    run_shards(request, step, order);
    tell(number);
    config_.exchange->finish();
    for (int rank = 0; rank < config_.exchange->group()->size(); ++rank) {
      if (told_by(rank)[0] != 0) throw_agreed(number);
    }
    if (any_stop()) {
      result.cancelled = true;
      break;
    }
    update(request, step, result);
    // Every rank has seen the same; one that throws at once must not be faster than the loss is to another.
    if (result.guarded) comm::settle(config_.exchange->communicator(), config_.exchange->group(), number);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

// A shard that throws is completed with zeros, so that the exchange ends on all ranks.
void ShardedLoop::run_shards(const LoopRequest& request, Index step, const std::int32_t* order) {
  failure_ = nullptr;
  const comm::ShardBlock own = config_.exchange->own();
  double* told = told_by(config_.exchange->group()->rank());
  for (int s = 0; s < own.count; ++s) {
    const int shard = own.lo + s;
    const RowRange rows = rows_of(config_.rows, shard, config_.exchange->shards());
    const float share =
        static_cast<float>(static_cast<double>(rows.end - rows.begin) / static_cast<double>(config_.rows));
    config_.exchange->begin_shard(static_cast<std::int64_t>(request.first_step) + step, shard, share);
    double* numbers = told + kHead + kPerShard * static_cast<std::size_t>(s);
    numbers[0] = numbers[1] = 0;
    if (rows.end > rows.begin && failure_ == nullptr) {
      try {
        run_shard(request, step, order, shard);
        numbers[0] = shard_loss_;
        numbers[1] = config_.kind == ShardedLoopConfig::Kind::rows    ? static_cast<double>(rows.end - rows.begin)
                     : config_.kind == ShardedLoopConfig::Kind::count ? static_cast<double>(count_)
                                                                      : 1.0;
      } catch (const Error& error) {
        if (error.code() == Code::communication) throw;
        failure_ = std::current_exception();
        told[0] = 1;
      }
    }
    config_.exchange->complete_shard(*threads_);
  }
}

void ShardedLoop::run_shard(const LoopRequest& request, Index step, const std::int32_t* order, int shard) {
  const RowRange range = rows_of(config_.rows, shard, config_.exchange->shards());
  Part& part = part_of(range.end - range.begin);
  const Index first_row = request.first_row + step * config_.rows + range.begin;
  std::vector<const void*> feeds;
  for (const Feed& feed : part.feeds) {
    feeds.push_back(feed.memory->data());
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
    args.rows = part.rows;
    args.samples = config_.dataset->rows();
    args.row_elements = feed.column->type.shape.count(1);
    args.scale = 1;
    kernel_table().movement.batch_gather(args, *threads_);
  }
  RunRequest run;
  run.feeds = feeds;
  run.results = part.results;
  run.seed = request.seed;
  run.step = request.first_step + static_cast<std::uint64_t>(step);
  run.first_row = range.begin;
  run.rows = part.rows;
  run.parallel = threads_.get();
  part.program->run(run);
}

void ShardedLoop::tell(std::int64_t step) {
  comm::Communicator& communicator = config_.exchange->communicator();
  const comm::Group& group = *config_.exchange->group();
  if (group.size() == 1) return;
  std::vector<comm::Piece> pieces;
  for (int rank = 0; rank < group.size(); ++rank) {
    const std::size_t r = static_cast<std::size_t>(rank);
    pieces.push_back(
        {rank, told_.data() + told_at_[r], static_cast<Index>((told_at_[r + 1] - told_at_[r]) * sizeof(double))});
  }
  communicator.run(config_.exchange->group(),
                   {"all-gather", "losses and faults", static_cast<Index>(told_.size() * 8), step},
                   comm::all_gather(group.rank(), pieces));
}

// All ranks throw the error of the first that has one.
void ShardedLoop::throw_agreed(std::int64_t step) {
  comm::Communicator& communicator = config_.exchange->communicator();
  const comm::Group& group = *config_.exchange->group();
  struct Wire {
    std::int32_t code = 0;
    char sentence[kSentence] = {};
  };
  std::vector<Wire> wires(static_cast<std::size_t>(group.size()));
  if (failure_ != nullptr) {
    Wire& own = wires[static_cast<std::size_t>(group.rank())];
    try {
      std::rethrow_exception(failure_);
    } catch (const Error& error) {
      own.code = static_cast<std::int32_t>(error.code());
      std::strncpy(own.sentence, error.what(), kSentence - 1);
    }
  }
  if (group.size() > 1) {
    std::vector<comm::Piece> pieces;
    for (int rank = 0; rank < group.size(); ++rank)
      pieces.push_back({rank, &wires[static_cast<std::size_t>(rank)], sizeof(Wire)});
    comm::all_gather_settled(communicator, config_.exchange->group(), {"all-gather", "faults", sizeof(Wire), step},
                             pieces);
  }
  for (int rank = 0; rank < group.size(); ++rank) {
    const Wire& wire = wires[static_cast<std::size_t>(rank)];
    if (told_by(rank)[0] == 0) continue;
    const std::string who = group.size() == 1
                                ? ""
                                : comm::named_rank(communicator, group.ranks()[static_cast<std::size_t>(rank)]) +
                                      ", step " + std::to_string(step) + ": ";
    throw Error(static_cast<Code>(wire.code), who + wire.sentence);
  }
  throw Error(Code::internal, "fit: a rank failed without an error");
}

bool ShardedLoop::any_stop() const {
  for (std::size_t r = 0; r + 1 < told_at_.size(); ++r) {
    if (told_[told_at_[r] + 1] != 0) return true;
  }
  return false;
}

void ShardedLoop::update(const LoopRequest& request, Index step, LoopResult& result) {
  using Kind = ShardedLoopConfig::Kind;
  // In the order of shards, in double: the same on all ranks.
  double sum = 0, weight = 0;
  for (std::size_t r = 0; r + 1 < told_at_.size(); ++r) {
    for (std::size_t at = told_at_[r] + kHead; at < told_at_[r + 1]; at += kPerShard) {
      if (told_[at + 1] == 0) continue;
      sum += told_[at] * told_[at + 1];
      weight += told_[at + 1];
    }
  }
  loss_ = static_cast<float>(config_.kind == Kind::sum ? sum : sum / weight);
  if (config_.kind == Kind::count) {
    for (int b = 0; b < config_.gradient_buckets; ++b)
      config_.exchange->scale(b, static_cast<float>(1 / weight), *threads_);
  }
  for (const Feed& feed : update_feeds_) {
    std::memcpy(feed.memory->data(), request.hyper.data() + step * hyper_size_ + feed.offset,
                static_cast<std::size_t>(feed.count) * sizeof(double));
  }
  double report[4] = {};
  void* results[] = {report};
  RunRequest run;
  run.feeds = update_pointers_;
  run.results = results;
  run.seed = request.seed;
  run.step = request.first_step + static_cast<std::uint64_t>(step);
  run.parallel = threads_.get();
  config_.update->run(run);
  result.records.push_back(loss_);
  result.records.insert(result.records.end(), report, report + 4);
  if (config_.kind == Kind::count) result.records.push_back(weight);
  ++result.steps;
  result.guarded = report[3] != 0;
}

}  // namespace athanor
