// Data movement for one instruction set: copy, pad, fill and ranges; movement_index.inl.h has what follows indices,
// movement_walk.inl.h how work is cut and walked.
#pragma once
#include <cstring>

#include "kernels/movement/movement_walk.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

template <class T>
ATHANOR_INLINE void fill_row(T* y, T value, Index n) {
  for (Index i = 0; i < n; ++i) y[i] = value;
}

template <class T>
ATHANOR_INLINE void copy_row(T* y, Index y_stride, const T* x, Index x_stride, Index n) {
  if (y_stride == 1 && x_stride == 1) {
    std::memcpy(y, x, n * sizeof(T));
  } else if (y_stride == 1 && x_stride == 0) {
    fill_row(y, *x, n);
  } else if (y_stride == 1) {
    for (Index i = 0; i < n; ++i) y[i] = x[i * x_stride];
  } else {
    for (Index i = 0; i < n; ++i) y[i * y_stride] = x[i * x_stride];
  }
}

// Lane i of the low (high) halves of a and b in turn: log2(lanes) rounds of it over a square block transpose the block.
template <int kHalf, class V>
ATHANOR_INLINE V zip(V a, V b) {
  if constexpr (sizeof(a[0]) == 8)
    return __builtin_shufflevector(a, b, kHalf, kHalf + 2);
  else if constexpr (sizeof(a[0]) == 4)
    return __builtin_shufflevector(a, b, 2 * kHalf, 2 * kHalf + 4, 2 * kHalf + 1, 2 * kHalf + 5);
  else if constexpr (sizeof(a[0]) == 2)
    return __builtin_shufflevector(a, b, 4 * kHalf, 4 * kHalf + 8, 4 * kHalf + 1, 4 * kHalf + 9, 4 * kHalf + 2,
                                   4 * kHalf + 10, 4 * kHalf + 3, 4 * kHalf + 11);
  else
    return __builtin_shufflevector(a, b, 8 * kHalf, 8 * kHalf + 16, 8 * kHalf + 1, 8 * kHalf + 17, 8 * kHalf + 2,
                                   8 * kHalf + 18, 8 * kHalf + 3, 8 * kHalf + 19, 8 * kHalf + 4, 8 * kHalf + 20,
                                   8 * kHalf + 5, 8 * kHalf + 21, 8 * kHalf + 6, 8 * kHalf + 22, 8 * kHalf + 7,
                                   8 * kHalf + 23);
}

// y[i·ldy + j] = x[j·ldx + i] for a square of 16 bytes a side: 2, 4, 8 or 16 elements in as many 16-byte registers.
template <class T>
ATHANOR_INLINE void transpose_square(T* y, Index ldy, const T* x, Index ldx) {
  constexpr int kSide = 16 / sizeof(T);
  using V [[gnu::vector_size(16)]] = T;
  V rows[kSide], next[kSide];
  for (int j = 0; j < kSide; ++j) std::memcpy(&rows[j], x + j * ldx, 16);
  for (int round = 1; round < kSide; round *= 2) {
    for (int j = 0; j < kSide / 2; ++j) {
      next[2 * j] = zip<0>(rows[j], rows[j + kSide / 2]);
      next[2 * j + 1] = zip<1>(rows[j], rows[j + kSide / 2]);
    }
    for (int j = 0; j < kSide; ++j) rows[j] = next[j];
  }
  for (int i = 0; i < kSide; ++i) std::memcpy(y + i * ldy, &rows[i], 16);
}

// y[i·ldy + j] = x[j·ldx + i], i < ni, j < nj. Squares go in blocks of one cache line a side.
template <class T>
void transpose_tile(T* y, Index ldy, const T* x, Index ldx, Index ni, Index nj) {
  constexpr Index kSide = 16 / sizeof(T), kLine = 64 / sizeof(T);
  const Index full_i = ni / kSide * kSide, full_j = nj / kSide * kSide;
  for (Index i0 = 0; i0 < full_i; i0 += kLine)
    for (Index j = 0; j < full_j; j += kSide)
      for (Index i = i0; i < smaller(i0 + kLine, full_i); i += kSide)
        transpose_square(y + i * ldy + j, ldy, x + j * ldx + i, ldx);
  for (Index i = 0; i < ni; ++i)
    for (Index j = i < full_i ? full_j : 0; j < nj; ++j) y[i * ldy + j] = x[j * ldx + i];
}

// Dimensions by falling y stride, sizes of one dropped, neighbours joined; the last is y's innermost. False: nothing to copy.
inline bool plan_copy(const StridedCopy& a, Walk& walk) {
  for (int d = 0; d < a.rank; ++d) {
    if (a.shape[d] == 0) return false;
    if (a.shape[d] > 1) walk.push(a.shape[d], a.y_stride[d], a.x_stride[d]);
  }
  const auto magnitude = [&](int d) { return walk.stride[0][d] < 0 ? -walk.stride[0][d] : walk.stride[0][d]; };
  const auto swap = [](Index& a, Index& b) {
    const Index held = a;
    a = b, b = held;
  };
  for (int d = 1; d < walk.rank; ++d)
    for (int e = d; e > 0 && magnitude(e - 1) < magnitude(e); --e) {
      swap(walk.shape[e], walk.shape[e - 1]);
      for (auto& stride : walk.stride) swap(stride[e], stride[e - 1]);
    }
  walk.collapse();
  if (walk.rank == 0) walk.push(1, 1, 1);
  return true;
}

// The inner two dimensions of the walk are (i, j) with y stride 1 along j and x stride 1 along i.
template <class T>
void copy_transposed(T* y, const T* x, Walk walk, Parallel& parallel) {
  constexpr Index kTile = 512 / sizeof(T);
  const int r = walk.rank -= 2;
  const Index ni = walk.shape[r], nj = walk.shape[r + 1], ldy = walk.stride[0][r], ldx = walk.stride[1][r + 1];
  const Index tiles_i = ceil_div(ni, kTile), tiles_j = ceil_div(nj, kTile), tiles = tiles_i * tiles_j;
  over_units(walk.rows() * tiles, smaller(ni, kTile) * smaller(nj, kTile) * sizeof(T), parallel,
             [&](Index begin, Index end) {
               Walk at = walk;
               at.seek(begin / tiles);
               for (Index unit = begin; unit < end; ++unit) {
                 const Index tile = unit % tiles, i = tile / tiles_j * kTile, j = tile % tiles_j * kTile;
                 if (tile == 0 && unit > begin) at.next();
                 transpose_tile(y + at.offset[0] + i * ldy + j, ldy, x + at.offset[1] + j * ldx + i, ldx,
                                smaller(kTile, ni - i), smaller(kTile, nj - j));
               }
             });
}

template <class T>
void copy_rows(T* y, const T* x, Walk walk, Parallel& parallel) {
  const int r = --walk.rank;
  const Index n = walk.shape[r], y_stride = walk.stride[0][r], x_stride = walk.stride[1][r];
  const Index block = smaller(n, kTaskBytes / Index(sizeof(T))), blocks = ceil_div(n, block);
  over_units(walk.rows() * blocks, block * sizeof(T), parallel, [&](Index begin, Index end) {
    Walk at = walk;
    at.seek(begin / blocks);
    for (Index unit = begin; unit < end; ++unit) {
      const Index i = unit % blocks * block;
      if (i == 0 && unit > begin) at.next();
      copy_row(y + at.offset[0] + i * y_stride, y_stride, x + at.offset[1] + i * x_stride, x_stride,
               smaller(block, n - i));
    }
  });
}

inline void movement_copy(const StridedCopy& a, Parallel& parallel) {
  Walk walk;
  if (!plan_copy(a, walk)) return;
  const int inner = walk.rank - 1;
  if (walk.stride[0][inner] == 1 && walk.stride[1][inner] != 1) {
    for (int d = inner - 1; d >= 0; --d) {
      if (walk.stride[1][d] != 1 || walk.shape[d] < 4 || walk.shape[inner] < 4) continue;
      const Index size = walk.shape[d], y_stride = walk.stride[0][d];
      for (int e = d; e + 1 < inner; ++e) {  // dimension d moves beside the innermost
        walk.shape[e] = walk.shape[e + 1];
        for (auto& stride : walk.stride) stride[e] = stride[e + 1];
      }
      walk.shape[inner - 1] = size, walk.stride[0][inner - 1] = y_stride, walk.stride[1][inner - 1] = 1;
      return by_element_size(a.element_size, [&]<class T>(T) {
        copy_transposed(static_cast<T*>(a.y), static_cast<const T*>(a.x), walk, parallel);
      });
    }
  }
  by_element_size(a.element_size,
                  [&]<class T>(T) { copy_rows(static_cast<T*>(a.y), static_cast<const T*>(a.x), walk, parallel); });
}

inline void movement_fill(const Fill& a, Parallel& parallel) {
  by_element_size(a.element_size, [&]<class T>(T) {
    const T value = *static_cast<const T*>(a.value);
    T* y = static_cast<T*>(a.y);
    over_units(a.n, sizeof(T), parallel, [&](Index begin, Index end) { fill_row(y + begin, value, end - begin); });
  });
}

template <class T>
void pad_rows(const Pad& a, Parallel& parallel) {
  const T value = *static_cast<const T*>(a.value);
  const int last = a.rank - 1;
  const T* x = static_cast<const T*>(a.x);
  Walk walk;       // offset 0: y's row as if x began where y does; offset 1 unused
  Index base = 0;  // makes up for that
  for (int d = 0; d < last; ++d) {
    walk.push(a.low[d] + a.x_shape[d] + a.high[d], a.x_stride[d], 0);
    base -= a.low[d] * a.x_stride[d];
  }
  const Index low = a.low[last], n = a.x_shape[last], high = a.high[last], row = low + n + high;
  over_units(walk.rows(), row * sizeof(T), parallel, [&](Index begin, Index end) {
    Walk at = walk;
    at.seek(begin);
    T* y = static_cast<T*>(a.y) + begin * row;
    for (Index r = begin; r < end; ++r, at.next(), y += row) {
      bool inside = true;
      for (int d = 0; d < last; ++d) inside &= at.at[d] >= a.low[d] && at.at[d] < a.low[d] + a.x_shape[d];
      if (!inside) {
        fill_row(y, value, row);
        continue;
      }
      fill_row(y, value, low);
      if (n > 0) copy_row(y + low, 1, x + (base + at.offset[0]), a.x_stride[last], n);
      fill_row(y + low + n, value, high);
    }
  });
}

inline void movement_pad(const Pad& a, Parallel& parallel) {
  by_element_size(a.element_size, [&]<class T>(T) {
    if (a.rank == 0)
      *static_cast<T*>(a.y) = *static_cast<const T*>(a.x);
    else
      pad_rows<T>(a, parallel);
  });
}

template <class T>
void range_rows(const Range& a, Parallel& parallel) {
  T* y = static_cast<T*>(a.y);
  over_units(a.n, sizeof(T), parallel, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) y[i] = T(a.start + double(i) * a.step);
  });
}

inline void movement_range(const Range& a, Parallel& parallel) {
  if (a.dtype == DType::f32) range_rows<float>(a, parallel);
  if (a.dtype == DType::f64) range_rows<double>(a, parallel);
  if (a.dtype == DType::i32) range_rows<std::int32_t>(a, parallel);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
