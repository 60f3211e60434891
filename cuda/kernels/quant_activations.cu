// Activations for products with quantized weights: rows of x as integers of one step (kernels/quant/quant.h has the rules), images as
// the rows of their windows, rows of x in three planes of bf16. Static integers, which range over [-zp, 255 - zp], are kept as s8 with
// zp - 128 added. What pads a group is 0. Sums of every group of a row go beside them.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/planes.cuh"
#include "cuda/kernels/quant.cuh"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kLanesOfStep = 8;  // that write the 32 k of a step, a word each

struct Step {
  float step, low, high;
  int shift;  // added to the integers
  bool ok;
};

// Of the largest magnitude of a row, NaN where it has one.
ATHANOR_DEVICE Step step_of(float most, const float* act) {
  const bool is_number = most == most;
  if (act != nullptr) {
    const float zero = act[1];
    return {is_number ? act[0] : quiet_nan(), -zero, 255.0f - zero, static_cast<int>(zero) - 128, is_number};
  }
  const float step = most / 127.0f;
  if (!(step < infinity())) return {quiet_nan(), -127.0f, 127.0f, 0, false};
  return {step > 0 ? step : 1.0f, -127.0f, 127.0f, 0, true};
}

ATHANOR_DEVICE int integer_of(const Step& s, float x) {
  if (!s.ok) return 0;
  const float value = rintf(x / s.step);
  return static_cast<int>(value > s.high ? s.high : value < s.low ? s.low : value) + s.shift;
}

template <class X>
ATHANOR_DEVICE float largest_magnitude(X x, Index count, float* room) {
  float most = 0;
  for (Index i = threadIdx.x; i < count; i += kThreads) {
    const float value = x(i);
    most = MaxNan{}(most, value < 0 ? -value : value);
  }
  return block_reduce<kThreads>(most, room, MaxNan{});
}

// A padded place of a row: its group, and its k, below 0 where it pads.
struct Place {
  Index group, k;
};
template <class P>
ATHANOR_DEVICE Place place_of(const P& p, Index at) {
  const Index g = at / p.padded_group, within = at - g * p.padded_group, k = g * p.group + within;
  return {g, g < p.groups && within < p.group && k < p.K ? k : Index{-1}};
}

// One row: value(k) are its integers. sums: shared memory for `groups`, zero.
template <class P, class Value>
ATHANOR_DEVICE void write_row(const P& p, Index row, std::int32_t* sums, Value value) {
  const Index words = p.padded_k / 4;  // a multiple of 16: all lanes of a step are in or out
  for (Index first = 0; first < words; first += kThreads) {
    const Index word = first + threadIdx.x;
    std::uint32_t packed = 0;
    std::int32_t sum = 0;
    if (word < words) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const Place at = place_of(p, word * 4 + i);
        const int integer = at.k >= 0 ? value(at.k) : 0;
        sum += integer;
        packed |= (static_cast<std::uint32_t>(integer) & 0xffu) << (8 * i);
      }
      reinterpret_cast<std::uint32_t*>(p.to + row * p.padded_k)[word] = packed;
    }
#pragma unroll
    for (int bit = 1; bit < kLanesOfStep; bit <<= 1) sum += __shfl_xor_sync(~0u, sum, bit);
    const Index g = word * 4 / p.padded_group;
    if (threadIdx.x % kLanesOfStep == 0 && word < words && g < p.groups) atomicAdd(sums + g, sum);
  }
}

template <class P>
ATHANOR_DEVICE void clear_sums(const P& p, std::int32_t* sums) {
  for (Index g = threadIdx.x; g < p.groups; g += kThreads) sums[g] = 0;
  __syncthreads();
}
template <class P>
ATHANOR_DEVICE void store_sums(const P& p, Index row, const std::int32_t* sums) {
  __syncthreads();
  for (Index g = threadIdx.x; g < p.groups; g += kThreads) p.sums[row * p.groups + g] = sums[g];
}

ATHANOR_KERNEL(kThreads)
round_rows_kernel(ATHANOR_PARAM(QuantRows) p) {
  SHARED(float, room, [kThreads / kWarpSize]);
  DYNAMIC_SHARED(std::int32_t, sums);
  const Index row = blockIdx.x;
  const float* x = p.x + row * p.K;
  clear_sums(p, sums);
  const Step step = step_of(largest_magnitude([x](Index k) { return x[k]; }, p.K, room), p.act);
  if (threadIdx.x == 0) p.factors[row] = step.step * *p.unit;
  write_row(p, row, sums, [&step, x](Index k) { return integer_of(step, x[k]); });
  store_sums(p, row, sums);
}

ATHANOR_KERNEL(kThreads)
image_steps_kernel(ATHANOR_PARAM(QuantWindows) p) {
  SHARED(float, room, [kThreads / kWarpSize]);
  const Index image = blockIdx.x, size = p.shape.c_in * p.shape.h * p.shape.w;
  const float* x = p.x + image * size;
  const float most = largest_magnitude([x](Index i) { return x[i]; }, size, room);
  if (threadIdx.x != 0) return;
  p.steps[image] = most;
  p.factors[image] = step_of(most, p.act).step * *p.unit;
}

// A block an output pixel of one group of the convolution.
ATHANOR_KERNEL(kThreads)
round_windows_kernel(ATHANOR_PARAM(QuantWindows) p) {
  DYNAMIC_SHARED(std::int32_t, sums);
  const ConvShape& s = p.shape;
  const Index row = blockIdx.x, width = s.out_w(), pixels = s.out_h() * width, image = row / pixels;
  const Index pixel = row - image * pixels, oh = pixel / width, ow = pixel - oh * width, channels = s.c_in / s.groups;
  const Step step = step_of(p.steps[image], p.act);
  const float* x = p.x + (image * s.c_in + p.conv_group * channels) * s.h * s.w;
  clear_sums(p, sums);
  write_row(p, row, sums, [&](Index k) {
    const Index line = k / s.kw, kw = k - line * s.kw, channel = line / s.kh, kh = line - channel * s.kh;
    const Index h = oh * s.stride_h - s.pad_top + kh * s.dilation_h,
                w = ow * s.stride_w - s.pad_left + kw * s.dilation_w;
    const bool inside = h >= 0 && h < s.h && w >= 0 && w < s.w;
    return inside ? integer_of(step, x[(channel * s.h + h) * s.w + w]) : step.ok ? step.shift : 0;
  });
  store_sums(p, row, sums);
}

ATHANOR_KERNEL(kThreads)
split_rows_kernel(ATHANOR_PARAM(QuantRows) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x, row = i / p.padded_k,
              at = i - row * p.padded_k;
  if (row >= p.rows) return;
  const Place place = place_of(p, at);
  const float x = place.k >= 0 ? p.x[row * p.K + place.k] : 0.0f;
  const Planes planes = split_planes(x);
  auto* to = reinterpret_cast<std::uint16_t*>(p.to) + i;
  const Index plane = p.rows * p.padded_k;
#pragma unroll
  for (int which = 0; which < 3; ++which) to[which * plane] = planes.of[which];
}

}  // namespace

device::Result round_rows(device::Stream* stream, const QuantRows& p) {
  return LAUNCH(round_rows_kernel, static_cast<std::uint32_t>(p.rows), kThreads, static_cast<std::size_t>(p.groups) * 4,
                stream, p);
}
device::Result find_image_steps(device::Stream* stream, const QuantWindows& p) {
  return LAUNCH(image_steps_kernel, static_cast<std::uint32_t>(p.shape.n), kThreads, 0, stream, p);
}
device::Result round_windows(device::Stream* stream, const QuantWindows& p) {
  const Index rows = p.shape.n * p.shape.out_h() * p.shape.out_w();
  return LAUNCH(round_windows_kernel, static_cast<std::uint32_t>(rows), kThreads,
                static_cast<std::size_t>(p.groups) * 4, stream, p);
}
device::Result split_rows(device::Stream* stream, const QuantRows& p) {
  return LAUNCH(split_rows_kernel, blocks_for(p.rows * p.padded_k, kThreads), kThreads, 0, stream, p);
}

}  // namespace athanor::cuda
