// Max and average pooling over NCHW planes with their gradients (kernels/pool/pool.h). Gradients are gathered: an element of dx looks at the
// windows that hold it, in order, so that no sum depends on the order of threads.
#include "cuda/kernels/elementwise/elementwise.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;

// PoolShape within a plane, in numbers that divide quickly.
struct Window {
  int h, w, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
};

struct PoolParams {
  Window s;
  int oh, ow;
  Index size;
  int count_padding;
  const float* in;
  float* out;
  PoolTaps taps;
};

struct Place {
  Index plane;
  int row, col;
};
ATHANOR_DEVICE Place place_of(Index i, Index rows, Index cols) {
  const Index line = i / cols, plane = line / rows;
  return {plane, static_cast<int>(line - plane * rows), static_cast<int>(i - line * cols)};
}

ATHANOR_KERNEL(kThreads) max_pool_kernel(ATHANOR_PARAM(PoolParams) p) {
  const Window& s = p.s;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.size) return;
  const Place at = place_of(i, p.oh, p.ow);
  const float* x = p.in + at.plane * (static_cast<Index>(s.h) * s.w);
  float best = -infinity();
  int tap = -1;
  for (int kh = 0; kh < s.kh; ++kh) {
    const int h = at.row * s.stride_h - s.pad_top + kh * s.dilation_h;
    if (h < 0 || h >= s.h) continue;
    for (int kw = 0; kw < s.kw; ++kw) {
      const int w = at.col * s.stride_w - s.pad_left + kw * s.dilation_w;
      if (w < 0 || w >= s.w) continue;
      const float value = x[h * s.w + w];
      // The first maximum in this order, the first NaN before all else; a first -inf counts.
      if (best == best && (value > best || value != value || tap < 0)) {
        best = value;
        tap = kh * s.kw + kw;
      }
    }
  }
  p.out[i] = best;
  if (p.taps.u8 != nullptr) p.taps.u8[i] = static_cast<std::uint8_t>(tap < 0 ? 255 : tap);
  if (p.taps.i32 != nullptr) p.taps.i32[i] = static_cast<std::int32_t>(tap);
}

// Calls f(output's number in the plane, tap) for the windows that hold (h, w).
template <class F>
ATHANOR_DEVICE void for_each_window(const PoolParams& p, int h, int w, F f) {
  const Window& s = p.s;
  for (int kh = 0; kh < s.kh; ++kh) {
    const int top = h + s.pad_top - kh * s.dilation_h;
    if (top < 0 || top % s.stride_h != 0 || top / s.stride_h >= p.oh) continue;
    for (int kw = 0; kw < s.kw; ++kw) {
      const int left = w + s.pad_left - kw * s.dilation_w;
      if (left < 0 || left % s.stride_w != 0 || left / s.stride_w >= p.ow) continue;
      f(top / s.stride_h, left / s.stride_w, kh * s.kw + kw);
    }
  }
}

ATHANOR_KERNEL(kThreads) max_pool_grad_kernel(ATHANOR_PARAM(PoolParams) p) {
  const Window& s = p.s;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.size) return;
  const Place at = place_of(i, s.h, s.w);
  const Index base = at.plane * (static_cast<Index>(p.oh) * p.ow);
  float sum = 0;
  for_each_window(p, at.row, at.col, [&](int row, int col, int tap) {
    const Index o = base + row * p.ow + col;
    const int taken = p.taps.u8 != nullptr ? p.taps.u8[o] : p.taps.i32[o];
    if (taken == tap) sum += p.in[o];
  });
  p.out[i] = sum;
}

// What an average divides by.
ATHANOR_DEVICE float divisor(const PoolParams& p, int row, int col) {
  const Window& s = p.s;
  if (p.count_padding) return static_cast<float>(s.kh * s.kw);
  int rows = 0, cols = 0;
  for (int kh = 0; kh < s.kh; ++kh) {
    const int h = row * s.stride_h - s.pad_top + kh * s.dilation_h;
    rows += h >= 0 && h < s.h ? 1 : 0;
  }
  for (int kw = 0; kw < s.kw; ++kw) {
    const int w = col * s.stride_w - s.pad_left + kw * s.dilation_w;
    cols += w >= 0 && w < s.w ? 1 : 0;
  }
  return static_cast<float>(rows * cols);
}

ATHANOR_KERNEL(kThreads) average_pool_kernel(ATHANOR_PARAM(PoolParams) p) {
  const Window& s = p.s;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.size) return;
  const Place at = place_of(i, p.oh, p.ow);
  const float* x = p.in + at.plane * (static_cast<Index>(s.h) * s.w);
  float sum = 0;
  for (int kh = 0; kh < s.kh; ++kh) {
    const int h = at.row * s.stride_h - s.pad_top + kh * s.dilation_h;
    if (h < 0 || h >= s.h) continue;
    for (int kw = 0; kw < s.kw; ++kw) {
      const int w = at.col * s.stride_w - s.pad_left + kw * s.dilation_w;
      if (w >= 0 && w < s.w) sum += x[h * s.w + w];
    }
  }
  const float by = divisor(p, at.row, at.col);
  p.out[i] = by > 0 ? sum / by : 0.0f;
}

ATHANOR_KERNEL(kThreads) average_pool_grad_kernel(ATHANOR_PARAM(PoolParams) p) {
  const Window& s = p.s;
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.size) return;
  const Place at = place_of(i, s.h, s.w);
  const Index base = at.plane * (static_cast<Index>(p.oh) * p.ow);
  float sum = 0;
  for_each_window(p, at.row, at.col,
                  [&](int row, int col, Index) { sum += p.in[base + row * p.ow + col] / divisor(p, row, col); });
  p.out[i] = sum;
}

Window window_of(const PoolShape& s) {
  const auto i = [](Index x) { return static_cast<int>(x); };
  return {i(s.h),        i(s.w),       i(s.kh),       i(s.kw),         i(s.stride_h),
          i(s.stride_w), i(s.pad_top), i(s.pad_left), i(s.dilation_h), i(s.dilation_w)};
}

Index output_size(const PoolShape& s) { return s.n * s.c * s.out_h() * s.out_w(); }
Index input_size(const PoolShape& s) { return s.n * s.c * s.h * s.w; }

template <class Args>
const char* refuses(const Args& args) {
  if (args.shape.h * args.shape.w > 0x3fffffff) return "planes of more than 2^30 elements";
  return args.epilogue.raw >= 0 ? refuse_program(args.epilogue.args) : nullptr;
}
Index pool_workspace(const device::Pool& args) { return args.epilogue.raw >= 0 ? output_size(args.shape) * 4 : 0; }
Index pool_grad_workspace(const device::PoolGrad& args) {
  return args.epilogue.raw >= 0 ? input_size(args.shape) * 4 : 0;
}

device::Result pool_run(device::Stream* stream, const device::Pool& args, void* workspace) {
  const bool fused = args.epilogue.raw >= 0;
  const PoolParams p{window_of(args.shape),
                     static_cast<int>(args.shape.out_h()),
                     static_cast<int>(args.shape.out_w()),
                     output_size(args.shape),
                     args.count_padding ? 1 : 0,
                     args.x,
                     fused ? static_cast<float*>(workspace) : args.y,
                     args.taps};
  if (p.size == 0) return device::Result::ok;
  const std::uint32_t blocks = blocks_for(p.size, kThreads);
  const device::Result result = args.max ? LAUNCH(max_pool_kernel, blocks, kThreads, 0, stream, p)
                                         : LAUNCH(average_pool_kernel, blocks, kThreads, 0, stream, p);
  return result == device::Result::ok && fused ? run_epilogue(stream, args.epilogue, p.out) : result;
}

device::Result pool_grad_run(device::Stream* stream, const device::PoolGrad& args, void* workspace) {
  const bool fused = args.epilogue.raw >= 0;
  const PoolParams p{window_of(args.shape),
                     static_cast<int>(args.shape.out_h()),
                     static_cast<int>(args.shape.out_w()),
                     input_size(args.shape),
                     args.count_padding ? 1 : 0,
                     args.dy,
                     fused ? static_cast<float*>(workspace) : args.dx,
                     args.taps};
  if (p.size == 0) return device::Result::ok;
  const std::uint32_t blocks = blocks_for(p.size, kThreads);
  const device::Result result = args.max ? LAUNCH(max_pool_grad_kernel, blocks, kThreads, 0, stream, p)
                                         : LAUNCH(average_pool_grad_kernel, blocks, kThreads, 0, stream, p);
  return result == device::Result::ok && fused ? run_epilogue(stream, args.epilogue, p.out) : result;
}

}  // namespace

void fill_pool(device::Launchers& launch) {
  launch.pool = {refuses<device::Pool>, pool_workspace, pool_run};
  launch.pool_grad = {refuses<device::PoolGrad>, pool_grad_workspace, pool_grad_run};
}

}  // namespace athanor::cuda
