// The loop of many steps on the device: the record's beginning and advance, a turn's batch, hyper-parameters, records and outputs.
#include "cuda/kernels/elementwise/elementwise_value.cuh"
#include "cuda/kernels/status.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;

ATHANOR_KERNEL(1) begin_kernel(device::RunRecord* run, std::uint64_t seed, std::uint64_t step, std::int64_t row) {
  run->seed = seed;
  run->step = step;
  run->row = row;
  run->turn = 0;
  run->owner = 0;
  run->first = ~std::uint64_t{0};
  run->count = 0;
  run->stop = 0;
}

ATHANOR_KERNEL(1) advance_kernel(device::RunRecord* run, Index rows) {
  if (is_stopped(run)) return;
  run->step += 1;
  run->turn += 1;
  run->row += rows;
}

template <class T>
ATHANOR_KERNEL(kThreads)
turn_copy_kernel(ATHANOR_PARAM(device::TurnCopy) p) {
  if (is_stopped(p.run)) return;
  const Index turn = p.run != nullptr ? p.run->turn : 0;
  auto* to = reinterpret_cast<T*>(static_cast<std::byte*>(p.to) + turn * p.to_stride);
  const auto* from = reinterpret_cast<const T*>(static_cast<const std::byte*>(p.from) + turn * p.from_stride);
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < p.bytes / static_cast<Index>(sizeof(T))) to[i] = from[i];
}

ATHANOR_KERNEL(kThreads) record_kernel(ATHANOR_PARAM(device::Record) p) {
  if (is_stopped(p.run)) return;
  const Index turn = p.run != nullptr ? p.run->turn : 0;
  for (Index i = threadIdx.x; i < p.n; i += kThreads)
    p.ring[turn * p.width + p.offset + i] = load_element<double>(p.x, p.dtype, i);
  if (!p.guard || p.n == 0) return;
  __syncthreads();  // all have looked at `stop`
  if (threadIdx.x == 0 && load_element<double>(p.x, p.dtype, p.n - 1) != 0) p.run->stop = 1;
}

struct BatchParams {
  kernels::BatchGather args;
  const device::RunRecord* run;
};

// Rows are copied in words where rows are whole words, else in elements; u8 becomes f32 on the way.
template <class To, class From>
ATHANOR_KERNEL(kThreads)
batch_gather_kernel(ATHANOR_PARAM(BatchParams) p, Index width) {
  const kernels::BatchGather& a = p.args;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.rows * width) return;
  const Index r = i / width, c = i - r * width;
  const Index at = a.first + (p.run != nullptr ? p.run->row : 0) + r;
  const Index row = a.index != nullptr ? static_cast<Index>(a.index[at]) : at;
  To y{};
  if (row >= 0 && row < a.samples) {
    const From x = static_cast<const From*>(a.x)[row * width + c];
    if constexpr (std::is_same_v<To, float> && std::is_same_v<From, std::uint8_t>)
      y = static_cast<float>(x) * a.scale + a.shift;
    else
      y = static_cast<To>(x);
  }
  static_cast<To*>(a.y)[i] = y;
}

device::Result batch_gather_run(device::Stream* stream, const device::BatchGather& given, void*) {
  const BatchParams p{given.args, given.run};
  const kernels::BatchGather& a = p.args;
  const Index n = a.rows * a.row_elements;
  if (n == 0) return device::Result::ok;
  if (a.x_dtype == DType::u8 && a.y_dtype == DType::f32)
    return LAUNCH((batch_gather_kernel<float, std::uint8_t>), blocks_for(n, kThreads), kThreads, 0, stream, p,
                  a.row_elements);
  const Index row_bytes = a.row_elements * size_of(a.x_dtype);
  const auto ends = reinterpret_cast<std::uintptr_t>(a.x) | reinterpret_cast<std::uintptr_t>(a.y) |
                    static_cast<std::uintptr_t>(row_bytes);
  if (ends % 4 == 0)
    return LAUNCH((batch_gather_kernel<std::uint32_t, std::uint32_t>), blocks_for(a.rows * row_bytes / 4, kThreads),
                  kThreads, 0, stream, p, row_bytes / 4);
  return LAUNCH((batch_gather_kernel<std::uint8_t, std::uint8_t>), blocks_for(a.rows * row_bytes, kThreads), kThreads,
                0, stream, p, row_bytes);
}

device::Result begin_run(device::Stream* stream, const device::Begin& args, void*) {
  return LAUNCH(begin_kernel, 1, 1, 0, stream, args.run, args.seed, args.step, args.row);
}
device::Result advance_run(device::Stream* stream, const device::Advance& args, void*) {
  return LAUNCH(advance_kernel, 1, 1, 0, stream, args.run, args.rows);
}
device::Result turn_copy_run(device::Stream* stream, const device::TurnCopy& args, void*) {
  if (args.bytes == 0) return device::Result::ok;
  const auto ends = reinterpret_cast<std::uintptr_t>(args.to) | reinterpret_cast<std::uintptr_t>(args.from) |
                    static_cast<std::uintptr_t>(args.bytes | args.to_stride | args.from_stride);
  if (ends % 4 == 0)
    return LAUNCH((turn_copy_kernel<std::uint32_t>), blocks_for(args.bytes / 4, kThreads), kThreads, 0, stream, args);
  return LAUNCH((turn_copy_kernel<std::uint8_t>), blocks_for(args.bytes, kThreads), kThreads, 0, stream, args);
}
device::Result record_run(device::Stream* stream, const device::Record& args, void*) {
  return LAUNCH(record_kernel, 1, kThreads, 0, stream, args);
}

}  // namespace

void fill_loop(device::Launchers& launch) {
  launch.begin = {never<device::Begin>, no_workspace<device::Begin>, begin_run};
  launch.advance = {never<device::Advance>, no_workspace<device::Advance>, advance_run};
  launch.turn_copy = {never<device::TurnCopy>, no_workspace<device::TurnCopy>, turn_copy_run};
  launch.record = {never<device::Record>, no_workspace<device::Record>, record_run};
  launch.batch_gather = {never<device::BatchGather>, no_workspace<device::BatchGather>, batch_gather_run};
}

}  // namespace athanor::cuda
