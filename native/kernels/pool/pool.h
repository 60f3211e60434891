// Max and average pooling over NCHW planes, f32, contiguous. Padding never wins a maximum (it counts as -inf); NaN does.
//
//   max:      y[n, c, oh, ow] = max over kh, kw of x[n, c, oh * stride_h - pad_top + kh * dilation_h, …w]; the first maximum in
//             (kh, kw) order is the one that gets the gradient, the first NaN before all else. A window that holds padding only
//             gives -inf and passes no gradient on.
//   average:  the sum over the window divided by KH * KW (count_padding), or by the number of taps inside the image. With
//             count_padding the part of a window beyond the padding (PyTorch's ceil_mode) still counts as a tap.
// Planes are independent tasks: the same bits for any number of workers. No workspace.
#pragma once
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

// As ConvEpilogue: c points at C(batch, channel row, pixel col) and cols contiguous elements are final.
using PoolEpilogue = void (*)(const void* self, float* c, Index row, Index col, Index cols, Index batch);

struct PoolShape {
  Index n = 0, c = 0, h = 0, w = 0;  // of x
  Index kh = 1, kw = 1;
  Index stride_h = 1, stride_w = 1;
  Index pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  Index dilation_h = 1, dilation_w = 1;

  // Extents of y; the caller has checked that they are not negative.
  constexpr Index out_h() const { return (h + pad_top + pad_bottom - dilation_h * (kh - 1) - 1) / stride_h + 1; }
  constexpr Index out_w() const { return (w + pad_left + pad_right - dilation_w * (kw - 1) - 1) / stride_w + 1; }
  constexpr bool taps_fit_u8() const { return kh * kw <= 255; }
};

// Which tap of its window (kh * KW + kw) each y came from. Exactly one of the two is set when the gradient is wanted (u8 is
// allowed, and quicker, when taps_fit_u8), none of them for inference. A window without a tap inside the image has the last
// value of the type (255, or -1).
struct PoolTaps {
  std::uint8_t* u8 = nullptr;   // (N, C, OH, OW)
  std::int32_t* i32 = nullptr;  // (N, C, OH, OW)
};

struct MaxPoolArgs {
  PoolShape shape;
  const float* x = nullptr;  // (N, C, H, W)
  float* y = nullptr;        // (N, C, OH, OW)
  PoolTaps taps;             // written
  PoolEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

struct MaxPoolBackwardArgs {
  PoolShape shape;
  const float* dy = nullptr;  // (N, C, OH, OW)
  PoolTaps taps;              // read
  float* dx = nullptr;        // (N, C, H, W), all of it written
  PoolEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

struct AveragePoolArgs {
  PoolShape shape;
  bool count_padding = true;
  const float* x = nullptr;  // (N, C, H, W)
  float* y = nullptr;        // (N, C, OH, OW)
  PoolEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

struct AveragePoolBackwardArgs {
  PoolShape shape;
  bool count_padding = true;
  const float* dy = nullptr;  // (N, C, OH, OW)
  float* dx = nullptr;        // (N, C, H, W), all of it written
  PoolEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

struct PoolKernels {
  void (*max)(const MaxPoolArgs& args, Parallel& parallel) = nullptr;
  void (*max_backward)(const MaxPoolBackwardArgs& args, Parallel& parallel) = nullptr;
  void (*average)(const AveragePoolArgs& args, Parallel& parallel) = nullptr;
  void (*average_backward)(const AveragePoolBackwardArgs& args, Parallel& parallel) = nullptr;
};

}  // namespace athanor
