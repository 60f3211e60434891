// The table's memory, streams and graphs over the CUDA runtime, which is linked statically and opens the driver when first asked.
#include "cuda/plugin/runtime_cuda.h"

#include <cstdio>
#include <string>

#include "cuda/plugin/errors.h"
#include "cuda/plugin/runtime.h"

namespace athanor::device {

struct Event {
  cudaEvent_t handle;
};
struct StepGraph {
  cudaGraphExec_t handle;
};

}  // namespace athanor::device

namespace athanor::cuda {
namespace {

using device::Event;
using device::Result;
using device::StepGraph;
using device::Stream;

Result result_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return Result::ok;
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorInitializationError: return Result::no_driver;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice: return Result::no_device;
    case cudaErrorMemoryAllocation: return Result::out_of_memory;
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorECCUncorrectable:
    case cudaErrorLaunchTimeout: return Result::device_lost;
    default: return Result::failed;
  }
}

// ok, or the sentence "what: CUDA's words".
Result checked(cudaError_t error, const std::string& what) {
  if (error == cudaSuccess) return Result::ok;
  (void)cudaGetLastError();  // else it would come again from the next call
  return set_error(result_of(error), "cuda: " + what + ": " + cudaGetErrorString(error));
}

// Calls of the runtime go to the thread's current device.
Result use(int number) { return checked(cudaSetDevice(number), "device " + std::to_string(number)); }

Result device_count(int* count) {
  *count = 0;
  const cudaError_t error = cudaGetDeviceCount(count);
  if (error == cudaErrorNoDevice) {
    (void)cudaGetLastError();
    *count = 0;
    return set_error(Result::no_device, "cuda: the driver found no device");
  }
  return checked(error, "no driver that this build can use");
}

Result device_info(int number, device::DeviceInfo* info) {
  cudaDeviceProp properties;
  if (const Result result = checked(cudaGetDeviceProperties(&properties, number), "device " + std::to_string(number));
      result != Result::ok)
    return result;
  if (const Result result = use(number); result != Result::ok) return result;
  *info = {};
  int driver = 0;
  (void)cudaDriverGetVersion(&driver);
  std::snprintf(info->name, sizeof info->name, "%.127s", properties.name);
  std::snprintf(info->detail, sizeof info->detail, "compute capability %d.%d, driver %d.%d", properties.major,
                properties.minor, driver / 1000, driver % 1000 / 10);
  info->major = properties.major;
  info->minor = properties.minor;
  info->multiprocessors = properties.multiProcessorCount;
  info->shared_bytes = static_cast<Index>(properties.sharedMemPerBlockOptin);
  std::size_t free = 0, total = 0;
  if (const Result result = checked(cudaMemGetInfo(&free, &total), "memory of device " + std::to_string(number));
      result != Result::ok)
    return result;
  info->free_bytes = static_cast<Index>(free);
  info->total_bytes = static_cast<Index>(total);
  return Result::ok;
}

Result allocate(int number, Index bytes, void** memory) {
  *memory = nullptr;
  if (bytes == 0) return Result::ok;
  if (const Result result = use(number); result != Result::ok) return result;
  const cudaError_t error = cudaMalloc(memory, static_cast<std::size_t>(bytes));
  if (error != cudaErrorMemoryAllocation) return checked(error, "allocation");
  (void)cudaGetLastError();
  std::size_t free = 0, total = 0;
  (void)cudaMemGetInfo(&free, &total);
  return set_error(Result::out_of_memory, "cuda: " + std::to_string(bytes) + " bytes asked for, " +
                                              std::to_string(free) + " of " + std::to_string(total) +
                                              " free on device " + std::to_string(number));
}

Result release(int number, void* memory) {
  if (memory == nullptr) return Result::ok;
  if (const Result result = use(number); result != Result::ok) return result;
  return checked(cudaFree(memory), "release");
}

Result allocate_pinned(Index bytes, void** memory) {
  *memory = nullptr;
  if (bytes == 0) return Result::ok;
  return checked(cudaHostAlloc(memory, static_cast<std::size_t>(bytes), cudaHostAllocPortable), "pinned memory");
}
Result release_pinned(void* memory) {
  return memory == nullptr ? Result::ok : checked(cudaFreeHost(memory), "release of pinned memory");
}

Result stream_create(int number, Stream** stream) {
  *stream = nullptr;
  if (const Result result = use(number); result != Result::ok) return result;
  cudaStream_t handle = nullptr;
  if (const Result result = checked(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "stream");
      result != Result::ok)
    return result;
  *stream = new Stream{handle, number};
  return Result::ok;
}
Result stream_destroy(Stream* stream) {
  if (stream == nullptr) return Result::ok;
  const cudaError_t error = cudaStreamDestroy(stream->handle);
  delete stream;
  return checked(error, "end of a stream");
}
Result stream_wait(Stream* stream) {
  count_wait();
  return checked(cudaStreamSynchronize(stream->handle), "waiting for the device");
}

Result copy_kind(Stream* stream, void* to, const void* from, Index bytes, cudaMemcpyKind kind) {
  count_copy();
  if (bytes == 0) return Result::ok;
  return checked(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), kind, stream->handle), "copy");
}
Result upload(Stream* stream, void* to, const void* from, Index bytes) {
  return copy_kind(stream, to, from, bytes, cudaMemcpyHostToDevice);
}
Result download(Stream* stream, void* to, const void* from, Index bytes) {
  return copy_kind(stream, to, from, bytes, cudaMemcpyDeviceToHost);
}
Result copy(Stream* stream, void* to, const void* from, Index bytes) {
  return copy_kind(stream, to, from, bytes, cudaMemcpyDefault);
}
Result clear(Stream* stream, void* to, Index bytes) {
  count_copy();
  if (bytes == 0) return Result::ok;
  return checked(cudaMemsetAsync(to, 0, static_cast<std::size_t>(bytes), stream->handle), "clearing");
}

Result event_create(int number, Event** event) {
  *event = nullptr;
  if (const Result result = use(number); result != Result::ok) return result;
  cudaEvent_t handle = nullptr;
  if (const Result result = checked(cudaEventCreate(&handle), "event"); result != Result::ok) return result;
  *event = new Event{handle};
  return Result::ok;
}
Result event_destroy(Event* event) {
  if (event == nullptr) return Result::ok;
  const cudaError_t error = cudaEventDestroy(event->handle);
  delete event;
  return checked(error, "end of an event");
}
Result event_record(Event* event, Stream* stream) {
  return checked(cudaEventRecord(event->handle, stream->handle), "event");
}
Result event_wait(Stream* stream, Event* event) {
  return checked(cudaStreamWaitEvent(stream->handle, event->handle, 0), "waiting for an event");
}
Result event_done(Event* event, bool* done) {
  const cudaError_t error = cudaEventQuery(event->handle);
  *done = error == cudaSuccess;
  return error == cudaErrorNotReady ? Result::ok : checked(error, "event");
}
Result event_synchronize(Event* event) {
  count_wait();
  return checked(cudaEventSynchronize(event->handle), "waiting for an event");
}
Result event_elapsed(Event* from, Event* to, double* milliseconds) {
  float elapsed = 0;
  const Result result = checked(cudaEventElapsedTime(&elapsed, from->handle, to->handle), "time between events");
  *milliseconds = static_cast<double>(elapsed);
  return result;
}

Result capture_begin(Stream* stream) {
  return checked(cudaStreamBeginCapture(stream->handle, cudaStreamCaptureModeThreadLocal), "capture");
}
Result capture_end(Stream* stream, StepGraph** graph) {
  *graph = nullptr;
  cudaGraph_t captured = nullptr;
  if (const Result result = checked(cudaStreamEndCapture(stream->handle, &captured), "capture"); result != Result::ok)
    return result;
  cudaGraphExec_t handle = nullptr;
  const Result result = checked(cudaGraphInstantiate(&handle, captured, 0), "captured graph");
  (void)cudaGraphDestroy(captured);
  if (result == Result::ok) *graph = new StepGraph{handle};
  return result;
}
Result graph_launch(StepGraph* graph, Stream* stream) {
  count_launch();
  return checked(cudaGraphLaunch(graph->handle, stream->handle), "launch of a graph");
}
Result graph_destroy(StepGraph* graph) {
  if (graph == nullptr) return Result::ok;
  const cudaError_t error = cudaGraphExecDestroy(graph->handle);
  delete graph;
  return checked(error, "end of a graph");
}

}  // namespace

Result launch_kernel(const char* name, const void* kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                     Stream* stream) {
  count_launch();
  if (const Result result = use(stream->device); result != Result::ok) return result;
  if (shared > 48 * 1024) {
    const Result result = checked(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)), name);
    if (result != Result::ok) return result;
  }
  return checked(cudaLaunchKernel(kernel, grid, block, arguments, shared, stream->handle), name);
}

void fill_runtime(device::Plugin& plugin) {
  plugin.name = "cuda";
  plugin.device_count = device_count;
  plugin.device_info = device_info;
  plugin.allocate = allocate;
  plugin.release = release;
  plugin.allocate_pinned = allocate_pinned;
  plugin.release_pinned = release_pinned;
  plugin.stream_create = stream_create;
  plugin.stream_destroy = stream_destroy;
  plugin.stream_wait = stream_wait;
  plugin.upload = upload;
  plugin.download = download;
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
