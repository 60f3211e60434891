// Moving elements (kernels/movement/movement.h): strided copies with transposes through shared memory, pad, fill, ranges, assign.
// Elements are told apart by size alone.
#include <algorithm>

#include "cuda/kernels/status.cuh"
#include "cuda/plugin/families.h"
#include "device/launch.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 32, kTileRows = 8;

struct CopyParams {
  void* y;
  const void* x;
  Index shape[kMaxRank], y_stride[kMaxRank], x_stride[kMaxRank];
  Index size;
  int rank;
  int a = 0, b = 0;  // the tile's dimensions: x is contiguous along a, y along b
};

// Calls f(y offset, x offset) for linear element i.
template <class F>
ATHANOR_DEVICE void at_element(const CopyParams& p, Index i, F f) {
  Index y = 0, x = 0;
  for (int d = p.rank - 1; d >= 0; --d) {
    const Index next = i / p.shape[d], at = i - next * p.shape[d];
    y += at * p.y_stride[d];
    x += at * p.x_stride[d];
    i = next;
  }
  f(y, x);
}

template <class T>
ATHANOR_KERNEL(kThreads)
copy_kernel(ATHANOR_PARAM(CopyParams) p) {
  for (int j = 0; j < 4; ++j) {
    const Index i = (static_cast<Index>(blockIdx.x) * 4 + j) * kThreads + threadIdx.x;
    if (i < p.size)
      at_element(p, i, [&p](Index y, Index x) { static_cast<T*>(p.y)[y] = static_cast<const T*>(p.x)[x]; });
  }
}

// A 32 × 32 tile read along x's contiguous dimension and written along y's. Rows are 33 apart: a column meets every bank once.
template <class T>
ATHANOR_KERNEL(kTile* kTileRows)
transpose_kernel(ATHANOR_PARAM(CopyParams) p) {
  SHARED(T, tile, [kTile][kTile + 1]);
  const int lane = static_cast<int>(threadIdx.x) % kTile, row = static_cast<int>(threadIdx.x) / kTile;
  const Index tiles_a = (p.shape[p.a] + kTile - 1) / kTile, tiles_b = (p.shape[p.b] + kTile - 1) / kTile;
  Index rest = blockIdx.x;
  const Index a0 = rest % tiles_a * kTile;
  rest /= tiles_a;
  const Index b0 = rest % tiles_b * kTile;
  rest /= tiles_b;
  Index y_base = 0, x_base = 0;
  for (int d = p.rank - 1; d >= 0; --d) {
    if (d == p.a || d == p.b) continue;
    const Index next = rest / p.shape[d], at = rest - next * p.shape[d];
    y_base += at * p.y_stride[d];
    x_base += at * p.x_stride[d];
    rest = next;
  }
  for (int r = row; r < kTile; r += kTileRows) {
    const Index a = a0 + lane, b = b0 + r;
    if (a < p.shape[p.a] && b < p.shape[p.b])
      tile[r][lane] = static_cast<const T*>(p.x)[x_base + a * p.x_stride[p.a] + b * p.x_stride[p.b]];
  }
  __syncthreads();
  for (int r = row; r < kTile; r += kTileRows) {
    const Index a = a0 + r, b = b0 + lane;
    if (a < p.shape[p.a] && b < p.shape[p.b])
      static_cast<T*>(p.y)[y_base + a * p.y_stride[p.a] + b * p.y_stride[p.b]] = tile[lane][r];
  }
}

// Drops dimensions of size 1 and merges neighbours that both sides walk as one.
CopyParams collapse(const kernels::StridedCopy& args) {
  CopyParams p{};
  p.y = args.y;
  p.x = args.x;
  p.size = 1;
  for (int d = 0; d < args.rank; ++d) {
    p.size *= args.shape[d];
    if (args.shape[d] == 1) continue;
    const int last = p.rank - 1;
    if (p.rank > 0 && p.y_stride[last] == args.y_stride[d] * args.shape[d] &&
        p.x_stride[last] == args.x_stride[d] * args.shape[d]) {
      p.shape[last] *= args.shape[d];
      p.y_stride[last] = args.y_stride[d];
      p.x_stride[last] = args.x_stride[d];
    } else {
      p.shape[p.rank] = args.shape[d];
      p.y_stride[p.rank] = args.y_stride[d];
      p.x_stride[p.rank] = args.x_stride[d];
      ++p.rank;
    }
  }
  return p;
}

bool finds_tile(CopyParams& p) {
  p.a = p.b = -1;
  for (int d = 0; d < p.rank; ++d) {
    if (p.x_stride[d] == 1 && p.shape[d] >= 8) p.a = d;
    if (p.y_stride[d] == 1 && p.shape[d] >= 8) p.b = d;
  }
  return p.a >= 0 && p.b >= 0 && p.a != p.b;
}

template <class T>
device::Result copy_typed(device::Stream* stream, CopyParams p) {
  if (p.size == 0) return device::Result::ok;
  if (finds_tile(p)) {
    const Index tile = static_cast<Index>(kTile);
    const Index rest = p.size / (p.shape[p.a] * p.shape[p.b]);
    const Index blocks = (p.shape[p.a] + tile - 1) / tile * ((p.shape[p.b] + tile - 1) / tile) * rest;
    return LAUNCH((transpose_kernel<T>), static_cast<std::uint32_t>(blocks), kTile * kTileRows, 0, stream, p);
  }
  return LAUNCH((copy_kernel<T>), blocks_for(p.size, 4 * kThreads), kThreads, 0, stream, p);
}

device::Result copy_run(device::Stream* stream, const device::Copy& given, void*) {
  const CopyParams p = collapse(given.args);
  switch (given.args.element_size) {
    case 1: return copy_typed<std::uint8_t>(stream, p);
    case 2: return copy_typed<std::uint16_t>(stream, p);
    case 8: return copy_typed<std::uint64_t>(stream, p);
    default: return copy_typed<std::uint32_t>(stream, p);
  }
}

struct PadParams {
  void* y;
  const void* x;
  std::uint64_t value;
  Index x_shape[kMaxRank], x_stride[kMaxRank], low[kMaxRank], y_shape[kMaxRank];
  Index size;
  int rank;
};

template <class T>
ATHANOR_KERNEL(kThreads)
pad_kernel(ATHANOR_PARAM(PadParams) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.size) return;
  Index rest = i, offset = 0;
  bool inside = true;
  for (int d = p.rank - 1; d >= 0; --d) {
    const Index next = rest / p.y_shape[d], at = rest - next * p.y_shape[d] - p.low[d];
    inside = inside && at >= 0 && at < p.x_shape[d];
    offset += at * p.x_stride[d];
    rest = next;
  }
  static_cast<T*>(p.y)[i] = inside ? static_cast<const T*>(p.x)[offset] : static_cast<T>(p.value);
}

std::uint64_t bits_of(const void* value, Index element_size) {
  std::uint64_t bits = 0;
  for (Index b = 0; b < element_size; ++b)
    bits |= static_cast<std::uint64_t>(static_cast<const std::uint8_t*>(value)[b]) << (8 * b);
  return bits;
}

device::Result pad_run(device::Stream* stream, const device::Pad& given, void*) {
  const kernels::Pad& args = given.args;
  PadParams p{};
  p.y = args.y;
  p.x = args.x;
  p.value = bits_of(args.value, args.element_size);
  p.rank = args.rank;
  p.size = 1;
  for (int d = 0; d < args.rank; ++d) {
    p.x_shape[d] = args.x_shape[d];
    p.x_stride[d] = args.x_stride[d];
    p.low[d] = args.low[d];
    p.y_shape[d] = args.low[d] + args.x_shape[d] + args.high[d];
    p.size *= p.y_shape[d];
  }
  if (p.size == 0) return device::Result::ok;
  const std::uint32_t blocks = blocks_for(p.size, kThreads);
  switch (args.element_size) {
    case 1: return LAUNCH((pad_kernel<std::uint8_t>), blocks, kThreads, 0, stream, p);
    case 2: return LAUNCH((pad_kernel<std::uint16_t>), blocks, kThreads, 0, stream, p);
    case 8: return LAUNCH((pad_kernel<std::uint64_t>), blocks, kThreads, 0, stream, p);
    default: return LAUNCH((pad_kernel<std::uint32_t>), blocks, kThreads, 0, stream, p);
  }
}

template <class T>
ATHANOR_KERNEL(kThreads)
fill_kernel(T* y, T value, Index n) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) y[i] = value;
}

template <class T>
device::Result fill_typed(device::Stream* stream, const kernels::Fill& args) {
  return LAUNCH((fill_kernel<T>), blocks_for(args.n, kThreads), kThreads, 0, stream, static_cast<T*>(args.y),
                static_cast<T>(bits_of(args.value, args.element_size)), args.n);
}

device::Result fill_run(device::Stream* stream, const device::Fill& given, void*) {
  if (given.args.n == 0) return device::Result::ok;
  switch (given.args.element_size) {
    case 1: return fill_typed<std::uint8_t>(stream, given.args);
    case 2: return fill_typed<std::uint16_t>(stream, given.args);
    case 8: return fill_typed<std::uint64_t>(stream, given.args);
    default: return fill_typed<std::uint32_t>(stream, given.args);
  }
}

template <class T>
ATHANOR_KERNEL(kThreads)
range_kernel(T* y, Index n, double start, double step) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) y[i] = static_cast<T>(start + static_cast<double>(i) * step);
}

device::Result range_run(device::Stream* stream, const device::Range& given, void*) {
  const kernels::Range& r = given.args;
  if (r.n == 0) return device::Result::ok;
  const std::uint32_t blocks = blocks_for(r.n, kThreads);
  switch (r.dtype) {
    case DType::f64:
      return LAUNCH((range_kernel<double>), blocks, kThreads, 0, stream, static_cast<double*>(r.y), r.n, r.start,
                    r.step);
    case DType::i32:
      return LAUNCH((range_kernel<std::int32_t>), blocks, kThreads, 0, stream, static_cast<std::int32_t*>(r.y), r.n,
                    r.start, r.step);
    default:
      return LAUNCH((range_kernel<float>), blocks, kThreads, 0, stream, static_cast<float*>(r.y), r.n, r.start, r.step);
  }
}

// An effect. 16 bytes a thread where both ends allow it.
template <class T>
ATHANOR_KERNEL(kThreads)
assign_kernel(T* to, const T* from, Index n, const device::RunRecord* run) {
  if (is_stopped(run)) return;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) vector_store(to + i, vector_load<T>(from + i));
}

device::Result assign_run(device::Stream* stream, const device::Assign& args, void*) {
  if (args.bytes == 0) return device::Result::ok;
  const device::RunRecord* run = args.check.run;
  const auto ends = reinterpret_cast<std::uintptr_t>(args.to) | reinterpret_cast<std::uintptr_t>(args.from) |
                    static_cast<std::uintptr_t>(args.bytes);
  if (ends % 16 == 0)
    return LAUNCH((assign_kernel<uint4>), blocks_for(args.bytes / 16, kThreads), kThreads, 0, stream,
                  static_cast<uint4*>(args.to), static_cast<const uint4*>(args.from), args.bytes / 16, run);
  if (ends % 4 == 0)
    return LAUNCH((assign_kernel<std::uint32_t>), blocks_for(args.bytes / 4, kThreads), kThreads, 0, stream,
                  static_cast<std::uint32_t*>(args.to), static_cast<const std::uint32_t*>(args.from), args.bytes / 4,
                  run);
  return LAUNCH((assign_kernel<std::uint8_t>), blocks_for(args.bytes, kThreads), kThreads, 0, stream,
                static_cast<std::uint8_t*>(args.to), static_cast<const std::uint8_t*>(args.from), args.bytes, run);
}

}  // namespace

void fill_movement(device::Launchers& launch) {
  launch.copy = {never<device::Copy>, no_workspace<device::Copy>, copy_run};
  launch.pad = {never<device::Pad>, no_workspace<device::Pad>, pad_run};
  launch.fill = {never<device::Fill>, no_workspace<device::Fill>, fill_run};
  launch.range = {never<device::Range>, no_workspace<device::Range>, range_run};
  launch.assign = {never<device::Assign>, no_workspace<device::Assign>, assign_run};
}

}  // namespace athanor::cuda
