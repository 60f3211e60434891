// Convolution as an implicit product (kernels/conv/conv.h): a problem says what element (m, k) of A and (k, n) of B are, and where (m, n) of C
// goes; nothing is unfolded in memory. Each of the three products is such a problem.
#pragma once
#include "cuda/kernels/lane.cuh"
#include "kernels/conv/conv.h"

namespace athanor::cuda {

// ConvShape in numbers that divide quickly.
struct ConvParams {
  int n, c_in, h, w, c_out, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups;
  int oh, ow, group_in, group_out;  // channels of a group
  const float *x, *dy, *weights;
  float *out, *partial;  // partial: (pieces, elements of out)
  Index M, N, K, piece;  // of one group
  Index elements;        // of out
  int pieces, accumulate;
};

struct Pixel {
  int n, row, col;
  bool valid;
};
ATHANOR_DEVICE Pixel pixel_of(Index m, Index count, int rows, int cols) {
  const std::uint32_t i = static_cast<std::uint32_t>(m), line = i / static_cast<std::uint32_t>(cols);
  const std::uint32_t n = line / static_cast<std::uint32_t>(rows);
  return {static_cast<int>(n), static_cast<int>(line - n * static_cast<std::uint32_t>(rows)),
          static_cast<int>(i - line * static_cast<std::uint32_t>(cols)), m < count};
}

struct Tap {
  int channel, kh, kw;
  bool valid;
};
ATHANOR_DEVICE Tap tap_of(const ConvParams& p, Index k, Index count) {
  const std::uint32_t i = static_cast<std::uint32_t>(k), line = i / static_cast<std::uint32_t>(p.kw);
  const std::uint32_t channel = line / static_cast<std::uint32_t>(p.kh);
  return {static_cast<int>(channel), static_cast<int>(line - channel * static_cast<std::uint32_t>(p.kh)),
          static_cast<int>(i - line * static_cast<std::uint32_t>(p.kw)), k < count};
}

// x at the tap of an output's window, 0 in the padding.
ATHANOR_DEVICE float window_value(const ConvParams& p, int g, const Pixel& at, const Tap& tap) {
  if (!at.valid || !tap.valid) return 0;
  const int h = at.row * p.stride_h - p.pad_top + tap.kh * p.dilation_h,
            w = at.col * p.stride_w - p.pad_left + tap.kw * p.dilation_w;
  if (h < 0 || h >= p.h || w < 0 || w >= p.w) return 0;
  return p.x[((static_cast<Index>(at.n) * p.c_in + g * p.group_in + tap.channel) * p.h + h) * p.w + w];
}

// dy of the output whose window's tap lies on a pixel of x, 0 where none does.
ATHANOR_DEVICE float output_value(const ConvParams& p, int g, const Pixel& at, const Tap& tap) {
  if (!at.valid || !tap.valid) return 0;
  const int top = at.row + p.pad_top - tap.kh * p.dilation_h, left = at.col + p.pad_left - tap.kw * p.dilation_w;
  if (top < 0 || left < 0) return 0;
  const int row = top / p.stride_h, col = left / p.stride_w;
  if (row * p.stride_h != top || col * p.stride_w != left || row >= p.oh || col >= p.ow) return 0;
  return p.dy[((static_cast<Index>(at.n) * p.c_out + g * p.group_out + tap.channel) * p.oh + row) * p.ow + col];
}

// y: pixels of the output by channels of the group, over (channel in, kh, kw).
struct ConvForward {
  using A = Pixel;
  using B = Index;  // beginning of the channel's weights, -1: none
  using K = Tap;
  static constexpr bool kDeepA = false, kDeepB = true;
  static ATHANOR_DEVICE A row(const ConvParams& p, int, Index m) { return pixel_of(m, p.M, p.oh, p.ow); }
  static ATHANOR_DEVICE B column(const ConvParams& p, int g, Index n) {
    return n < p.N ? (static_cast<Index>(g) * p.group_out + n) * p.K : Index{-1};
  }
  static ATHANOR_DEVICE K depth(const ConvParams& p, Index k, Index end) { return tap_of(p, k, end); }
  static ATHANOR_DEVICE float a(const ConvParams& p, int g, const A& at, const K& tap, Index) {
    return window_value(p, g, at, tap);
  }
  static ATHANOR_DEVICE float b(const ConvParams& p, int, B at, const K& tap, Index k) {
    return at >= 0 && tap.valid ? p.weights[at + k] : 0.0f;
  }
  static ATHANOR_DEVICE Index place(const ConvParams& p, int g, Index m, Index n) {
    const Pixel at = pixel_of(m, p.M, p.oh, p.ow);
    return ((static_cast<Index>(at.n) * p.c_out + g * p.group_out + n) * p.oh + at.row) * p.ow + at.col;
  }
};

// dx: pixels of the input by channels of the group, over (channel out, kh, kw).
struct ConvInput {
  using A = Pixel;
  using B = int;
  using K = Tap;
  static constexpr bool kDeepA = false, kDeepB = true;
  static ATHANOR_DEVICE A row(const ConvParams& p, int, Index m) { return pixel_of(m, p.M, p.h, p.w); }
  static ATHANOR_DEVICE B column(const ConvParams& p, int, Index n) { return n < p.N ? static_cast<int>(n) : -1; }
  static ATHANOR_DEVICE K depth(const ConvParams& p, Index k, Index end) { return tap_of(p, k, end); }
  static ATHANOR_DEVICE float a(const ConvParams& p, int g, const A& at, const K& tap, Index) {
    return output_value(p, g, at, tap);
  }
  static ATHANOR_DEVICE float b(const ConvParams& p, int g, B channel, const K& tap, Index) {
    if (channel < 0 || !tap.valid) return 0;
    return p
        .weights[(((static_cast<Index>(g) * p.group_out + tap.channel) * p.group_in + channel) * p.kh + tap.kh) * p.kw +
                 tap.kw];
  }
  static ATHANOR_DEVICE Index place(const ConvParams& p, int g, Index m, Index n) {
    const Pixel at = pixel_of(m, p.M, p.h, p.w);
    return ((static_cast<Index>(at.n) * p.c_in + g * p.group_in + n) * p.h + at.row) * p.w + at.col;
  }
};

// dw: channels out by (channel in, kh, kw), over pixels of the output.
struct ConvWeight {
  using A = int;
  using B = Tap;
  using K = Pixel;
  static constexpr bool kDeepA = true, kDeepB = true;
  static ATHANOR_DEVICE A row(const ConvParams& p, int, Index m) { return m < p.M ? static_cast<int>(m) : -1; }
  static ATHANOR_DEVICE B column(const ConvParams& p, int, Index n) { return tap_of(p, n, p.N); }
  static ATHANOR_DEVICE K depth(const ConvParams& p, Index k, Index end) { return pixel_of(k, end, p.oh, p.ow); }
  static ATHANOR_DEVICE float a(const ConvParams& p, int g, A channel, const K& at, Index) {
    if (channel < 0 || !at.valid) return 0;
    return p.dy[((static_cast<Index>(at.n) * p.c_out + g * p.group_out + channel) * p.oh + at.row) * p.ow + at.col];
  }
  static ATHANOR_DEVICE float b(const ConvParams& p, int g, const B& tap, const K& at, Index) {
    return window_value(p, g, at, tap);
  }
  static ATHANOR_DEVICE Index place(const ConvParams& p, int g, Index m, Index n) {
    return (static_cast<Index>(g) * p.group_out + m) * p.N + n;
  }
};

}  // namespace athanor::cuda
