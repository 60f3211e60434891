#include "train/shards.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/dispatch.h"

namespace athanor {

RowRange rows_of(Index rows, int shard, int shards) { return {rows * shard / shards, rows * (shard + 1) / shards}; }

double weight_of(LossKind kind, Index rows, float counted) {
  if (kind == LossKind::rows) return static_cast<double>(rows);
  return kind == LossKind::count ? static_cast<double>(counted) : 1.0;
}

float loss_of(LossKind kind, const comm::Agreement::Total& total) {
  return static_cast<float>(kind == LossKind::sum ? total.sum : total.sum / total.weight);
}

void StepNumbers::add(const std::string& name, Index count) {
  names_.push_back(name);
  offsets_.push_back(size_);
  size_ += count;
}

Index StepNumbers::offset_of(const std::string& name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  return found == names_.end() ? -1 : offsets_[static_cast<std::size_t>(found - names_.begin())];
}

ShardFeed make_feed(const Port& port, const StepNumbers& numbers, const Dataset& dataset, Index rows,
                    const std::string& taker) {
  ShardFeed feed;
  feed.memory = std::make_shared<Block>(port.type.bytes());
  feed.count = port.type.count();
  feed.offset = numbers.offset_of(port.name);
  if (feed.offset >= 0) return feed;
  const Column& column = dataset.column(port.name);
  const Shape &row = column.type.shape, &wanted = port.type.shape;
  const bool fits = wanted.rank() == row.rank() && wanted.rank() >= 1 && column.type.dtype == port.type.dtype &&
                    wanted[0] == rows && std::equal(row.begin() + 1, row.end(), wanted.begin() + 1);
  check(fits, Code::shape, [&] {
    return "fit: column \"" + port.name + "\" is " + to_string(column.type) + ", " + taker + " takes " +
           to_string(port.type);
  });
  feed.column = &column;
  return feed;
}

Batches batches_of(const LoopRequest& request, Dataset& dataset, Index rows, Index numbers) {
  check(request.first_row >= 0 && request.steps >= 0 && request.first_row + request.steps * rows <= dataset.rows(),
        Code::argument, [] { return "fit: the steps asked for leave the data set"; });
  check(static_cast<Index>(request.hyper.size()) == request.steps * numbers, Code::argument, [&] {
    return "fit: expected " + std::to_string(request.steps * numbers) + " hyper-parameters, got " +
           std::to_string(request.hyper.size());
  });
  const std::int32_t* order = nullptr;
  if (request.shuffle) order = reinterpret_cast<const std::int32_t*>(dataset.order(request.seed, request.epoch).host());
  return {request, order, rows, numbers};
}

void fill(const ShardFeed& feed, const Batches& batches, Index step, RowRange range, const Dataset& dataset,
          Parallel& parallel) {
  if (feed.column == nullptr) {
    std::memcpy(feed.memory->data(), batches.request.hyper.data() + step * batches.numbers + feed.offset,
                static_cast<std::size_t>(feed.count) * sizeof(double));
    return;
  }
  const Index first_row = batches.request.first_row + step * batches.rows + range.begin;
  kernels::BatchGather args{};
  args.y = feed.memory->data();
  args.x = feed.column->data->host();
  args.index = batches.order == nullptr ? nullptr : batches.order + first_row;
  args.first = first_row;
  args.x_dtype = args.y_dtype = feed.column->type.dtype;
  args.rows = range.count();
  args.samples = dataset.rows();
  args.row_elements = feed.column->type.shape.count(1);
  args.scale = 1;
  kernel_table().movement.batch_gather(args, parallel);
}

}  // namespace athanor
