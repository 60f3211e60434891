#include "device/program.h"

#include <chrono>
#include <cstdlib>
#include <cstring>

namespace athanor::device {
namespace {

constexpr Index kAlign = 256;

Index rounded(Index bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

bool wants_graphs() {
  const char* set = std::getenv("ATHANOR_CUDA_GRAPHS");
  return set == nullptr || std::strcmp(set, "0") != 0;
}

DeviceProgram::DeviceProgram(std::shared_ptr<PluginDevice> device, DeviceCode code)
    : device_(std::move(device)), code_(std::move(code)), slots_(code_.bindings.size(), nullptr) {
  require(plugin().stream_create(device_->index(), &stream_), "opening a stream");
  variables_.assign(code_.variables.size(), nullptr);
  held_.held.reserve(code_.variables.size());
  arena_ = std::make_unique<DeviceBlock>(device_, code_.arena_bytes);
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const Binding& binding = code_.bindings[slot];
    if (binding.kind == Binding::Kind::arena) slots_[slot] = arena_->data() + binding.index;
  }
  upload_constants();
  place_feeds();
  place_outputs();
}

DeviceProgram::~DeviceProgram() {
  drop_graph();
  if (stream_ != nullptr) plugin().stream_destroy(stream_);
}

void DeviceProgram::upload_constants() {
  std::vector<Index> offsets;
  Index bytes = 0;
  for (const auto& constant : code_.constants) {
    offsets.push_back(bytes);
    bytes += rounded(static_cast<Index>(constant->size()));
  }
  constants_ = std::make_unique<DeviceBlock>(device_, bytes);
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const auto size = static_cast<Index>(code_.constants[i]->size());
    if (size > 0) device_->upload(constants_->data() + offsets[i], code_.constants[i]->data(), size);
  }
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const Binding& binding = code_.bindings[slot];
    if (binding.kind == Binding::Kind::constant) slots_[slot] = constants_->data() + offsets[binding.index];
  }
}

void DeviceProgram::place_feeds() {
  for (const Port& port : code_.inputs) {
    feed_places_.push_back({feed_bytes_, port.type.bytes()});
    feed_bytes_ += rounded(port.type.bytes());
  }
  feeds_ = std::make_unique<DeviceBlock>(device_, feed_bytes_);
  staged_feeds_ = std::make_unique<PinnedBlock>(device_, feed_bytes_);
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const Binding& binding = code_.bindings[slot];
    if (binding.kind == Binding::Kind::feed) slots_[slot] = feeds_->data() + feed_places_[binding.index].offset;
  }
}

// An output that a node makes is made in the results themselves; one that is a variable, a feed, a constant, or given twice is copied.
void DeviceProgram::place_outputs() {
  result_bytes_ = rounded(sizeof(RunRecord));
  for (const Port& port : code_.outputs) {
    output_places_.push_back({result_bytes_, port.type.bytes()});
    result_bytes_ += rounded(port.type.bytes());
  }
  results_ = std::make_unique<DeviceBlock>(device_, result_bytes_);
  staged_results_ = std::make_unique<PinnedBlock>(device_, result_bytes_);
  std::vector<bool> taken(slots_.size(), false);
  for (std::size_t i = 0; i < code_.outputs.size(); ++i) {
    const Slot slot = code_.output_slots[i];
    needs_copy_.push_back(code_.bindings[slot].kind != Binding::Kind::arena || taken[slot]);
    if (needs_copy_.back()) continue;
    slots_[slot] = results_->data() + output_places_[i].offset;
    taken[slot] = true;
  }
}

void DeviceProgram::bind() {
  bool moved = false;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    std::byte* const now = code_.variables[i]->on(device_);
    moved = moved || now != variables_[i];
    variables_[i] = now;
  }
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const Binding& binding = code_.bindings[slot];
    if (binding.kind == Binding::Kind::variable) slots_[slot] = variables_[binding.index];
  }
  const Addresses at{slots_.data(), variables_.data(), reinterpret_cast<RunRecord*>(results_->data())};
  for (const auto& attachment : code_.attachments) moved = attachment->bind(at) || moved;
  if (moved) {
    drop_graph();
    ++changes_;
  }
}

void DeviceProgram::begin(std::uint64_t seed, std::uint64_t step, std::int64_t row) {
  const Begin args{reinterpret_cast<RunRecord*>(results_->data()), seed, step, row};
  require(plugin().launch.begin.run(stream_, args, nullptr), "beginning a run");
}

void DeviceProgram::launch_all() {
  const Addresses at{slots_.data(), variables_.data(), reinterpret_cast<RunRecord*>(results_->data())};
  for (const Launch& launch : code_.launches) require(launch(stream_, at), "a launch");
  copy_outputs();
}

void DeviceProgram::copy_outputs() {
  for (std::size_t i = 0; i < needs_copy_.size(); ++i) {
    const auto [offset, bytes] = output_places_[i];
    if (!needs_copy_[i] || bytes == 0) continue;
    require(plugin().copy(stream_, results_->data() + offset, slots_[code_.output_slots[i]], bytes), "a copy");
  }
}

void DeviceProgram::replay() {
  if (!wants_graphs()) return launch_all();
  if (graph_ == nullptr) {
    require(plugin().capture_begin(stream_), "capturing a step");
    try {
      launch_all();
    } catch (...) {
      StepGraph* broken = nullptr;
      if (plugin().capture_end(stream_, &broken) == Result::ok) plugin().graph_destroy(broken);
      throw;
    }
    require(plugin().capture_end(stream_, &graph_), "capturing a step");
  }
  require(plugin().graph_launch(graph_, stream_), "launching a step");
}

void DeviceProgram::drop_graph() {
  if (graph_ != nullptr) plugin().graph_destroy(graph_);
  graph_ = nullptr;
}

void DeviceProgram::note_changes() {
  for (std::size_t i = 0; i < code_.variables.size(); ++i) {
    if (code_.written[i]) code_.variables[i]->touch_on(*device_);
  }
  for (const auto& attachment : code_.attachments) attachment->note_changes();
}

void DeviceProgram::throw_bad_data(const RunRecord& run) const {
  if (run.owner == 0) return;
  const auto found = code_.sentences.find(node_of(run));
  if (found != code_.sentences.end()) throw found->second(run);
  throw Error(Code::internal, "device " + device_->name() + ": node " + std::to_string(node_of(run)) +
                                  " met bad data of kind " + std::to_string(static_cast<int>(code_of(run))));
}

template <class Around>
void DeviceProgram::execute(const RunRequest& request, Around&& launches) {
  check(request.feeds.size() == code_.inputs.size(), Code::internal,
        [] { return "a run got the wrong number of feeds"; });
  Session session(*this);
  for (std::size_t i = 0; i < feed_places_.size(); ++i) {
    const auto [offset, bytes] = feed_places_[i];
    if (bytes > 0) std::memcpy(staged_feeds_->data() + offset, request.feeds[i], static_cast<std::size_t>(bytes));
  }
  if (request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed)) {
    throw Error(Code::aborted, "run: aborted");
  }
  if (feed_bytes_ > 0)
    require(plugin().upload(stream_, feeds_->data(), staged_feeds_->data(), feed_bytes_), "an upload");
  begin(request.seed, request.step, 0);
  note_changes();  // told before the effects: a run that is broken off may have changed some
  launches();
  require(plugin().download(stream_, staged_results_->data(), results_->data(), result_bytes_), "a download");
  require(plugin().stream_wait(stream_), "a run");
  RunRecord run;
  std::memcpy(&run, staged_results_->data(), sizeof run);
  throw_bad_data(run);
  for (std::size_t i = 0; i < output_places_.size(); ++i) {
    const auto [offset, bytes] = output_places_[i];
    if (request.results.size() > i && request.results[i] != nullptr && bytes > 0) {
      std::memcpy(request.results[i], staged_results_->data() + offset, static_cast<std::size_t>(bytes));
    }
  }
}

void DeviceProgram::run(const RunRequest& request) {
  execute(request, [&] { replay(); });
}

std::vector<double> DeviceProgram::profile(const RunRequest& request) {
  using clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  execute(request, [&] {
    const Addresses at{slots_.data(), variables_.data(), reinterpret_cast<RunRecord*>(results_->data())};
    require(plugin().stream_wait(stream_), "a run");
    for (const Launch& launch : code_.launches) {
      const auto start = clock::now();
      require(launch(stream_, at), "a launch");
      require(plugin().stream_wait(stream_), "a launch");
      seconds.push_back(std::chrono::duration<double>(clock::now() - start).count());
    }
    copy_outputs();
  });
  return seconds;
}

DeviceProgram::Session::Session(DeviceProgram& program)
    : program_(program), lock_(program.mutex_), arenas_(program.code_, program.held_) {
  program_.bind();
}

}  // namespace athanor::device
