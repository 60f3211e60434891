// Moving elements without computing: strided copy (permute, slice, concat, broadcast), pad, fill, gather, scatter-add,
// one-hot, ranges and the data loader's batches. Elements are told apart by size alone (1, 2, 4 or 8 bytes) where no
// arithmetic is done on them. Strides are in elements and may be 0 (x only) or negative; pointers are aligned to the element.
// Threads take tasks cut by size alone; nothing is allocated. Indices are checked: one out of range is never followed, its
// row comes out as zeros (gather) or is left out (scatter), and the report says how many there were and where the first is.
#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/index.h"
#include "base/parallel.h"

namespace athanor::kernels {

struct IndexReport {
  Index bad = 0;     // indices outside [0, limit)
  Index first = -1;  // position of the first of them in the index array
};

// y[i…] = x[i…] over shape. Permute: permuted x strides. Slice: x moved to its start, strides times the step. Concat: one copy
// an input, y moved along the axis. Broadcast: x stride 0. y's elements must not overlap each other or x.
struct StridedCopy {
  void* y;
  const void* x;
  int rank;
  Index element_size;
  Index shape[kMaxRank];
  Index y_stride[kMaxRank];
  Index x_stride[kMaxRank];
};

// y contiguous of shape low + x_shape + high, filled with *value outside x. low, high >= 0.
struct Pad {
  void* y;
  const void* x;
  const void* value;  // one element
  int rank;
  Index element_size;
  Index x_shape[kMaxRank];
  Index x_stride[kMaxRank];
  Index low[kMaxRank];
  Index high[kMaxRank];
};

struct Fill {
  void* y;
  const void* value;  // one element
  Index n;
  Index element_size;
};

// y[r, :] = table[index[r], :]
struct GatherRows {
  void* y;            // (rows, row_bytes) packed
  const void* table;  // (limit, row_bytes) packed
  const void* index;  // (rows), i32 or u8
  DType index_dtype;
  Index rows;
  Index limit;
  Index row_bytes;
};

// dtable[index[r], :] += dy[r, :], summed in the order of r. The gradient of an embedding.
struct ScatterAddRows {
  void* dtable;       // (limit, D) f32 or f64
  const void* dy;     // (rows, D)
  const void* index;  // (rows), i32 or u8
  DType dtype;
  DType index_dtype;
  Index rows;
  Index limit;
  Index D;
  bool accumulate;  // false: dtable is set to zero first
};

// torch.gather: y[i…] = x[i… with i_axis replaced by index[i…]]. index and y are contiguous of `shape`; x has any strides, and
// shape[d] <= x's size for d != axis (the caller checks).
struct Gather {
  void* y;
  const void* x;
  const void* index;
  DType index_dtype;
  Index element_size;
  int rank;
  int axis;
  Index limit;  // x's size along axis
  Index shape[kMaxRank];
  Index x_stride[kMaxRank];
};

// torch.scatter_add: y[i… with i_axis replaced by index[i…]] += x[i…], in the order of i along the axis. y has any strides
// and holds what is added to; x and index are contiguous of `shape`.
struct ScatterAdd {
  void* y;
  const void* x;
  const void* index;
  DType dtype;  // f32, f64 or i32
  DType index_dtype;
  int rank;
  int axis;
  Index limit;  // y's size along axis
  Index shape[kMaxRank];
  Index y_stride[kMaxRank];
};

// y[r, c] = c == index[r] ? on : off. A bad index gives a row of off.
struct OneHot {
  void* y;  // (rows, classes)
  DType dtype;
  const void* index;  // (rows), i32 or u8
  DType index_dtype;
  Index rows;
  Index classes;
  double on = 1;
  double off = 0;
};

// y[i] = start + i · step, for f32, f64 and i32, computed in double; the caller checks that i32 holds both ends.
struct Range {
  void* y;
  DType dtype;
  Index n;
  double start;
  double step;
};

// The data loader: y[r, :] = x[index[r], :], with u8 samples made f32 on the way as value · scale + shift.
struct BatchGather {
  void* y;                    // (rows, row_elements)
  const void* x;              // (samples, row_elements)
  const std::int32_t* index;  // (rows), or null: rows `first`, first + 1, …
  Index first;
  DType x_dtype;
  DType y_dtype;  // x_dtype, or f32 from u8
  Index rows;
  Index samples;
  Index row_elements;
  float scale = 1;
  float shift = 0;
};

struct MovementKernels {
  void (*copy)(const StridedCopy&, Parallel&);
  void (*pad)(const Pad&, Parallel&);
  void (*fill)(const Fill&, Parallel&);
  IndexReport (*gather_rows)(const GatherRows&, Parallel&);
  IndexReport (*scatter_add_rows)(const ScatterAddRows&, Parallel&);
  IndexReport (*gather)(const Gather&, Parallel&);
  IndexReport (*scatter_add)(const ScatterAdd&, Parallel&);
  IndexReport (*one_hot)(const OneHot&, Parallel&);
  void (*range)(const Range&, Parallel&);
  IndexReport (*batch_gather)(const BatchGather&, Parallel&);
};

}  // namespace athanor::kernels
