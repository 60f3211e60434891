// Many steps of a program on its device in one go: batches are gathered from columns in device memory in the epoch's order, hyper-
// parameters and records of all steps cross once a chunk, and one captured step is replayed. The host looks at nothing in between.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "device/program.h"

namespace athanor::device {

// How a program is fed and read, by the numbers of its inputs and outputs.
struct LoopPlan {
  struct Column {  // an input takes rows of it
    std::size_t input;
    std::shared_ptr<Buffer> data;  // (samples, row_elements)
    DType dtype;
    Index row_elements;
  };
  struct Hyper {  // an f64 input takes numbers of the step
    std::size_t input;
    Index offset, count;  // in a step's row of hyper-parameters
  };
  struct Recorded {
    std::size_t output;
    Index offset, count;  // in a step's row of records
    bool guards;          // the loop stops where its last number is not 0
  };
  struct Collected {
    std::size_t output;
    std::size_t into;
  };
  Index batch = 0, samples = 0;
  Index hyper_size = 0, record_width = 0;
  std::vector<Column> columns;
  std::vector<Hyper> hypers;
  std::vector<Recorded> records;
  std::vector<Collected> collected;
};

struct LoopTurns {
  const Buffer* order = nullptr;  // i32, one a sample; null: rows in their own order
  Index first_row = 0, steps = 0;
  std::uint64_t seed = 0, first_step = 0;
  const double* hyper = nullptr;  // (steps, hyper_size)
  const std::atomic<bool>* cancelled = nullptr;
};

struct LoopOutcome {
  Index steps = 0;
  bool is_cancelled = false, is_guarded = false;
  std::vector<double> records;                    // (steps, record_width)
  std::vector<std::vector<std::byte>> collected;  // one a Collected
};

class DeviceLoop {
 public:
  DeviceLoop(std::shared_ptr<DeviceProgram> program, LoopPlan plan);
  ~DeviceLoop();

  // Throws the sentence of a step that met bad data; it has changed nothing, and those before it are done.
  LoopOutcome run(const LoopTurns& turns);

 private:
  // What crosses between host and device for a chunk of steps.
  struct Chunk {
    std::unique_ptr<DeviceBlock> device;
    std::unique_ptr<PinnedBlock> host;
    Index bytes = 0;
  };
  void make_room(Chunk& chunk, Index bytes);
  void gather(DeviceProgram::Session& session, const std::int32_t* order);
  void keep(DeviceProgram::Session& session);
  void replay(DeviceProgram::Session& session, const std::int32_t* order);
  void drop_graph();
  LoopOutcome deliver(const RunRecord& run, const LoopTurns& turns) const;
  void require(Result result, const char* what) const { program_->device()->require(result, what); }
  const Plugin& plugin() const { return program_->device()->plugin(); }

  std::shared_ptr<DeviceProgram> program_;
  LoopPlan plan_;
  Chunk hyper_, records_;
  std::vector<Chunk> collected_;
  std::unique_ptr<PinnedBlock> record_;  // the RunRecord at the end
  StepGraph* graph_ = nullptr;
  std::uint64_t captured_changes_ = 0;
  std::vector<const void*> captured_;  // addresses that the graph holds: columns and order
};

}  // namespace athanor::device
