// How a convolution is cut: axes, chunks of pixels, the padded window of the source that a chunk reads, the workspace.
// Everything here depends on the shape alone.
#pragma once
#include "base/index.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/conv_micro.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

constexpr Index conv_min(Index a, Index b) { return a < b ? a : b; }
constexpr Index conv_max(Index a, Index b) { return a > b ? a : b; }
constexpr Index conv_ceil(Index a, Index b) { return (a + b - 1) / b; }
constexpr Index conv_round(Index a, Index b) { return conv_ceil(a, b) * b; }

struct ConvSpan {
  Index begin, end;
  bool operator==(const ConvSpan&) const = default;
};

// One dimension of a correlation dest[r] = sum over taps of source[base(r) + tap(a)] * w[a], over the taps a of r's phase.
// Forward has one phase. The gradient to the data has `stride` of them: r + pad - a * dilation must be divisible by the stride.
struct ConvAxis {
  Index dest = 0, source = 0, taps = 1, stride = 1, dilation = 1, pad = 0;
  bool backward = false;

  Index phases() const { return backward ? stride : 1; }
  Index base(Index r) const { return backward ? (r + pad) / stride : r * stride; }
  // The first r >= start of a phase; the others follow phases() apart, their bases base_step() apart.
  Index first(Index phase, Index start) const {
    return backward ? start + (phase + stride - (start + pad) % stride) % stride : start;
  }
  Index base_step() const { return backward ? 1 : stride; }
  Index tap(Index a) const { return backward ? -(a * dilation / stride) : a * dilation - pad; }
  Index tap_phase(Index a) const { return backward ? a * dilation % stride : 0; }
  Index tap_min() const { return backward ? tap(taps - 1) : -pad; }
  Index tap_max() const { return backward ? 0 : tap(taps - 1); }
  Index taps_in(Index phase) const {
    Index count = 0;
    for (Index a = 0; a < taps; ++a) count += tap_phase(a) == phase;
    return count;
  }
  // Which of the taps_in(phase) taps of row r read inside the source; the others would multiply padding.
  ConvSpan inside(Index r, Index phase) const {
    ConvSpan span{0, 0};
    Index index = 0;
    for (Index a = 0; a < taps; ++a) {
      if (tap_phase(a) != phase) continue;
      const Index at = base(r) + tap(a);
      if (at >= 0 && at < source) {
        if (span.end == 0) span.begin = index;
        span.end = index + 1;
      }
      ++index;
    }
    return span;
  }
  // Source rows that `extent` rows of dest read, wherever they start.
  Index window(Index extent) const {
    const Index span = backward ? (extent - 1 + stride - 1) / stride : (extent - 1) * stride;
    return span + tap_max() - tap_min() + 1;
  }
};

// A 1 x 1 convolution that reads every pixel once is a matrix product: its image may as well be one long row.
inline ConvShape conv_collapse(ConvShape s) {
  const bool whole = s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
                     s.pad_bottom == 0 && s.pad_left == 0 && s.pad_right == 0;
  if (whole) s.w *= s.h, s.h = 1;
  return s;
}

inline ConvAxis conv_axis_h(const ConvShape& s, bool backward) {
  return {backward ? s.h : s.out_h(), backward ? s.out_h() : s.h, s.kh, s.stride_h, s.dilation_h, s.pad_top, backward};
}
inline ConvAxis conv_axis_w(const ConvShape& s, bool backward) {
  return {backward ? s.w : s.out_w(), backward ? s.out_w() : s.w, s.kw, s.stride_w, s.dilation_w, s.pad_left, backward};
}

// A chunk of pixels: images x rows x cols of one side, all of whose tiles run over one window.
struct ConvChunk {
  Index images = 1, rows = 1, cols = 1;

  Index pixels() const { return images * rows * cols; }
};

// About `target` pixels a chunk: whole rows where they fit, several small images together, and among these the cut that leaves
// the fewest tiles (one more is charged for each chunk: the rows that neighbours both read).
inline ConvChunk conv_chunk(Index n, Index rows, Index cols, Index target, Index images_max) {
  ConvChunk c;
  if (n <= 0 || rows <= 0 || cols <= 0) return c;
  if (cols > target + target / 3) {
    c.cols = target;
    return c;
  }
  c.cols = cols;
  if (rows * cols * 2 <= target) {
    c.rows = rows;
    c.images = conv_max(1, conv_min(images_max, conv_min(n, target / (rows * cols))));
    return c;
  }
  Index best = -1;
  for (Index r = conv_min(rows, conv_max(1, (target + target / 3) / cols)); r >= 1 && r * cols * 2 >= target - cols;
       --r) {
    const Index full = rows / r, rest = rows % r;
    const Index cost = full * (conv_ceil(r * cols, kConvTile) + 1) + (rest ? conv_ceil(rest * cols, kConvTile) + 1 : 0);
    if (best < 0 || cost < best) best = cost, c.rows = r;
  }
  if (best < 0) c.rows = 1;
  return c;
}

// A zero-padded copy of what a chunk reads: [image][channel][row][col] at fixed strides. Copying costs one move an element
// against taps * C_out multiplications, and buys: no borders in the tile, and planes that do not collide in one cache set.
struct ConvWindow {
  Index channels = 0, rows = 0, cols = 0;  // cols is also the pitch
  Index plane = 0;                         // rows * cols, rounded to an odd number of cache lines

  ConvWindow(Index channels_, Index rows_, Index cols_) : channels(channels_), rows(rows_), cols(cols_) {
    plane = conv_round(rows * cols, 16);
    if (plane / 16 % 2 == 0) plane += 16;
  }
  Index image() const { return channels * plane; }
};

// The last vector overlaps the one before it: masked stores are slow on some processors.
ATHANOR_INLINE void conv_copy(const float* src, Index n, float* dst) {
  if (n < kLanes) {
    for (Index i = 0; i < n; ++i) dst[i] = src[i];
    return;
  }
  for (Index i = 0; i < n - kLanes; i += kLanes) Vec::load(src + i).store(dst + i);
  Vec::load(src + n - kLanes).store(dst + n - kLanes);
}
ATHANOR_INLINE void conv_zero(float* dst, Index n) {
  if (n < kLanes) {
    for (Index i = 0; i < n; ++i) dst[i] = 0;
    return;
  }
  for (Index i = 0; i < n - kLanes; i += kLanes) Vec::zero().store(dst + i);
  Vec::zero().store(dst + n - kLanes);
}

// Fills one image of the window from source planes (channels, H, W), its corner at (row0, col0), which may lie outside; what is
// outside becomes zero when `pad`, or is left as it was.
inline void conv_fill_window(const ConvWindow& win, const float* src, Index H, Index W, Index row0, Index col0,
                             bool pad, float* dst) {
  const Index r_begin = conv_min(win.rows, conv_max(0, -row0)), r_end = conv_max(r_begin, conv_min(win.rows, H - row0));
  const Index c_begin = conv_min(win.cols, conv_max(0, -col0)), c_end = conv_max(c_begin, conv_min(win.cols, W - col0));
  const bool whole_rows = c_begin == 0 && c_end == win.cols && win.cols == W;
  for (Index c = 0; c < win.channels; ++c, src += H * W, dst += win.plane) {
    if (pad) {
      conv_zero(dst, r_begin * win.cols);
      conv_zero(dst + r_end * win.cols, (win.rows - r_end) * win.cols);
    }
    if (whole_rows) {
      // The planes of a chunk are short pieces far apart, which the hardware does not foresee.
      const float* ahead = src + 3 * H * W + (row0 + r_begin) * W;
      for (Index i = 0; i < (r_end - r_begin) * W; i += 16) __builtin_prefetch(ahead + i);
      conv_copy(src + (row0 + r_begin) * W, (r_end - r_begin) * W, dst + r_begin * W);
      continue;
    }
    for (Index r = r_begin; r < r_end; ++r) {
      float* to = dst + r * win.cols;
      if (pad) conv_zero(to, c_begin);
      if (c_end > c_begin) conv_copy(src + (row0 + r) * W + col0 + c_begin, c_end - c_begin, to + c_begin);
      if (pad) conv_zero(to + c_end, win.cols - c_end);
    }
  }
}

// Hands out 64-byte aligned pieces of a workspace; with a null start it only counts.
struct ConvArena {
  char* start = nullptr;
  Index used = 0;

  template <class T>
  T* take(Index count) {
    T* piece = start ? reinterpret_cast<T*>(start + used) : nullptr;
    used += conv_round(count * Index{sizeof(T)}, 64);
    return piece;
  }
};

// Runs tasks on the pool, or here where the whole is less work than waking another thread (a rule of the shape alone).
inline void conv_run(Parallel& parallel, Index tasks, double flops, FunctionRef<void(int task, int worker)> body) {
  if (tasks <= 0) return;
  if (tasks > 1 && flops > 400e3) return parallel.run(static_cast<int>(tasks), body);
  for (Index task = 0; task < tasks; ++task) body(static_cast<int>(task), 0);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
