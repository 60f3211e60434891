// The table's memory, streams and graphs on the emulator: everything happens in the call, in order.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include "cuda/emulator/block.h"
#include "cuda/emulator/captured.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/shadow.h"
#include "cuda/plugin/errors.h"
#include "cuda/plugin/runtime.h"

namespace athanor::device {

struct Event {
  std::chrono::steady_clock::time_point at{};
};

}  // namespace athanor::device

namespace athanor::emulator {
namespace {

using cuda::set_error;
using device::Event;
using device::Result;
using device::StepGraph;
using device::Stream;

std::mutex memory_mutex;

Result no_such(int number) {
  return set_error(Result::no_device,
                   "cuda-emulated: there is no device " + std::to_string(number) + ", only device 0");
}

Result device_count(int* count) {
  *count = 1;
  return Result::ok;
}

Result device_info(int number, device::DeviceInfo* info) {
  if (number != 0) return no_such(number);
  *info = {};
  std::snprintf(info->name, sizeof info->name, "CUDA emulated on the CPU");
  std::snprintf(info->detail, sizeof info->detail, "compute capability 9.0, one thread%s",
                checking ? ", every access checked" : "");
  info->major = 9;
  info->multiprocessors = 1;
  info->total_bytes = static_cast<Index>(device_total());
  info->free_bytes = static_cast<Index>(device_total() - device_used());
  info->shared_bytes = kSharedLimit;
  return Result::ok;
}

Result allocate(int number, Index bytes, void** memory) {
  if (number != 0) return no_such(number);
  const std::lock_guard lock(memory_mutex);
  *memory = nullptr;
  if (bytes == 0) return Result::ok;
  *memory = device_allocate(static_cast<std::size_t>(bytes));
  if (*memory != nullptr) return Result::ok;
  return set_error(Result::out_of_memory, "cuda-emulated: " + std::to_string(bytes) + " bytes asked for, " +
                                              std::to_string(device_total() - device_used()) + " of " +
                                              std::to_string(device_total()) +
                                              " free; ATHANOR_EMULATOR_MEMORY sets the size of the emulated device");
}

Result release(int, void* memory) {
  const std::lock_guard lock(memory_mutex);
  if (device_release(memory)) return Result::ok;
  return set_error(Result::failed, "cuda-emulated: release of an address that is not an allocation");
}

Result allocate_pinned(Index bytes, void** memory) {
  *memory = bytes == 0 ? nullptr : std::aligned_alloc(256, (static_cast<std::size_t>(bytes) + 255) / 256 * 256);
  if (bytes == 0 || *memory != nullptr) return Result::ok;
  return set_error(Result::out_of_memory, "cuda-emulated: no host memory for " + std::to_string(bytes) + " bytes");
}

Result release_pinned(void* memory) {
  std::free(memory);
  return Result::ok;
}

Result stream_create(int number, Stream** stream) {
  if (number != 0) return no_such(number);
  *stream = new Stream;
  return Result::ok;
}
Result stream_destroy(Stream* stream) {
  delete stream;
  return Result::ok;
}
Result stream_wait(Stream*) {
  cuda::count_wait();
  return Result::ok;
}

// Runs `work` now, or notes it where the stream is captured.
template <class Work>
Result in_order(Stream* stream, Work work) {
  if (stream != nullptr && stream->capturing != nullptr) {
    stream->capturing->steps.emplace_back(work);
    return Result::ok;
  }
  return work();
}

Result copy(Stream* stream, void* to, const void* from, Index bytes) {
  return in_order(stream, [=] {
    cuda::count_copy();
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
    shadow_copied(to, from, static_cast<std::size_t>(bytes));
    return Result::ok;
  });
}

Result clear(Stream* stream, void* to, Index bytes) {
  return in_order(stream, [=] {
    cuda::count_copy();
    if (bytes > 0) std::memset(to, 0, static_cast<std::size_t>(bytes));
    shadow_written(to, static_cast<std::size_t>(bytes));
    return Result::ok;
  });
}

Result event_create(int, Event** event) {
  *event = new Event;
  return Result::ok;
}
Result event_destroy(Event* event) {
  delete event;
  return Result::ok;
}
Result event_record(Event* event, Stream* stream) {
  return in_order(stream, [=] {
    event->at = std::chrono::steady_clock::now();
    return Result::ok;
  });
}
Result event_wait(Stream*, Event*) { return Result::ok; }
Result event_done(Event*, bool* done) {
  *done = true;
  return Result::ok;
}
Result event_synchronize(Event*) {
  cuda::count_wait();
  return Result::ok;
}
Result event_elapsed(Event* from, Event* to, double* milliseconds) {
  *milliseconds = std::chrono::duration<double, std::milli>(to->at - from->at).count();
  return Result::ok;
}

Result capture_begin(Stream* stream) {
  if (stream->capturing != nullptr) return set_error(Result::failed, "cuda-emulated: the stream is captured already");
  stream->capturing = new StepGraph;
  return Result::ok;
}
Result capture_end(Stream* stream, StepGraph** graph) {
  if (stream->capturing == nullptr) return set_error(Result::failed, "cuda-emulated: the stream is not captured");
  *graph = stream->capturing;
  stream->capturing = nullptr;
  return Result::ok;
}
Result graph_launch(StepGraph* graph, Stream*) {
  for (const auto& step : graph->steps) {
    if (const Result result = step(); result != Result::ok) return result;
  }
  return Result::ok;
}
Result graph_destroy(StepGraph* graph) {
  delete graph;
  return Result::ok;
}

}  // namespace
}  // namespace athanor::emulator

namespace athanor::cuda {

void fill_runtime(device::Plugin& plugin) {
  using namespace emulator;
  plugin.name = "cuda-emulated";
  plugin.device_count = device_count;
  plugin.device_info = device_info;
  plugin.allocate = allocate;
  plugin.release = release;
  plugin.allocate_pinned = allocate_pinned;
  plugin.release_pinned = release_pinned;
  plugin.stream_create = stream_create;
  plugin.stream_destroy = stream_destroy;
  plugin.stream_wait = stream_wait;
  plugin.upload = copy;
  plugin.download = copy;
  plugin.copy = copy;
  plugin.clear = clear;
  plugin.event_create = event_create;
  plugin.event_destroy = event_destroy;
  plugin.event_record = event_record;
  plugin.event_wait = event_wait;
  plugin.event_done = event_done;
  plugin.event_synchronize = event_synchronize;
  plugin.event_elapsed = event_elapsed;
  plugin.capture_begin = capture_begin;
  plugin.capture_end = capture_end;
  plugin.graph_launch = graph_launch;
  plugin.graph_destroy = graph_destroy;
}

}  // namespace athanor::cuda
