#include "ops/comm/gradient_exchange.h"

#include <algorithm>

#include "base/error.h"
#include "ops/comm/parameter_pages.h"

namespace athanor {
namespace {

constexpr Index kAlign = 16;  // elements: tensors begin on cache lines
constexpr Index kTask = Index{1} << 15;
constexpr std::size_t kUnderWay =
    2;  // buckets of which only a part is kept: the next one waits for an earlier one's memory

void add_zeros(float* y, std::span<const float* const> merge, Index n) {
  for (Index i = 0; i < n; ++i) {
    float v = 0;
    for (const float* a : merge) v = a[i] + v;
    y[i] = v;
  }
}

// y ← merge[0] + w · x, then merge[1] + that, and so on. x null: zeros.
void accumulate(float* y, const float* x, float w, std::span<const float* const> merge, Index n) {
  if (x == nullptr || w == 0) return add_zeros(y, merge, n);
  const auto value = [&](Index i) { return w * x[i]; };
  if (merge.empty()) {
    for (Index i = 0; i < n; ++i) y[i] = value(i);
  } else if (merge.size() == 1) {
    const float* a = merge[0];
    for (Index i = 0; i < n; ++i) y[i] = a[i] + value(i);
  } else {
    for (Index i = 0; i < n; ++i) {
      float v = value(i);
      for (const float* a : merge) v = a[i] + v;
      y[i] = v;
    }
  }
}

}  // namespace

GradientExchange::GradientExchange(std::shared_ptr<comm::Communicator> communicator, std::shared_ptr<comm::Group> group,
                                   int shards, std::vector<GradientBucket> buckets)
    : communicator_(std::move(communicator)), group_(std::move(group)), shards_(shards), buckets_(std::move(buckets)) {
  const int size = group_->size();
  check(shards >= size, Code::argument, [&] {
    return "parallel.data: " + std::to_string(size) + " ranks need at least as many shards, got " +
           std::to_string(shards) + "; give shards: " + std::to_string(size) + ", or a multiple of it";
  });
  own_ = comm::shards_of(shards, group_->rank(), size);
  schedule_ = comm::schedule_of(shards, own_);
  plan_ = {DType::f32, comm::Reduce::sum, shards, {}};
  for (int rank = 0; rank < size; ++rank) {
    plan_.partials.push_back(comm::partials_of(shards, comm::shards_of(shards, rank, size)));
  }
  for (const GradientBucket& bucket : buckets_) {
    State state;
    for (const Index count : bucket.elements) {
      state.offsets.push_back(state.elements);
      state.elements += (count + kAlign - 1) / kAlign * kAlign;
    }
    if (bucket.part) {
      const comm::ElementRange run = own_run(state);
      // Never nothing: an address tells that there is a part, if an empty one.
      state.part = std::make_shared<Block>(std::max((run.end - run.begin) * 4, Index{64}));
    } else {
      for (int i = 0; i < schedule_.buffers; ++i) state.buffers.push_back(std::make_shared<Block>(state.elements * 4));
      state.staging = std::make_shared<Block>(comm::staging_bytes(plan_, group_->rank(), state.elements));
    }
    states_.push_back(std::move(state));
  }
}

comm::ElementRange GradientExchange::own_run(const State& state) const {
  return comm::segment_of(state.elements, group_->rank(), group_->size());
}

std::shared_ptr<Block> GradientExchange::borrow(Index bytes) {
  for (auto block = spare_.begin(); block != spare_.end(); ++block) {
    if ((*block)->bytes() < bytes) continue;
    std::shared_ptr<Block> found = std::move(*block);
    spare_.erase(block);
    return found;
  }
  return std::make_shared<Block>(bytes);
}

// Memory for a bucket of which only a part is kept: that of one that was under way before, where there is one.
void GradientExchange::make_room(std::size_t bucket) {
  State& state = states_[bucket];
  if (!buckets_[bucket].part || !state.buffers.empty()) return;
  if (bucket >= kUnderWay) {
    for (std::size_t b = 0; b + kUnderWay <= bucket; ++b) settle(states_[b]);
  }
  const std::lock_guard lock(memory_);
  for (int i = 0; i < schedule_.buffers; ++i) state.buffers.push_back(borrow(state.elements * 4));
  state.staging = borrow(comm::staging_bytes(plan_, group_->rank(), state.elements));
}

void GradientExchange::settle(State& state) {
  if (state.ticket == nullptr) return;
  const comm::Communicator::Ticket ticket = std::move(state.ticket);
  state.ticket = nullptr;
  communicator_->wait(ticket);
  if (state.part == nullptr) return;
  const std::lock_guard lock(memory_);
  for (auto& block : state.buffers) spare_.push_back(std::move(block));
  spare_.push_back(std::move(state.staging));
  state.buffers.clear();
}

void GradientExchange::begin_shard(std::int64_t step, int shard, float share) {
  step_ = step;
  entry_ = shard - own_.lo;
  share_ = share;
  for (State& state : states_) state.delivered = false;
  if (entry_ == 0) started_ = 0;
  if (pages_ != nullptr) pages_->begin_shard(step);
}

void GradientExchange::deliver(int bucket, std::span<const float* const> gradients, float weight, Parallel& parallel) {
  State& state = states_[static_cast<std::size_t>(bucket)];
  if (pages_ != nullptr) pages_->delivered();
  make_room(static_cast<std::size_t>(bucket));
  const auto& entry = schedule_.entries[static_cast<std::size_t>(entry_)];
  const auto buffer = [&](int i) {
    return reinterpret_cast<float*>(state.buffers[static_cast<std::size_t>(i)]->data());
  };
  const std::vector<Index>& counts = buckets_[static_cast<std::size_t>(bucket)].elements;
  std::vector<std::pair<std::size_t, Index>> tasks;  // tensor and first element
  for (std::size_t t = 0; t < counts.size(); ++t) {
    for (Index at = 0; at < counts[t]; at += kTask) tasks.emplace_back(t, at);
  }
  parallel.run(static_cast<int>(tasks.size()), [&](int task, int) {
    const auto [t, at] = tasks[static_cast<std::size_t>(task)];
    const Index begin = state.offsets[t] + at;
    const float* merge[32];
    std::size_t merged = 0;
    for (const int m : entry.merge) merge[merged++] = buffer(m) + begin;
    const float* x = gradients.empty() || gradients[t] == nullptr ? nullptr : gradients[t] + at;
    accumulate(buffer(entry.into) + begin, x, weight, {merge, merged}, std::min(kTask, counts[t] - at));
  });
  state.delivered = true;
  if (entry_ + 1 == own_.count) start_ready();
}

void GradientExchange::complete_shard(Parallel& parallel) {
  if (pages_ != nullptr) pages_->finish_shard(*this, parallel);
  for (std::size_t b = 0; b < states_.size(); ++b) {
    if (!states_[b].delivered) deliver(static_cast<int>(b), {}, 0, parallel);
  }
}

void GradientExchange::start_ready() {
  for (; started_ < states_.size() && states_[started_].delivered; ++started_) {
    State& state = states_[started_];
    comm::ReductionData data;
    for (const int i : schedule_.partials) data.own.push_back(state.buffers[static_cast<std::size_t>(i)]->data());
    // Of a part, as though all of the bucket lay there: only this rank's run of it is written.
    data.result = state.part == nullptr ? data.own[0] : state.part->data() - own_run(state).begin * Index{4};
    data.elements = state.elements;
    data.gather = !buckets_[started_].scatter;
    const bool alone = group_->size() == 1 && data.own.size() == 1;
    if (alone) continue;
    const char* name = data.gather ? "all-reduce" : "reduce-scatter";
    state.ticket = communicator_->start(group_, {name, buckets_[started_].detail, state.elements * 4, step_},
                                        comm::reduction(plan_, group_->rank(), std::move(data), state.staging->data()),
                                        shared_from_this());
  }
}

void GradientExchange::finish() {
  for (State& state : states_) settle(state);
}

float* GradientExchange::tensor(int bucket, int index) const {
  const State& state = states_[static_cast<std::size_t>(bucket)];
  const Index offset = state.offsets[static_cast<std::size_t>(index)];
  if (state.part != nullptr) return reinterpret_cast<float*>(state.part->data()) + (offset - own_run(state).begin);
  const int buffer = schedule_.partials[0];
  return reinterpret_cast<float*>(state.buffers[static_cast<std::size_t>(buffer)]->data()) + offset;
}

void GradientExchange::scale(int bucket, float factor, Parallel& parallel) {
  const State& state = states_[static_cast<std::size_t>(bucket)];
  const bool scatter = buckets_[static_cast<std::size_t>(bucket)].scatter;
  const comm::ElementRange run = scatter ? own_run(state) : comm::ElementRange{0, state.elements};
  float* values = tensor(bucket, 0);
  const int tasks = static_cast<int>((run.end - run.begin + kTask - 1) / kTask);
  parallel.run(tasks, [&](int task, int) {
    const Index begin = run.begin + task * kTask, end = std::min(run.end, begin + kTask);
    for (Index i = begin; i < end; ++i) values[i] *= factor;
  });
}

GradientExchange::Bytes GradientExchange::bytes() const {
  Bytes bytes;
  const std::lock_guard lock(memory_);
  for (const State& state : states_) {
    // What a rank adds up between its shards is a gradient of all parameters; the rest comes and goes.
    for (std::size_t i = 0; i < state.buffers.size(); ++i)
      (i == 0 && state.part == nullptr ? bytes.kept : bytes.passing) += state.buffers[i]->bytes();
    if (state.part != nullptr) bytes.kept += (own_run(state).end - own_run(state).begin) * 4;
    if (state.staging != nullptr) bytes.passing += state.staging->bytes();
  }
  for (const auto& block : spare_) bytes.passing += block->bytes();
  return bytes;
}

}  // namespace athanor
