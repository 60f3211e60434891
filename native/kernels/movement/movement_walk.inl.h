// How data movement goes through its arrays: elements told apart by size, tasks of about 256 KiB, and an odometer over the
// outer dimensions, so that a row costs additions and no division.
#pragma once
#include "kernels/movement/movement.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

constexpr Index kTaskBytes = 256 << 10;

// Elements of a size, which may alias anything.
using Bytes1 [[gnu::may_alias]] = std::uint8_t;
using Bytes2 [[gnu::may_alias]] = std::uint16_t;
using Bytes4 [[gnu::may_alias]] = std::uint32_t;
using Bytes8 [[gnu::may_alias]] = std::uint64_t;

// Calls f(T{}) with the element type of a size.
template <class F>
ATHANOR_INLINE void by_element_size(Index size, F f) {
  switch (size) {
    case 1: return f(Bytes1{});
    case 2: return f(Bytes2{});
    case 4: return f(Bytes4{});
    default: return f(Bytes8{});
  }
}

ATHANOR_INLINE Index smaller(Index a, Index b) { return a < b ? a : b; }
ATHANOR_INLINE Index larger(Index a, Index b) { return a > b ? a : b; }
ATHANOR_INLINE Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// Calls f(begin, end) over [0, units), on threads where the bytes are worth it.
template <class F>
ATHANOR_INLINE void over_units(Index units, Index unit_bytes, Parallel& parallel, const F& f) {
  const Index per_task = larger(1, kTaskBytes / larger(1, unit_bytes));
  if (units <= per_task) {
    if (units > 0) f(Index(0), units);
    return;
  }
  const auto body = [&](int task, int) { f(task * per_task, smaller(units, (task + 1) * per_task)); };
  parallel.run(int(ceil_div(units, per_task)), body);
}

// An odometer over the outer dimensions of a loop nest with an offset into each of two arrays, in elements.
struct Walk {
  int rank = 0;
  Index shape[kMaxRank] = {};
  Index stride[2][kMaxRank] = {};
  Index at[kMaxRank] = {};
  Index offset[2] = {};

  Index rows() const {
    Index n = 1;
    for (int d = 0; d < rank; ++d) n *= shape[d];
    return n;
  }
  void seek(Index row) {
    offset[0] = offset[1] = 0;
    for (int d = rank - 1; d >= 0; --d) {
      at[d] = row % shape[d];
      row /= shape[d];
      for (int k = 0; k < 2; ++k) offset[k] += at[d] * stride[k][d];
    }
  }
  ATHANOR_INLINE void next() {
    for (int d = rank - 1; d >= 0; --d) {
      for (int k = 0; k < 2; ++k) offset[k] += stride[k][d];
      if (++at[d] < shape[d]) return;
      for (int k = 0; k < 2; ++k) offset[k] -= at[d] * stride[k][d];
      at[d] = 0;
    }
  }
  void push(Index size, Index stride0, Index stride1) {
    shape[rank] = size;
    stride[0][rank] = stride0;
    stride[1][rank++] = stride1;
  }
  // Joins neighbours that are one dimension in both arrays.
  void collapse() {
    int kept = 0;
    for (int d = 0; d < rank; ++d) {
      const bool joins =
          kept > 0 && stride[0][kept - 1] == shape[d] * stride[0][d] && stride[1][kept - 1] == shape[d] * stride[1][d];
      const int to = joins ? kept - 1 : kept++;
      shape[to] = joins ? shape[to] * shape[d] : shape[d];
      stride[0][to] = stride[0][d];
      stride[1][to] = stride[1][d];
    }
    rank = kept;
  }
};

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
