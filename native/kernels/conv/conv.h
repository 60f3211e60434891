// Two-dimensional convolution (cross-correlation, as in every framework), f32, NCHW, weights [C_out, C_in / groups, KH, KW]:
//
//   y[n, co, oh, ow] = sum over ci, kh, kw of x[n, ci, oh * stride_h - pad_top + kh * dilation_h, …w] * w[co, ci, kh, kw]
//
// with x read as zero outside the image. Tensors are contiguous. forward gives y, backward_data gives dx from dy and w,
// backward_weights gives dw (and db) from x and dy. The caller adds a bias through the epilogue.
// Each result element is summed in one fixed order and work is cut into tasks by the shape alone: the same bits for any number of
// workers and for weights packed ahead or not. An empty batch or a channel count of 0 is no error: forward and backward_data
// then write zeros where there is something to write (and still run the epilogue), backward_weights writes zeros.
#pragma once
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

// Called once for every segment of the result after its last addition, while it is in cache. c points at
// C(n = batch, channel = row, pixel = col), where pixels of one plane are flattened (oh * OW + ow, or ih * W + iw for dx), and the
// cols elements from there are contiguous. Segments never overlap and cover the result exactly. Same type as GemmEpilogue.
using ConvEpilogue = void (*)(const void* self, float* c, Index row, Index col, Index cols, Index batch);

struct ConvShape {
  Index n = 0, c_in = 0, h = 0, w = 0;  // of x
  Index c_out = 0, kh = 1, kw = 1;      // of the weights
  Index stride_h = 1, stride_w = 1;
  Index pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  Index dilation_h = 1, dilation_w = 1;
  Index groups = 1;  // divides c_in and c_out; group g of c_out reads group g of c_in

  // Extents of y; the caller has checked that they are not negative.
  constexpr Index out_h() const { return (h + pad_top + pad_bottom - dilation_h * (kh - 1) - 1) / stride_h + 1; }
  constexpr Index out_w() const { return (w + pad_left + pad_right - dilation_w * (kw - 1) - 1) / stride_w + 1; }
};

struct ConvForwardArgs {
  ConvShape shape;
  const float* x = nullptr;  // (N, C_in, H, W)
  const float* w = nullptr;  // (C_out, C_in / groups, KH, KW), or what pack_forward wrote when w_packed
  bool w_packed = false;
  float* y = nullptr;               // (N, C_out, OH, OW)
  ConvEpilogue epilogue = nullptr;  // row: output channel
  const void* epilogue_self = nullptr;
};

// Whether packing weights ahead saves a convolution of this shape anything; a depthwise one reads them as they are.
constexpr bool wants_packed_weights(const ConvShape& shape) {
  return shape.groups != shape.c_in && shape.c_out > 0 && shape.c_in > 0;
}

struct ConvBackwardDataArgs {
  ConvShape shape;
  const float* dy = nullptr;        // (N, C_out, OH, OW)
  const float* w = nullptr;         // (C_out, C_in / groups, KH, KW)
  float* dx = nullptr;              // (N, C_in, H, W)
  ConvEpilogue epilogue = nullptr;  // row: input channel
  const void* epilogue_self = nullptr;
};

struct ConvBackwardWeightsArgs {
  ConvShape shape;
  const float* x = nullptr;   // (N, C_in, H, W)
  const float* dy = nullptr;  // (N, C_out, OH, OW)
  float* dw = nullptr;        // (C_out, C_in / groups, KH, KW)
  float* db = nullptr;  // (C_out), the sum of dy over n, oh, ow; null when not wanted. Nearly free here: dy is at hand
  bool accumulate = false;  // dw += …, db += … instead of dw = …, db = …
};

struct ConvKernels {
  // Bytes that the call needs with up to `workers` workers; the memory must be 64-byte aligned. Only shape, w_packed and the
  // presence of db count, no pointer is read.
  Index (*forward_workspace)(const ConvForwardArgs& args, int workers) = nullptr;
  void (*forward)(const ConvForwardArgs& args, Parallel& parallel, void* workspace) = nullptr;

  Index (*backward_data_workspace)(const ConvBackwardDataArgs& args, int workers) = nullptr;
  void (*backward_data)(const ConvBackwardDataArgs& args, Parallel& parallel, void* workspace) = nullptr;

  Index (*backward_weights_workspace)(const ConvBackwardWeightsArgs& args, int workers) = nullptr;
  void (*backward_weights)(const ConvBackwardWeightsArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // Packing weights once for many forward calls of one instruction set (inference). packed_size is in floats and does not depend
  // on n, h or w; dst is 64-byte aligned.
  Index (*packed_size)(const ConvShape& shape) = nullptr;
  void (*pack_forward)(const ConvShape& shape, const float* w, float* dst, Parallel& parallel) = nullptr;
};

}  // namespace athanor
