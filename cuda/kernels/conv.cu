// The three products of a convolution, exact f32: a block a 64 × 64 tile, each thread 4 × 4 of it in registers, one chain over k in order.
// Groups of few channels (depthwise) would leave such a tile empty: there a thread, or for dw a block, has one element.
// Where C has few tiles and K is long (dw), K is cut by the shape alone and the pieces are added in order.
#include <algorithm>

#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/conv.cuh"
#include "cuda/kernels/elementwise/elementwise.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr int kM = 64, kN = 64, kK = 16, kT = 4, kThreads = 256, kAcross = 16;
constexpr int kEach = kM * kK / kThreads;
constexpr int kThin = 8;  // channels of a group that still fill a tile

ATHANOR_DEVICE void deliver(const ConvParams& p, Index at, float sum) {
  if (p.partial != nullptr)
    p.partial[static_cast<Index>(blockIdx.y) * p.elements + at] = sum;
  else
    p.out[at] = p.accumulate ? p.out[at] + sum : sum;
}

template <class P>
ATHANOR_KERNEL(kThreads)
conv_kernel(ATHANOR_PARAM(ConvParams) p, Index tiles_n) {
  SHARED(float, a_tile, [kK][kM + 4]);
  SHARED(float, b_tile, [kK][kN + 4]);
  const int g = static_cast<int>(blockIdx.z), t = static_cast<int>(threadIdx.x);
  const Index m0 = blockIdx.x / tiles_n * kM, n0 = blockIdx.x % tiles_n * kN;
  const Index begin = blockIdx.y * p.piece, end = begin + p.piece < p.K ? begin + p.piece : p.K;
  // Of the elements that a thread fetches, either all have one row and four depths, or one depth and four rows.
  constexpr int kRowsA = P::kDeepA ? kEach : 1, kRowsB = P::kDeepB ? kEach : 1;
  typename P::A rows[kRowsA];
  typename P::B columns[kRowsB];
#pragma unroll
  for (int j = 0; j < kRowsA; ++j) rows[j] = P::row(p, g, m0 + (P::kDeepA ? (t + j * kThreads) / kK : t % kM));
#pragma unroll
  for (int j = 0; j < kRowsB; ++j) columns[j] = P::column(p, g, n0 + (P::kDeepB ? (t + j * kThreads) / kK : t % kN));
  float c[kT][kT];
#pragma unroll
  for (int i = 0; i < kT; ++i)
#pragma unroll
    for (int j = 0; j < kT; ++j) c[i][j] = 0;
  const int row = t / kAcross, col = t % kAcross;
  for (Index k0 = begin; k0 < end; k0 += kK) {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int e = t + j * kThreads, a_k = P::kDeepA ? e % kK : e / kM, b_k = P::kDeepB ? e % kK : e / kN;
      const int a_m = P::kDeepA ? e / kK : e % kM, b_n = P::kDeepB ? e / kK : e % kN;
      a_tile[a_k][a_m] = P::a(p, g, rows[P::kDeepA ? j : 0], P::depth(p, k0 + a_k, end), k0 + a_k);
      b_tile[b_k][b_n] = P::b(p, g, columns[P::kDeepB ? j : 0], P::depth(p, k0 + b_k, end), k0 + b_k);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kK; ++k) {
      float x[kT], y[kT];
#pragma unroll
      for (int i = 0; i < kT; ++i) x[i] = a_tile[k][row + i * kAcross], y[i] = b_tile[k][col + i * kAcross];
#pragma unroll
      for (int i = 0; i < kT; ++i)
#pragma unroll
        for (int j = 0; j < kT; ++j) c[i][j] = fmaf(x[i], y[j], c[i][j]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kT; ++i) {
#pragma unroll
    for (int j = 0; j < kT; ++j) {
      const Index m = m0 + row + i * kAcross, n = n0 + col + j * kAcross;
      if (m < p.M && n < p.N) deliver(p, P::place(p, g, m, n), c[i][j]);
    }
  }
}

ATHANOR_KERNEL(kThreads) conv_join_kernel(ATHANOR_PARAM(ConvParams) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.elements) return;
  float sum = p.partial[i];
  for (int piece = 1; piece < p.pieces; ++piece) sum += p.partial[piece * p.elements + i];
  p.out[i] = p.accumulate ? p.out[i] + sum : sum;
}

// A thread an element: m runs along pixels, so that neighbours read side by side.
template <class P>
ATHANOR_KERNEL(kThreads)
conv_thin_kernel(ATHANOR_PARAM(ConvParams) p) {
  const Index m = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (m >= p.M) return;
  const int g = static_cast<int>(blockIdx.z);
  const typename P::A row = P::row(p, g, m);
  const typename P::B column = P::column(p, g, blockIdx.y);
  float sum = 0;
  for (Index k = 0; k < p.K; ++k) {
    const typename P::K depth = P::depth(p, k, p.K);
    sum = fmaf(P::a(p, g, row, depth, k), P::b(p, g, column, depth, k), sum);
  }
  const Index at = P::place(p, g, m, blockIdx.y);
  p.out[at] = p.accumulate ? p.out[at] + sum : sum;
}

// A block an element of dw.
ATHANOR_KERNEL(kThreads) conv_thin_weight_kernel(ATHANOR_PARAM(ConvParams) p) {
  SHARED(float, room, [kThreads / kWarpSize]);
  const Index e = blockIdx.x, m = e / p.N, n = e - m * p.N;
  const int g = static_cast<int>(blockIdx.z);
  const Tap tap = ConvWeight::column(p, g, n);
  float sum = 0;
  for (Index k = threadIdx.x; k < p.K; k += kThreads) {
    const Pixel at = ConvWeight::depth(p, k, p.K);
    sum = fmaf(ConvWeight::a(p, g, static_cast<int>(m), at, k), ConvWeight::b(p, g, tap, at, k), sum);
  }
  sum = block_reduce<kThreads>(sum, room, Add{});
  const Index at = ConvWeight::place(p, g, m, n);
  if (threadIdx.x == 0) p.out[at] = p.accumulate ? p.out[at] + sum : sum;
}

// db: a block a channel.
ATHANOR_KERNEL(kThreads) conv_bias_kernel(ATHANOR_PARAM(ConvParams) p, float* db) {
  SHARED(double, room, [kThreads / kWarpSize]);
  const Index c = blockIdx.x, pixels = static_cast<Index>(p.oh) * p.ow;
  double sum = 0;
  for (Index k = threadIdx.x; k < p.n * pixels; k += kThreads) {
    const Index n = k / pixels;
    sum += static_cast<double>(p.dy[(n * p.c_out + c) * pixels + (k - n * pixels)]);
  }
  sum = block_reduce<kThreads>(sum, room, Add{});
  if (threadIdx.x == 0) db[c] = p.accumulate ? db[c] + static_cast<float>(sum) : static_cast<float>(sum);
}

ConvParams params_of(const ConvShape& s) {
  const auto i = [](Index x) { return static_cast<int>(x); };
  ConvParams p{};
  p.n = i(s.n), p.c_in = i(s.c_in), p.h = i(s.h), p.w = i(s.w), p.c_out = i(s.c_out), p.kh = i(s.kh), p.kw = i(s.kw);
  p.stride_h = i(s.stride_h), p.stride_w = i(s.stride_w), p.pad_top = i(s.pad_top), p.pad_left = i(s.pad_left);
  p.dilation_h = i(s.dilation_h), p.dilation_w = i(s.dilation_w), p.groups = i(s.groups);
  p.oh = i(s.out_h()), p.ow = i(s.out_w()), p.group_in = i(s.c_in / s.groups), p.group_out = i(s.c_out / s.groups);
  p.pieces = 1;
  return p;
}

const char* refuse_shape(const ConvShape& s) {
  constexpr Index kMost = 0x7fffffff;
  if (s.n * s.h * s.w > kMost || s.n * s.out_h() * s.out_w() > kMost || s.c_in / s.groups * s.kh * s.kw > kMost ||
      s.c_out / s.groups * s.kh * s.kw > kMost)
    return "more than 2^31 pixels or taps";
  return s.groups > 65535 ? "more than 65,535 groups" : nullptr;
}

template <class P>
device::Result run_tiles(device::Stream* stream, const ConvParams& p) {
  const Index tiles_m = (p.M + kM - 1) / kM, tiles_n = (p.N + kN - 1) / kN;
  const Dim3 grid(static_cast<std::uint32_t>(tiles_m * tiles_n), static_cast<std::uint32_t>(p.pieces),
                  static_cast<std::uint32_t>(p.groups));
  const device::Result result = LAUNCH((conv_kernel<P>), grid, kThreads, 0, stream, p, tiles_n);
  if (result != device::Result::ok || p.pieces == 1) return result;
  return LAUNCH(conv_join_kernel, blocks_for(p.elements, kThreads), kThreads, 0, stream, p);
}

// y or dx.
template <class P>
device::Result run_pixels(device::Stream* stream, const ConvParams& p, const device::Epilogue& epilogue, float* raw) {
  if (p.elements == 0) return device::Result::ok;
  device::Result result;
  if (p.groups > 1 && p.N < kThin)
    result =
        LAUNCH((conv_thin_kernel<P>),
               Dim3(blocks_for(p.M, kThreads), static_cast<std::uint32_t>(p.N), static_cast<std::uint32_t>(p.groups)),
               kThreads, 0, stream, p);
  else
    result = run_tiles<P>(stream, p);
  return result == device::Result::ok && epilogue.raw >= 0 ? run_epilogue(stream, epilogue, raw) : result;
}

template <class Args>
const char* refuses(const Args& args) {
  if (const char* why = refuse_shape(args.args.shape)) return why;
  return args.epilogue.raw >= 0 ? refuse_program(args.epilogue.args) : nullptr;
}

Index output_size(const ConvShape& s) { return s.n * s.c_out * s.out_h() * s.out_w(); }
Index input_size(const ConvShape& s) { return s.n * s.c_in * s.h * s.w; }

Index conv_workspace(const device::Conv& args) { return args.epilogue.raw >= 0 ? output_size(args.args.shape) * 4 : 0; }
Index input_workspace(const device::ConvGradInput& args) {
  return args.epilogue.raw >= 0 ? input_size(args.args.shape) * 4 : 0;
}

device::Result conv_run(device::Stream* stream, const device::Conv& args, void* workspace) {
  ConvParams p = params_of(args.args.shape);
  p.x = args.args.x, p.weights = args.args.w;
  p.out = args.epilogue.raw >= 0 ? static_cast<float*>(workspace) : args.args.y;
  p.M = static_cast<Index>(p.n) * p.oh * p.ow, p.N = p.group_out, p.K = static_cast<Index>(p.group_in) * p.kh * p.kw;
  p.piece = std::max<Index>(1, p.K), p.elements = output_size(args.args.shape);
  return run_pixels<ConvForward>(stream, p, args.epilogue, p.out);
}

device::Result input_run(device::Stream* stream, const device::ConvGradInput& args, void* workspace) {
  ConvParams p = params_of(args.args.shape);
  p.dy = args.args.dy, p.weights = args.args.w;
  p.out = args.epilogue.raw >= 0 ? static_cast<float*>(workspace) : args.args.dx;
  p.M = static_cast<Index>(p.n) * p.h * p.w, p.N = p.group_in, p.K = static_cast<Index>(p.group_out) * p.kh * p.kw;
  p.piece = std::max<Index>(1, p.K), p.elements = input_size(args.args.shape);
  return run_pixels<ConvInput>(stream, p, args.epilogue, p.out);
}

ConvParams weight_params(const ConvBackwardWeightsArgs& args) {
  ConvParams p = params_of(args.shape);
  p.x = args.x, p.dy = args.dy, p.out = args.dw, p.accumulate = args.accumulate ? 1 : 0;
  p.M = p.group_out, p.N = static_cast<Index>(p.group_in) * p.kh * p.kw, p.K = static_cast<Index>(p.n) * p.oh * p.ow;
  p.elements = static_cast<Index>(p.c_out) * p.N;
  const Index tiles = (p.M + kM - 1) / kM * ((p.N + kN - 1) / kN) * p.groups;
  const Index wanted = tiles == 0 ? 1 : std::max<Index>(1, 264 / tiles);
  const Index pieces = std::clamp<Index>(p.K / 512, 1, wanted);
  p.piece = std::max<Index>(1, (p.K + pieces - 1) / pieces + kK - 1) / kK * kK;
  p.piece = std::max<Index>(kK, p.piece);
  p.pieces = static_cast<int>(std::max<Index>(1, (p.K + p.piece - 1) / p.piece));
  return p;
}

bool is_thin(const ConvParams& p) { return p.groups > 1 && p.group_out < kThin; }

const char* weight_refuses(const device::ConvGradWeight& args) { return refuse_shape(args.args.shape); }

Index weight_workspace(const device::ConvGradWeight& args) {
  const ConvParams p = weight_params(args.args);
  return is_thin(p) || p.pieces == 1 ? 0 : p.pieces * p.elements * 4;
}

device::Result weight_run(device::Stream* stream, const device::ConvGradWeight& args, void* workspace) {
  ConvParams p = weight_params(args.args);
  device::Result result = device::Result::ok;
  if (args.args.db != nullptr && p.c_out > 0)
    result = LAUNCH(conv_bias_kernel, static_cast<std::uint32_t>(p.c_out), kThreads, 0, stream, p, args.args.db);
  if (result != device::Result::ok || p.elements == 0) return result;
  if (is_thin(p))
    return LAUNCH(conv_thin_weight_kernel,
                  Dim3(static_cast<std::uint32_t>(p.M * p.N), 1, static_cast<std::uint32_t>(p.groups)), kThreads, 0,
                  stream, p);
  if (p.pieces > 1) p.partial = static_cast<float*>(workspace);
  return run_tiles<ConvWeight>(stream, p);
}

}  // namespace

void fill_conv(device::Launchers& launch) {
  launch.conv = {refuses<device::Conv>, conv_workspace, conv_run};
  launch.conv_grad_input = {refuses<device::ConvGradInput>, input_workspace, input_run};
  launch.conv_grad_weight = {weight_refuses, weight_workspace, weight_run};
}

}  // namespace athanor::cuda
