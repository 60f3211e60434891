#include "device/loop.h"

#include <algorithm>
#include <cstring>

namespace athanor::device {

DeviceLoop::DeviceLoop(std::shared_ptr<DeviceProgram> program, LoopPlan plan)
    : program_(std::move(program)), plan_(std::move(plan)), collected_(plan_.collected.size()) {
  record_ = std::make_unique<PinnedBlock>(program_->device(), static_cast<Index>(sizeof(RunRecord)));
}

DeviceLoop::~DeviceLoop() { drop_graph(); }

void DeviceLoop::drop_graph() {
  if (graph_ != nullptr) plugin().graph_destroy(graph_);
  graph_ = nullptr;
}

// Grown by halves, so that a run whose chunks lengthen captures its step a few times at most.
void DeviceLoop::make_room(Chunk& chunk, Index bytes) {
  if (bytes <= chunk.bytes) return;
  chunk.bytes = bytes + bytes / 2;
  chunk.device = std::make_unique<DeviceBlock>(program_->device(), chunk.bytes);
  chunk.host = std::make_unique<PinnedBlock>(program_->device(), chunk.bytes);
  drop_graph();
}

void DeviceLoop::gather(DeviceProgram::Session& session, const std::int32_t* order) {
  for (const LoopPlan::Column& column : plan_.columns) {
    BatchGather gather{};
    gather.args.y = session.feed(column.input);
    gather.args.x = column.data->on(program_->device());
    gather.args.index = order;
    gather.args.x_dtype = gather.args.y_dtype = column.dtype;
    gather.args.rows = plan_.batch;
    gather.args.samples = plan_.samples;
    gather.args.row_elements = column.row_elements;
    gather.args.scale = 1;
    gather.run = session.record();
    require(plugin().launch.batch_gather.run(session.stream(), gather, nullptr), "gathering a batch");
  }
  for (const LoopPlan::Hyper& hyper : plan_.hypers) {
    if (hyper.count == 0) continue;
    TurnCopy copy;
    copy.to = session.feed(hyper.input);
    copy.from = hyper_.device->data() + hyper.offset * 8;
    copy.bytes = hyper.count * 8;
    copy.from_stride = plan_.hyper_size * 8;
    copy.run = session.record();
    require(plugin().launch.turn_copy.run(session.stream(), copy, nullptr), "taking hyper-parameters");
  }
}

void DeviceLoop::keep(DeviceProgram::Session& session) {
  for (std::size_t i = 0; i < plan_.collected.size(); ++i) {
    const std::size_t output = plan_.collected[i].output;
    TurnCopy copy;
    copy.bytes = copy.to_stride = program_->outputs()[output].type.bytes();
    if (copy.bytes == 0) continue;
    copy.to = collected_[i].device->data();
    copy.from = session.output(output);
    copy.run = session.record();
    require(plugin().launch.turn_copy.run(session.stream(), copy, nullptr), "collecting a result");
  }
  // The guarding one last: nothing is recorded once the loop was told to stop.
  for (const bool guards : {false, true}) {
    for (const LoopPlan::Recorded& recorded : plan_.records) {
      if (recorded.guards != guards || recorded.count == 0) continue;
      Record record;
      record.ring = reinterpret_cast<double*>(records_.device->data());
      record.x = session.output(recorded.output);
      record.dtype = program_->outputs()[recorded.output].type.dtype;
      record.n = recorded.count, record.offset = recorded.offset, record.width = plan_.record_width;
      record.guard = guards;
      record.run = session.record();
      require(plugin().launch.record.run(session.stream(), record, nullptr), "recording a step");
    }
  }
  const Advance advance{session.record(), plan_.batch};
  require(plugin().launch.advance.run(session.stream(), advance, nullptr), "ending a step");
}

void DeviceLoop::replay(DeviceProgram::Session& session, const std::int32_t* order) {
  const auto turn = [&] {
    gather(session, order);
    session.launch();
    keep(session);
  };
  if (!wants_graphs()) return turn();
  if (graph_ == nullptr) {
    require(plugin().capture_begin(session.stream()), "capturing a step");
    try {
      turn();
    } catch (...) {
      StepGraph* broken = nullptr;
      if (plugin().capture_end(session.stream(), &broken) == Result::ok) plugin().graph_destroy(broken);
      throw;
    }
    require(plugin().capture_end(session.stream(), &graph_), "capturing a step");
  }
  require(plugin().graph_launch(graph_, session.stream()), "launching a step");
}

LoopOutcome DeviceLoop::run(const LoopTurns& turns) {
  DeviceProgram::Session session(*program_);
  make_room(hyper_, turns.steps * plan_.hyper_size * 8);
  make_room(records_, turns.steps * plan_.record_width * 8);
  for (std::size_t i = 0; i < plan_.collected.size(); ++i) {
    make_room(collected_[i], turns.steps * program_->outputs()[plan_.collected[i].output].type.bytes());
  }
  std::vector<const void*> addresses;
  for (const LoopPlan::Column& column : plan_.columns) addresses.push_back(column.data->on(program_->device()));
  const auto* order =
      turns.order == nullptr ? nullptr : reinterpret_cast<const std::int32_t*>(turns.order->on(program_->device()));
  addresses.push_back(order);
  if (addresses != captured_ || session.changes() != captured_changes_) drop_graph();
  captured_ = std::move(addresses);
  captured_changes_ = session.changes();

  Stream* const stream = session.stream();
  if (const Index bytes = turns.steps * plan_.hyper_size * 8; bytes > 0) {
    std::memcpy(hyper_.host->data(), turns.hyper, static_cast<std::size_t>(bytes));
    require(plugin().upload(stream, hyper_.device->data(), hyper_.host->data(), bytes), "an upload");
  }
  session.begin(turns.seed, turns.first_step, turns.first_row);
  session.note_changes();
  bool is_cancelled = false;
  for (Index step = 0; step < turns.steps && !is_cancelled; ++step) {
    is_cancelled = turns.cancelled != nullptr && turns.cancelled->load(std::memory_order_relaxed);
    if (!is_cancelled) replay(session, order);
  }
  const auto fetch = [&](const Chunk& chunk, Index bytes) {
    if (bytes > 0) require(plugin().download(stream, chunk.host->data(), chunk.device->data(), bytes), "a download");
  };
  fetch(records_, turns.steps * plan_.record_width * 8);
  for (std::size_t i = 0; i < plan_.collected.size(); ++i) {
    fetch(collected_[i], turns.steps * program_->outputs()[plan_.collected[i].output].type.bytes());
  }
  require(plugin().download(stream, record_->data(), session.record(), sizeof(RunRecord)), "a download");
  require(plugin().stream_wait(stream), "a run");
  RunRecord run;
  std::memcpy(&run, record_->data(), sizeof run);
  session.check_data(run);
  LoopOutcome outcome = deliver(run, turns);
  outcome.is_cancelled = is_cancelled && !outcome.is_guarded;
  return outcome;
}

LoopOutcome DeviceLoop::deliver(const RunRecord& run, const LoopTurns& turns) const {
  LoopOutcome outcome;
  outcome.is_guarded = run.stop != 0;
  outcome.steps = std::min(turns.steps, run.turn + (outcome.is_guarded ? 1 : 0));
  if (plan_.record_width > 0) {
    outcome.records.resize(static_cast<std::size_t>(outcome.steps * plan_.record_width));
    std::memcpy(outcome.records.data(), records_.host->data(), outcome.records.size() * 8);
  }
  outcome.collected.resize(plan_.collected.size());
  for (std::size_t i = 0; i < plan_.collected.size(); ++i) {
    const Index bytes = outcome.steps * program_->outputs()[plan_.collected[i].output].type.bytes();
    const std::byte* from = collected_[i].host == nullptr ? nullptr : collected_[i].host->data();
    outcome.collected[plan_.collected[i].into].assign(from, from + bytes);
  }
  return outcome;
}

}  // namespace athanor::device
