// Reading and adding by index (kernels/movement/movement.h). Indices are checked: one out of range is never followed, and is reported.
// Sums go in the order of the indices, whatever the threads do: scatter_add_rows sorts pieces of the index array, a block a piece, and then
// every row of the table looks its own entries up; scatter_add walks each line along the axis.
#include "cuda/kernels/elementwise/elementwise_value.cuh"
#include "cuda/kernels/status.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kSortThreads = 512, kSortPiece = 4096;  // keys of a piece: 32 KiB of shared memory

ATHANOR_DEVICE std::int32_t index_at(const void* index, DType type, Index i) {
  return type == DType::u8 ? static_cast<const std::uint8_t*>(index)[i] : static_cast<const std::int32_t*>(index)[i];
}
ATHANOR_DEVICE bool is_inside(std::int32_t index, Index limit) { return index >= 0 && index < limit; }

struct GatherRowsParams {
  kernels::GatherRows args;
  device::Check check;
};

template <class T>
ATHANOR_KERNEL(kThreads)
gather_rows_kernel(ATHANOR_PARAM(GatherRowsParams) p, Index width) {
  const kernels::GatherRows& a = p.args;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.rows * width) return;
  const Index r = i / width, c = i - r * width;
  const std::int32_t row = index_at(a.index, a.index_dtype, r);
  T value{};
  if (is_inside(row, a.limit))
    value = static_cast<const T*>(a.table)[row * width + c];
  else if (c == 0)
    report_bad(p.check, device::StatusCode::index, r, static_cast<std::uint32_t>(row));
  static_cast<T*>(a.y)[i] = value;
}

template <class T>
device::Result gather_rows_typed(device::Stream* stream, const GatherRowsParams& p) {
  const Index width = p.args.row_bytes / static_cast<Index>(sizeof(T));
  return LAUNCH((gather_rows_kernel<T>), blocks_for(p.args.rows * width, kThreads), kThreads, 0, stream, p, width);
}

// Rows without bytes are looked at all the same.
ATHANOR_KERNEL(kThreads) check_index_kernel(const void* index, DType type, Index n, Index limit, device::Check check) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const std::int32_t at = index_at(index, type, i);
  if (!is_inside(at, limit)) report_bad(check, device::StatusCode::index, i, static_cast<std::uint32_t>(at));
}

device::Result gather_rows_run(device::Stream* stream, const device::GatherRows& given, void*) {
  const GatherRowsParams p{given.args, given.check};
  const kernels::GatherRows& a = p.args;
  if (a.rows == 0) return device::Result::ok;
  if (a.row_bytes == 0)
    return LAUNCH(check_index_kernel, blocks_for(a.rows, kThreads), kThreads, 0, stream, a.index, a.index_dtype, a.rows,
                  a.limit, p.check);
  const auto ends = reinterpret_cast<std::uintptr_t>(a.y) | reinterpret_cast<std::uintptr_t>(a.table) |
                    static_cast<std::uintptr_t>(a.row_bytes);
  if (ends % 4 == 0) return gather_rows_typed<std::uint32_t>(stream, p);
  return gather_rows_typed<std::uint8_t>(stream, p);
}

struct ScatterRowsParams {
  kernels::ScatterAddRows args;
  device::Check check;
  std::uint64_t* keys;  // (pieces, kSortPiece): index << 32 | row, ascending; what is out of range last
  Index pieces;
};

// Bitonic (Batcher 1968): the network is the same whatever the keys.
ATHANOR_KERNEL(kSortThreads) sort_rows_kernel(ATHANOR_PARAM(ScatterRowsParams) p, int length) {
  SHARED(std::uint64_t, keys, [kSortPiece]);
  const kernels::ScatterAddRows& a = p.args;
  const Index first = static_cast<Index>(blockIdx.x) * kSortPiece;
  for (int i = static_cast<int>(threadIdx.x); i < length; i += kSortThreads) {
    std::uint64_t key = ~std::uint64_t{0};
    if (first + i < a.rows) {
      const std::int32_t index = index_at(a.index, a.index_dtype, first + i);
      if (is_inside(index, a.limit))
        key = static_cast<std::uint64_t>(index) << 32 | static_cast<std::uint64_t>(first + i);
      else
        report_bad(p.check, device::StatusCode::index, first + i, static_cast<std::uint32_t>(index));
    }
    keys[i] = key;
  }
  for (int run = 2; run <= length; run *= 2) {
    for (int step = run / 2; step > 0; step /= 2) {
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < length / 2; i += kSortThreads) {
        const int low = i / step * step * 2 + i % step, high = low + step;
        const std::uint64_t x = keys[low], y = keys[high];
        if ((x > y) == ((low & run) == 0)) {
          keys[low] = y;
          keys[high] = x;
        }
      }
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < length; i += kSortThreads)
    p.keys[static_cast<Index>(blockIdx.x) * kSortPiece + i] = keys[i];
}

// A block a row of the table and a stretch of its columns.
template <class T>
ATHANOR_KERNEL(kThreads)
scatter_rows_kernel(ATHANOR_PARAM(ScatterRowsParams) p, int length) {
  const kernels::ScatterAddRows& a = p.args;
  const Index row = blockIdx.x, c = static_cast<Index>(blockIdx.y) * kThreads + threadIdx.x;
  if (c >= a.D) return;
  T* to = static_cast<T*>(a.dtable) + row * a.D + c;
  T sum = a.accumulate ? *to : T(0);
  const std::uint64_t wanted = static_cast<std::uint64_t>(row) << 32;
  for (Index piece = 0; piece < p.pieces; ++piece) {
    const std::uint64_t* keys = p.keys + piece * kSortPiece;
    int low = 0, high = length;  // the first key of this row
    while (low < high) {
      const int middle = (low + high) / 2;
      if (keys[middle] < wanted)
        low = middle + 1;
      else
        high = middle;
    }
    for (; low < length && keys[low] >> 32 == static_cast<std::uint64_t>(row); ++low)
      sum += static_cast<const T*>(a.dy)[static_cast<Index>(keys[low] & 0xffffffffu) * a.D + c];
  }
  *to = sum;
}

int sort_length(Index rows) {
  int length = 2;
  while (length < kSortPiece && length < rows) length *= 2;
  return length;
}

const char* scatter_rows_refuses(const device::ScatterAddRows& given) {
  if (given.args.dtype != DType::f32 && given.args.dtype != DType::f64) return "this element type";
  return given.args.rows > 0xffffffff ? "more than 2^32 rows" : nullptr;
}
Index scatter_rows_workspace(const device::ScatterAddRows& given) {
  return (given.args.rows + kSortPiece - 1) / kSortPiece * kSortPiece * Index{8};
}

device::Result scatter_rows_run(device::Stream* stream, const device::ScatterAddRows& given, void* workspace) {
  ScatterRowsParams p{given.args, given.check, static_cast<std::uint64_t*>(workspace),
                      (given.args.rows + kSortPiece - 1) / kSortPiece};
  const int length = sort_length(p.args.rows);
  device::Result result = device::Result::ok;
  if (p.pieces > 0)
    result = LAUNCH(sort_rows_kernel, static_cast<std::uint32_t>(p.pieces), kSortThreads, 0, stream, p, length);
  if (result != device::Result::ok || p.args.limit * p.args.D == 0) return result;
  const Dim3 grid(static_cast<std::uint32_t>(p.args.limit), blocks_for(p.args.D, kThreads));
  if (p.args.dtype == DType::f64) return LAUNCH((scatter_rows_kernel<double>), grid, kThreads, 0, stream, p, length);
  return LAUNCH((scatter_rows_kernel<float>), grid, kThreads, 0, stream, p, length);
}

struct GatherParams {
  kernels::Gather args;
  device::Check check;
  Index size;
};

template <class T>
ATHANOR_KERNEL(kThreads)
gather_kernel(ATHANOR_PARAM(GatherParams) p) {
  const kernels::Gather& a = p.args;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.size) return;
  const std::int32_t at = index_at(a.index, a.index_dtype, i);
  Index rest = i, offset = static_cast<Index>(at) * a.x_stride[a.axis];
  for (int d = a.rank - 1; d >= 0; --d) {
    const Index next = rest / a.shape[d];
    if (d != a.axis) offset += (rest - next * a.shape[d]) * a.x_stride[d];
    rest = next;
  }
  T value{};
  if (is_inside(at, a.limit))
    value = static_cast<const T*>(a.x)[offset];
  else
    report_bad(p.check, device::StatusCode::index, i, static_cast<std::uint32_t>(at));
  static_cast<T*>(a.y)[i] = value;
}

Index size_of_shape(const Index* shape, int rank) {
  Index size = 1;
  for (int d = 0; d < rank; ++d) size *= shape[d];
  return size;
}

device::Result gather_run(device::Stream* stream, const device::Gather& given, void*) {
  const GatherParams p{given.args, given.check, size_of_shape(given.args.shape, given.args.rank)};
  if (p.size == 0) return device::Result::ok;
  const std::uint32_t blocks = blocks_for(p.size, kThreads);
  switch (p.args.element_size) {
    case 1: return LAUNCH((gather_kernel<std::uint8_t>), blocks, kThreads, 0, stream, p);
    case 2: return LAUNCH((gather_kernel<std::uint16_t>), blocks, kThreads, 0, stream, p);
    case 8: return LAUNCH((gather_kernel<std::uint64_t>), blocks, kThreads, 0, stream, p);
    default: return LAUNCH((gather_kernel<std::uint32_t>), blocks, kThreads, 0, stream, p);
  }
}

struct ScatterParams {
  kernels::ScatterAdd args;
  device::Check check;
  Index lines;         // of shape, without the axis
  Index index_stride;  // of the axis in the contiguous index
};

template <class T>
ATHANOR_KERNEL(kThreads)
scatter_kernel(ATHANOR_PARAM(ScatterParams) p) {
  const kernels::ScatterAdd& a = p.args;
  const Index line = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (line >= p.lines) return;
  Index rest = line, y_base = 0, base = 0, stride = 1;
  for (int d = a.rank - 1; d >= 0; --d) {
    if (d != a.axis) {
      const Index next = rest / a.shape[d], at = rest - next * a.shape[d];
      y_base += at * a.y_stride[d];
      base += at * stride;
      rest = next;
    }
    stride *= a.shape[d];
  }
  T* y = static_cast<T*>(a.y) + y_base;
  for (Index k = 0; k < a.shape[a.axis]; ++k) {
    const Index i = base + k * p.index_stride;
    const std::int32_t at = index_at(a.index, a.index_dtype, i);
    if (!is_inside(at, a.limit)) {
      report_bad(p.check, device::StatusCode::index, i, static_cast<std::uint32_t>(at));
      continue;
    }
    T& to = y[at * a.y_stride[a.axis]];
    if constexpr (std::is_same_v<T, std::int32_t>)
      to = wrapped(word(to) + word(static_cast<const T*>(a.x)[i]));
    else
      to += static_cast<const T*>(a.x)[i];
  }
}

device::Result scatter_run(device::Stream* stream, const device::ScatterAdd& given, void*) {
  const kernels::ScatterAdd& a = given.args;
  const Index size = size_of_shape(a.shape, a.rank);
  if (size == 0) return device::Result::ok;
  ScatterParams p{a, given.check, size / a.shape[a.axis], 1};
  for (int d = a.axis + 1; d < a.rank; ++d) p.index_stride *= a.shape[d];
  const std::uint32_t blocks = blocks_for(p.lines, kThreads);
  switch (a.dtype) {
    case DType::f64: return LAUNCH((scatter_kernel<double>), blocks, kThreads, 0, stream, p);
    case DType::i32: return LAUNCH((scatter_kernel<std::int32_t>), blocks, kThreads, 0, stream, p);
    default: return LAUNCH((scatter_kernel<float>), blocks, kThreads, 0, stream, p);
  }
}

struct OneHotParams {
  kernels::OneHot args;
  device::Check check;
};

ATHANOR_KERNEL(kThreads) one_hot_kernel(ATHANOR_PARAM(OneHotParams) p) {
  const kernels::OneHot& a = p.args;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.rows * a.classes) return;
  const Index r = i / a.classes, c = i - r * a.classes;
  const std::int32_t at = index_at(a.index, a.index_dtype, r);
  if (c == 0 && !is_inside(at, a.classes))
    report_bad(p.check, device::StatusCode::index, r, static_cast<std::uint32_t>(at));
  store_element<double>(a.y, a.dtype, i, c == at ? a.on : a.off);
}

device::Result one_hot_run(device::Stream* stream, const device::OneHot& given, void*) {
  const OneHotParams p{given.args, given.check};
  const kernels::OneHot& a = p.args;
  if (a.rows == 0) return device::Result::ok;
  if (a.classes == 0)
    return LAUNCH(check_index_kernel, blocks_for(a.rows, kThreads), kThreads, 0, stream, a.index, a.index_dtype, a.rows,
                  a.classes, p.check);
  return LAUNCH(one_hot_kernel, blocks_for(a.rows * a.classes, kThreads), kThreads, 0, stream, p);
}

}  // namespace

void fill_indexing(device::Launchers& launch) {
  launch.gather_rows = {never<device::GatherRows>, no_workspace<device::GatherRows>, gather_rows_run};
  launch.scatter_add_rows = {scatter_rows_refuses, scatter_rows_workspace, scatter_rows_run};
  launch.gather = {never<device::Gather>, no_workspace<device::Gather>, gather_run};
  launch.scatter_add = {never<device::ScatterAdd>, no_workspace<device::ScatterAdd>, scatter_run};
  launch.one_hot = {never<device::OneHot>, no_workspace<device::OneHot>, one_hot_run};
}

}  // namespace athanor::cuda
