// A batch in shards, as all loops over ranks see it: which rows a shard has, what a program is fed for it, how the losses of shards make that
// of the batch.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "comm/agreement.h"
#include "runtime/program.h"
#include "train/dataset.h"
#include "train/loop.h"

namespace athanor {

// How the losses of shards add up: means over rows, means over what was counted, or sums.
enum class LossKind { rows, count, sum };

struct RowRange {
  Index begin, end;
  Index count() const { return end - begin; }
};
RowRange rows_of(Index rows, int shard, int shards);

// What a shard's loss weighs among the others; `counted` is what kind count has counted.
double weight_of(LossKind kind, Index rows, float counted);
float loss_of(LossKind kind, const comm::Agreement::Total& total);

// The numbers of a step, which stand side by side in a row in the order of their names.
class StepNumbers {
 public:
  void add(const std::string& name, Index count);
  Index size() const { return size_; }
  // Where a name's numbers begin; -1 for none of that name.
  Index offset_of(const std::string& name) const;

 private:
  std::vector<std::string> names_;
  std::vector<Index> offsets_;
  Index size_ = 0;
};

// An input of a program that a column or numbers of the step are copied to.
struct ShardFeed {
  const Column* column = nullptr;  // null: numbers
  Index offset = 0, count = 0;     // of numbers, in a row
  std::shared_ptr<Block> memory;
};

// Throws Code::shape where the column does not fit shards of so many rows; `taker` is "a shard" or "a stage".
ShardFeed make_feed(const Port& port, const StepNumbers& numbers, const Dataset& dataset, Index rows,
                    const std::string& taker);

// The steps that are taken now.
struct Batches {
  const LoopRequest& request;
  const std::int32_t* order;  // of the epoch; null: rows in their own order
  Index rows;                 // of a batch
  Index numbers;              // of a step
};

// Checks the request. Throws Code::argument.
Batches batches_of(const LoopRequest& request, Dataset& dataset, Index rows, Index numbers);

// Copies what rows `range` of batch `step` are fed.
void fill(const ShardFeed& feed, const Batches& batches, Index step, RowRange range, const Dataset& dataset,
          Parallel& parallel);

}  // namespace athanor
