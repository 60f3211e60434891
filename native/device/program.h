// A compiled graph on a device. A run uploads its feeds in one piece, replays the launches, which were captured once, and downloads
// results and the run's record in one piece: a handful of calls of the plugin and one wait, whatever the number of operations.
#pragma once
#include <mutex>
#include <vector>

#include "device/emitter.h"
#include "runtime/arena_locks.h"
#include "runtime/buffer.h"

namespace athanor::device {

// Whether steps are captured. ATHANOR_CUDA_GRAPHS=0 launches every kernel by itself: to look for a fault, and to compare.
bool wants_graphs();

class DeviceProgram final : public Program {
 public:
  DeviceProgram(std::shared_ptr<PluginDevice> device, DeviceCode code);
  ~DeviceProgram();

  const std::vector<Port>& inputs() const override { return code_.inputs; }
  const std::vector<Port>& outputs() const override { return code_.outputs; }
  const ProgramReport& report() const override { return code_.report; }
  void run(const RunRequest& request) override;
  std::vector<double> profile(const RunRequest& request) override;

  const std::shared_ptr<PluginDevice>& device() const { return device_; }

  // What a loop over many steps needs, with the program held for as long as it runs.
  class Session;

 private:
  // One piece of memory of results: the record of the run, then every output, 256 bytes apart.
  struct Place {
    Index offset, bytes;
  };

  void place_feeds();
  void place_outputs();
  void upload_constants();
  void bind();
  void begin(std::uint64_t seed, std::uint64_t step, std::int64_t row);
  void launch_all();
  void copy_outputs();
  void replay();
  void drop_graph();
  void note_changes();
  void throw_bad_data(const RunRecord& run) const;
  void require(Result result, const char* what) const { device_->require(result, what); }
  const Plugin& plugin() const { return device_->plugin(); }
  template <class Around>
  void execute(const RunRequest& request, Around&& launches);

  std::shared_ptr<PluginDevice> device_;
  DeviceCode code_;
  Stream* stream_ = nullptr;
  StepGraph* graph_ = nullptr;
  std::vector<Place> feed_places_, output_places_;
  std::vector<bool> needs_copy_;  // of every output: whether its slot is not in the results already
  std::unique_ptr<DeviceBlock> arena_, constants_, feeds_, results_;
  std::unique_ptr<PinnedBlock> staged_feeds_, staged_results_;
  Index feed_bytes_ = 0, result_bytes_ = 0;
  std::vector<std::byte*> slots_, variables_;
  std::uint64_t changes_ = 0;  // of addresses
  HeldArenas held_;
  std::mutex mutex_;
};

// Holds a program's locks with its variables bound, to launch steps one after the other.
class DeviceProgram::Session {
 public:
  explicit Session(DeviceProgram& program);

  const PluginDevice& device() const { return *program_.device_; }
  Stream* stream() const { return program_.stream_; }
  // Where a run's feed number `input` is read, and its output number `output` written. Steady from run to run.
  std::byte* feed(std::size_t input) const { return program_.feeds_->data() + program_.feed_places_[input].offset; }
  std::byte* output(std::size_t output) const {
    return program_.results_->data() + program_.output_places_[output].offset;
  }
  RunRecord* record() const { return reinterpret_cast<RunRecord*>(program_.results_->data()); }
  // Grows where a variable has moved since the last session, or another kernel is to run: what was captured before is stale.
  std::uint64_t changes() const { return program_.changes_; }

  void begin(std::uint64_t seed, std::uint64_t step, std::int64_t row) { program_.begin(seed, step, row); }
  void launch() { program_.launch_all(); }
  void note_changes() { program_.note_changes(); }
  // Throws the sentence of a run that met bad data.
  void check_data(const RunRecord& run) const { program_.throw_bad_data(run); }

 private:
  DeviceProgram& program_;
  std::unique_lock<std::mutex> lock_;
  ArenaLocks arenas_;
};

}  // namespace athanor::device
