#include "train/loop.h"

#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "kernels/dispatch.h"
#include "runtime/thread_pool.h"

namespace athanor {
namespace {

// A record is a handful of numbers a step; whole tensors are collected.
constexpr Index kMostRecorded = 16;

double to_double(const std::byte* at, DType dtype) {
  switch (dtype) {
    case DType::f64: {
      double v;
      std::memcpy(&v, at, sizeof v);
      return v;
    }
    case DType::i32: {
      std::int32_t v;
      std::memcpy(&v, at, sizeof v);
      return v;
    }
    case DType::u8:
    case DType::boolean: return std::to_integer<int>(*at);
    case DType::bf16: {
      Bf16 v;
      std::memcpy(&v, at, sizeof v);
      return to_f32(v);
    }
    case DType::f32: break;
  }
  float v;
  std::memcpy(&v, at, sizeof v);
  return v;
}

int position(const std::vector<std::string>& names, const std::string& name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

Loop::Loop(LoopConfig config) : config_(std::move(config)) {
  bool sized = false;
  const bool on_device = dynamic_cast<device::DeviceProgram*>(config_.program.get()) != nullptr;
  for (const Port& port : config_.program->inputs()) {
    auto batch = std::make_shared<Block>(on_device ? 0 : port.type.bytes());
    if (const int hyper = position(config_.hyper, port.name); hyper >= 0) {
      check(port.type.dtype == DType::f64, Code::dtype, [&] {
        return "fit: the numbers of a step are f64, input \"" + port.name + "\" is " + to_string(port.type);
      });
      feeds_.push_back({nullptr, std::move(batch), hyper, port.type.count(), 0});
      continue;
    }
    const Column& column = config_.dataset->column(port.name);
    Shape row = column.type.shape, wanted = port.type.shape;
    const bool rows_match = wanted.rank() == row.rank() && wanted.rank() >= 1 && column.type.dtype == port.type.dtype &&
                            std::equal(row.begin() + 1, row.end(), wanted.begin() + 1);
    check(rows_match && (!sized || wanted[0] == batch_), Code::shape, [&] {
      return "fit: column \"" + port.name + "\" is " + to_string(column.type) + ", the program takes batches " +
             to_string(port.type);
    });
    batch_ = wanted[0];
    sized = true;
    feeds_.push_back({&column, std::move(batch), -1, 0, 0});
  }
  for (const Port& port : config_.program->outputs()) {
    Result result;
    result.record = position(config_.record, port.name);
    result.collect = position(config_.collect, port.name);
    result.count = port.type.count();
    check(result.record < 0 || result.count <= kMostRecorded, Code::shape, [&] {
      return "fit: at most " + std::to_string(kMostRecorded) + " numbers an output are recorded, \"" + port.name +
             "\" is " + to_string(port.type);
    });
    if (result.record >= 0 || result.collect >= 0) result.bytes.resize(static_cast<std::size_t>(port.type.bytes()));
    results_.push_back(std::move(result));
  }
  place_hypers();
  place_records();
  if (on_device) place_on_device();
}

void Loop::place_on_device() {
  device::LoopPlan plan;
  plan.batch = batch_, plan.samples = config_.dataset->rows();
  plan.hyper_size = hyper_size_, plan.record_width = record_width_;
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const Feed& feed = feeds_[i];
    if (feed.column == nullptr) {
      plan.hypers.push_back({i, feed.offset, feed.count});
    } else {
      plan.columns.push_back({i, feed.column->data, feed.column->type.dtype, feed.column->type.shape.count(1)});
    }
  }
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const Result& result = results_[i];
    const bool guards = result.record >= 0 && guard_ >= 0 && result.offset + result.count - 1 == guard_;
    if (result.record >= 0) plan.records.push_back({i, result.offset, result.count, guards});
    if (result.collect >= 0) plan.collected.push_back({i, static_cast<std::size_t>(result.collect)});
  }
  device_ = std::make_unique<device::DeviceLoop>(std::static_pointer_cast<device::DeviceProgram>(config_.program),
                                                 std::move(plan));
}

LoopResult Loop::run_on_device(const LoopRequest& request) {
  device::LoopTurns turns;
  if (request.shuffle) turns.order = &config_.dataset->order(request.seed, request.epoch);
  turns.first_row = request.first_row, turns.steps = request.steps;
  turns.seed = request.seed, turns.first_step = request.first_step;
  turns.hyper = request.hyper.data();
  turns.cancelled = request.cancelled;
  device::LoopOutcome outcome = device_->run(turns);
  LoopResult result;
  result.steps = outcome.steps, result.cancelled = outcome.is_cancelled, result.guarded = outcome.is_guarded;
  result.records = std::move(outcome.records);
  result.collected = std::move(outcome.collected);
  return result;
}

// The numbers of a step stand side by side in the order in which their inputs are named.
void Loop::place_hypers() {
  for (std::size_t wanted = 0; wanted < config_.hyper.size(); ++wanted) {
    for (Feed& feed : feeds_) {
      if (feed.hyper != static_cast<int>(wanted)) continue;
      feed.offset = hyper_size_;
      hyper_size_ += feed.count;
    }
  }
}

// Records stand side by side in the order in which they were asked for.
void Loop::place_records() {
  for (std::size_t wanted = 0; wanted < config_.record.size(); ++wanted) {
    for (Result& result : results_) {
      if (result.record != static_cast<int>(wanted)) continue;
      result.offset = record_width_;
      record_width_ += result.count;
      if (config_.record[wanted] == config_.guard) guard_ = record_width_ - 1;
    }
  }
}

void Loop::gather(const std::int32_t* order, Index first_row, Parallel& parallel) {
  for (const Feed& feed : feeds_) {
    if (feed.column == nullptr) continue;
    kernels::BatchGather args{};
    args.y = feed.batch->data();
    args.x = feed.column->data->host();
    args.index = order == nullptr ? nullptr : order + first_row;
    args.first = first_row;
    args.x_dtype = args.y_dtype = feed.column->type.dtype;
    args.rows = batch_;
    args.samples = config_.dataset->rows();
    args.row_elements = feed.column->type.shape.count(1);
    args.scale = 1;
    kernel_table().movement.batch_gather(args, parallel);
  }
}

void Loop::keep(LoopResult& result) const {
  const std::size_t width = static_cast<std::size_t>(record_width_);
  result.records.resize(result.records.size() + width);
  double* row = result.records.data() + result.records.size() - width;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const Result& value = results_[i];
    if (value.record >= 0) {
      const DType dtype = config_.program->outputs()[i].type.dtype;
      const Index size = size_of(dtype);
      for (Index e = 0; e < value.count; ++e) row[value.offset + e] = to_double(value.bytes.data() + e * size, dtype);
    }
    if (value.collect >= 0) {
      auto& into = result.collected[value.collect];
      into.insert(into.end(), value.bytes.begin(), value.bytes.end());
    }
  }
}

LoopResult Loop::run(const LoopRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  check(request.first_row >= 0 && request.steps >= 0 &&
            request.first_row + request.steps * batch_ <= config_.dataset->rows(),
        Code::argument, [] { return "fit: the steps asked for leave the data set"; });
  check(static_cast<Index>(request.hyper.size()) == request.steps * hyper_size_, Code::argument, [&] {
    return "fit: expected " + std::to_string(request.steps * hyper_size_) + " hyper-parameters, got " +
           std::to_string(request.hyper.size());
  });
  if (device_ != nullptr) {
    LoopResult result = run_on_device(request);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }
  const std::shared_ptr<ThreadPool> threads = pool();
  const std::int32_t* order = nullptr;
  if (request.shuffle) {
    order = reinterpret_cast<const std::int32_t*>(config_.dataset->order(request.seed, request.epoch).host());
  }
  LoopResult result;
  result.collected.resize(config_.collect.size());
  std::vector<const void*> feeds;
  for (const Feed& feed : feeds_) feeds.push_back(feed.batch->data());
  std::vector<void*> results;
  for (Result& value : results_) results.push_back(value.bytes.empty() ? nullptr : value.bytes.data());
  RunRequest run;
  run.feeds = feeds;
  run.results = results;
  run.seed = request.seed;
  run.parallel = threads.get();
  run.cancelled = request.cancelled;
  for (Index step = 0; step < request.steps; ++step) {
    if (request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed)) {
      result.cancelled = true;
      break;
    }
    gather(order, request.first_row + step * batch_, *threads);
    for (const Feed& feed : feeds_) {
      if (feed.column == nullptr && feed.count > 0) {
        std::memcpy(feed.batch->data(), request.hyper.data() + step * hyper_size_ + feed.offset,
                    static_cast<std::size_t>(feed.count) * 8);
      }
    }
    run.step = request.first_step + static_cast<std::uint64_t>(step);
    try {
      config_.program->run(run);
    } catch (const Error& error) {
      if (error.code() != Code::aborted) throw;
      result.cancelled = true;
      break;
    }
    keep(result);
    ++result.steps;
    const std::size_t row = result.records.size() - static_cast<std::size_t>(record_width_);
    if (guard_ >= 0 && result.records[row + static_cast<std::size_t>(guard_)] != 0) {
      result.guarded = true;
      break;
    }
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace athanor
