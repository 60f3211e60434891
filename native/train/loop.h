// Many steps of one program in one call: gather a batch, run, record the scalars, next. What `fit` and `evaluate` drive.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device/loop.h"
#include "runtime/program.h"
#include "train/dataset.h"

namespace athanor {

struct LoopConfig {
  std::shared_ptr<Program> program;
  std::shared_ptr<Dataset> dataset;
  std::vector<std::string> hyper;    // inputs (f64) that take each step's numbers: hyper-parameters, schedules
  std::vector<std::string> record;   // small outputs: their numbers are kept for every step, side by side
  std::vector<std::string> collect;  // outputs [batch, …]: their rows are kept, in the order of the batches
  std::string guard;                 // stop when the last number of this recorded output is not 0; empty: never
};

struct LoopRequest {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  bool shuffle = true;  // false: rows in their own order
  Index first_row = 0;  // of the epoch's order
  Index steps = 0;
  std::uint64_t first_step = 0;  // keys the random numbers
  std::vector<double> hyper;     // [steps, numbers of all hyper inputs in the order of the config]
  const std::atomic<bool>* cancelled = nullptr;
};

struct LoopResult {
  Index steps = 0;  // done; fewer than asked when cancelled or guarded
  bool cancelled = false;
  bool guarded = false;
  std::vector<double> records;                    // [steps, numbers of all records]
  std::vector<std::vector<std::byte>> collected;  // one per collect
  double seconds = 0;
};

class Loop {
 public:
  // Matches the program's inputs with the dataset's columns by name; throws Code::argument or Code::shape.
  explicit Loop(LoopConfig config);

  Index batch() const { return batch_; }
  Index hyper_size() const { return hyper_size_; }
  const Program& program() const { return *config_.program; }

  // Throws what a step throws. A step that fails has changed nothing; the ones before it are done.
  LoopResult run(const LoopRequest& request);

 private:
  struct Feed {
    const Column* column;  // null: numbers of the step
    std::shared_ptr<Block> batch;
    int hyper = -1;
    Index count = 0, offset = 0;  // of those numbers, in a row
  };
  struct Result {
    std::vector<std::byte> bytes;
    int record = -1, collect = -1;
    Index count = 0, offset = 0;  // numbers of a record, and where they stand in a row
  };

  void place_on_device();
  LoopResult run_on_device(const LoopRequest& request);
  void place_hypers();
  void place_records();
  void gather(const std::int32_t* order, Index first_row, Parallel& parallel);
  void keep(LoopResult& result) const;

  LoopConfig config_;
  Index batch_ = 0;
  Index hyper_size_ = 0;
  Index record_width_ = 0;
  Index guard_ = -1;
  std::vector<Feed> feeds_;
  std::vector<Result> results_;
  std::unique_ptr<device::DeviceLoop> device_;  // of a program that runs on a device
};

}  // namespace athanor
