// Data movement that follows indices: rows of a table, torch's gather and scatter_add, one-hot, the batch loader. A first pass
// over the indices alone counts the bad ones, so that the report needs no memory shared by tasks. Sums are made in the order
// of the index array: tasks of a scatter split what is written, never the terms of one sum.
#pragma once
#include "kernels/movement/movement.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// Calls f(pointer) with the index array's own type.
template <class F>
ATHANOR_INLINE void with_index(const void* index, DType dtype, F f) {
  if (dtype == DType::u8)
    f(static_cast<const std::uint8_t*>(index));
  else
    f(static_cast<const std::int32_t*>(index));
}

ATHANOR_INLINE bool within(Index i, Index limit) { return std::uint64_t(i) < std::uint64_t(limit); }

inline IndexReport check_index(const void* index, DType dtype, Index n, Index limit) {
  IndexReport report;
  const auto bound =
      std::uint32_t(smaller(larger(limit, 0), Index{1} << 31));  // no negative index is below it as unsigned
  with_index(index, dtype, [&](const auto* at) {
    constexpr Index kBlock = 4096;  // the count fits 32-bit lanes, the search for the first stays short
    for (Index begin = 0; begin < n; begin += kBlock) {
      const Index end = smaller(n, begin + kBlock);
      std::int32_t bad = 0;
      for (Index i = begin; i < end; ++i) bad += std::uint32_t(at[i]) >= bound;
      for (Index i = begin; bad > 0 && report.first < 0; ++i)
        if (!within(at[i], limit)) report.first = i;
      report.bad += bad;
    }
  });
  return report;
}

inline IndexReport movement_gather_rows(const GatherRows& a, Parallel& parallel) {
  const IndexReport report = check_index(a.index, a.index_dtype, a.rows, a.limit);
  if (a.row_bytes == 0) return report;
  with_index(a.index, a.index_dtype, [&](const auto* index) {
    char* y = static_cast<char*>(a.y);
    const char* table = static_cast<const char*>(a.table);
    over_units(a.rows, a.row_bytes, parallel, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        if (within(index[r], a.limit))
          std::memcpy(y + r * a.row_bytes, table + index[r] * a.row_bytes, a.row_bytes);
        else
          std::memset(y + r * a.row_bytes, 0, a.row_bytes);
      }
    });
  });
  return report;
}

// dtable[index[r], begin..end) += dy[r, begin..end)
template <class T, class I>
void scatter_columns(const ScatterAddRows& a, const I* index, Index begin, Index end) {
  for (Index r = 0; r < a.rows; ++r) {
    if (!within(index[r], a.limit)) continue;
    T* y = static_cast<T*>(a.dtable) + index[r] * a.D;
    const T* x = static_cast<const T*>(a.dy) + r * a.D;
    for (Index d = begin; d < end; ++d) y[d] += x[d];
  }
}

inline IndexReport movement_scatter_add_rows(const ScatterAddRows& a, Parallel& parallel) {
  const IndexReport report = check_index(a.index, a.index_dtype, a.rows, a.limit);
  if (!a.accumulate) {
    const std::uint64_t zero = 0;
    movement_fill({a.dtable, &zero, a.limit * a.D, size_of(a.dtype)}, parallel);
  }
  // A unit is a strip of columns, the same for every row: tokens may all hit a few rows, and columns stay balanced.
  constexpr Index kStrip = 64;
  with_index(a.index, a.index_dtype, [&](const auto* index) {
    over_units(ceil_div(a.D, kStrip), a.rows * kStrip * size_of(a.dtype), parallel, [&](Index begin, Index end) {
      const Index first = begin * kStrip, last = smaller(end * kStrip, a.D);
      if (a.dtype == DType::f64)
        scatter_columns<double>(a, index, first, last);
      else
        scatter_columns<float>(a, index, first, last);
    });
  });
  return report;
}

// The loop nest of gather and scatter_add: offset 0 is the place in the contiguous index array, offset 1 that in the strided
// array without its axis. The last dimension is the inner loop, of stride `inner` there.
struct AxisWalk {
  Walk walk;
  Index n, inner;
  AxisWalk(int rank, int axis, const Index* shape, const Index* stride)
      : n(shape[rank - 1]), inner(axis == rank - 1 ? 0 : stride[rank - 1]) {
    for (int d = 0; d < rank; ++d) walk.push(shape[d], 0, d == axis ? 0 : stride[d]);
    Index packed = 1;
    for (int d = rank - 1; d >= 0; --d) {
      walk.stride[0][d] = packed;
      packed *= shape[d];
    }
    --walk.rank;
  }
};

template <class T, class I>
void gather_elements(const Gather& a, const I* index, Parallel& parallel) {
  const AxisWalk nest(a.rank, a.axis, a.shape, a.x_stride);
  const Index along = a.x_stride[a.axis], n = nest.n, inner = nest.inner;
  over_units(nest.walk.rows(), n * (sizeof(T) + sizeof(I)), parallel, [&](Index begin, Index end) {
    Walk at = nest.walk;
    at.seek(begin);
    for (Index row = begin; row < end; ++row, at.next()) {
      T* y = static_cast<T*>(a.y) + row * n;
      const T* x = static_cast<const T*>(a.x) + at.offset[1];
      const I* i = index + row * n;
      for (Index l = 0; l < n; ++l) y[l] = within(i[l], a.limit) ? x[l * inner + i[l] * along] : T(0);
    }
  });
}

inline Index elements_of(int rank, const Index* shape) {
  Index n = 1;
  for (int d = 0; d < rank; ++d) n *= shape[d];
  return n;
}

inline IndexReport movement_gather(const Gather& a, Parallel& parallel) {
  const Index elements = elements_of(a.rank, a.shape);
  if (elements == 0) return {};
  const IndexReport report = check_index(a.index, a.index_dtype, elements, a.limit);
  with_index(a.index, a.index_dtype, [&](const auto* index) {
    by_element_size(a.element_size, [&]<class T>(T) { gather_elements<T>(a, index, parallel); });
  });
  return report;
}

// Rows [begin, end) of the nest and columns [first, last) of its inner loop.
template <class T, class I>
void scatter_elements(const ScatterAdd& a, const AxisWalk& nest, const I* index, const Index (&range)[4]) {
  const auto [begin, end, first, last] = range;
  const Index along = a.y_stride[a.axis];
  Walk at = nest.walk;
  at.seek(begin);
  for (Index row = begin; row < end; ++row, at.next()) {
    T* y = static_cast<T*>(a.y) + at.offset[1];
    const T* x = static_cast<const T*>(a.x) + row * nest.n;
    const I* i = index + row * nest.n;
    for (Index l = first; l < last; ++l)
      if (within(i[l], a.limit)) y[l * nest.inner + i[l] * along] += x[l];
  }
}

template <class T, class I>
void scatter_tasks(const ScatterAdd& a, const I* index, Parallel& parallel) {
  const AxisWalk nest(a.rank, a.axis, a.shape, a.y_stride);
  const Index rows = nest.walk.rows(), before = elements_of(a.axis, a.shape);
  // What comes before the axis is independent, and so is the innermost dimension where that is not the axis.
  if (before > 1 || a.axis == a.rank - 1) {
    const Index each = rows / before;
    over_units(before, each * nest.n * sizeof(T), parallel, [&](Index begin, Index end) {
      scatter_elements<T>(a, nest, index, {begin * each, end * each, 0, nest.n});
    });
  } else {
    constexpr Index kStrip = 64;
    over_units(ceil_div(nest.n, kStrip), rows * kStrip * sizeof(T), parallel, [&](Index begin, Index end) {
      scatter_elements<T>(a, nest, index, {0, rows, begin * kStrip, smaller(end * kStrip, nest.n)});
    });
  }
}

inline IndexReport movement_scatter_add(const ScatterAdd& a, Parallel& parallel) {
  const Index elements = elements_of(a.rank, a.shape);
  if (elements == 0) return {};
  const IndexReport report = check_index(a.index, a.index_dtype, elements, a.limit);
  with_index(a.index, a.index_dtype, [&](const auto* index) {
    if (a.dtype == DType::f32) scatter_tasks<float>(a, index, parallel);
    if (a.dtype == DType::f64) scatter_tasks<double>(a, index, parallel);
    if (a.dtype == DType::i32) scatter_tasks<std::uint32_t>(a, index, parallel);  // wraps around, as i32 tensors do
  });
  return report;
}

inline IndexReport movement_one_hot(const OneHot& a, Parallel& parallel) {
  const IndexReport report = check_index(a.index, a.index_dtype, a.rows, a.classes);
  const auto write = [&]<class T>(T on, T off) {
    with_index(a.index, a.index_dtype, [&](const auto* index) {
      over_units(a.rows, a.classes * sizeof(T), parallel, [&](Index begin, Index end) {
        T* y = static_cast<T*>(a.y) + begin * a.classes;
        for (Index r = begin; r < end; ++r, y += a.classes) {
          fill_row(y, off, a.classes);
          if (within(index[r], a.classes)) y[index[r]] = on;
        }
      });
    });
  };
  if (a.dtype == DType::f32) write(float(a.on), float(a.off));
  if (a.dtype == DType::f64) write(a.on, a.off);
  if (a.dtype == DType::i32) write(std::int32_t(a.on), std::int32_t(a.off));
  if (a.dtype == DType::u8) write(std::uint8_t(a.on), std::uint8_t(a.off));
  if (a.dtype == DType::boolean) write(std::uint8_t(a.on != 0), std::uint8_t(a.off != 0));
  return report;
}

// A product and a sum, each rounded: the same bits with and without a fused multiply-add.
inline void scale_row(float* y, const std::uint8_t* x, Index n, float scale, float shift) {
  const Vec factor = Vec::broadcast(scale), term = Vec::broadcast(shift);
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) (load_as(x + i) * factor + term).store(y + i);
  if (i < n) (load_as(x + i, n - i) * factor + term).store(y + i, n - i);
}

inline IndexReport movement_batch_gather(const BatchGather& a, Parallel& parallel) {
  IndexReport report;
  if (a.index) {
    report = check_index(a.index, DType::i32, a.rows, a.samples);
  } else if (a.first < 0 || a.rows > a.samples - a.first) {
    for (Index r = 0; r < a.rows; ++r)
      if (!within(a.first + r, a.samples) && report.bad++ == 0) report.first = r;
  }
  if (a.row_elements == 0) return report;
  const bool converts = a.x_dtype == DType::u8 && a.y_dtype == DType::f32;
  const Index x_bytes = a.row_elements * size_of(a.x_dtype), y_bytes = a.row_elements * size_of(a.y_dtype);
  over_units(a.rows, y_bytes, parallel, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      char* y = static_cast<char*>(a.y) + r * y_bytes;
      const Index sample = a.index ? a.index[r] : a.first + r;
      if (!within(sample, a.samples)) {
        std::memset(y, 0, y_bytes);
        continue;
      }
      const char* x = static_cast<const char*>(a.x) + sample * x_bytes;
      if (converts)
        scale_row(reinterpret_cast<float*>(y), reinterpret_cast<const std::uint8_t*>(x), a.row_elements, a.scale,
                  a.shift);
      else
        std::memcpy(y, x, y_bytes);
    }
  });
  return report;
}

constexpr MovementKernels movement_kernels() {
  return {
      .copy = movement_copy,
      .pad = movement_pad,
      .fill = movement_fill,
      .gather_rows = movement_gather_rows,
      .scatter_add_rows = movement_scatter_add_rows,
      .gather = movement_gather,
      .scatter_add = movement_scatter_add,
      .one_hot = movement_one_hot,
      .range = movement_range,
      .batch_gather = movement_batch_gather,
  };
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
