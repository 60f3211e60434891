// What looks at values before they are used, and what chooses among them: exact_i32, checked_i32, top_mask, nearest_entry.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/elementwise/elementwise_value.cuh"
#include "cuda/kernels/status.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;

ATHANOR_KERNEL(kThreads) exact_i32_kernel(ATHANOR_PARAM(device::ExactI32) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.n) return;
  const double value = load_element<double>(p.x, p.dtype, i);
  const bool whole = value >= -2147483648.0 && value <= 2147483647.0 && ::floor(value) == value;
  if (!whole)
    report_bad(p.check, device::StatusCode::not_whole, i, __builtin_bit_cast(std::uint32_t, static_cast<float>(value)));
  p.y[i] = whole ? static_cast<std::int32_t>(value) : 0;
}

ATHANOR_KERNEL(kThreads) checked_i32_kernel(ATHANOR_PARAM(device::CheckedI32) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.n) return;
  const std::int32_t value = p.x[i];
  if (p.nonzero ? value == 0 : value < 0)
    report_bad(p.check, device::StatusCode::rule, i, static_cast<std::uint32_t>(value));
  p.y[i] = value;
}

// Floats as whole numbers of the same order, -0 as 0.
ATHANOR_DEVICE std::uint32_t ordered(float x) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x == 0 ? 0.0f : x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// A block a row: the k-th largest value by its bits, eight at a time (radix selection), then a mask; of equal values the first stay.
ATHANOR_KERNEL(kThreads) top_mask_kernel(ATHANOR_PARAM(device::TopMask) p) {
  SHARED(std::uint32_t, counts, [256]);
  SHARED(std::uint32_t, found, [2]);  // digit, and how many of the wanted lie below it
  SHARED(std::uint32_t, before, [kThreads / kWarpSize]);
  const float* x = p.x + static_cast<Index>(blockIdx.x) * p.width;
  std::uint8_t* y = p.y + static_cast<Index>(blockIdx.x) * p.width;
  const std::int32_t k = *p.k;
  if (k < 0 || k > p.width) {
    if (threadIdx.x == 0 && blockIdx.x == 0)
      report_bad(p.check, device::StatusCode::kept, 0, static_cast<std::uint32_t>(k));
    for (Index c = threadIdx.x; c < p.width; c += kThreads) y[c] = 0;
    return;
  }
  for (Index c = threadIdx.x; c < p.width; c += kThreads)
    if (x[c] != x[c])
      report_bad(p.check, device::StatusCode::unranked, static_cast<Index>(blockIdx.x) * p.width + c, 0);
  // Larger digits come first: `left` of the values that share `prefix` are still wanted.
  std::uint32_t prefix = 0, mask = 0, left = static_cast<std::uint32_t>(k);
  for (int shift = 24; shift >= 0 && k > 0; shift -= 8) {
    __syncthreads();
    for (int d = static_cast<int>(threadIdx.x); d < 256; d += kThreads) counts[d] = 0;
    __syncthreads();
    for (Index c = threadIdx.x; c < p.width; c += kThreads) {
      const std::uint32_t key = ordered(x[c]);
      if ((key & mask) == prefix) atomicAdd(&counts[key >> shift & 255u], 1u);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      std::uint32_t digit = 255, above = 0;
      while (above + counts[digit] < left) above += counts[digit--];
      found[0] = digit;
      found[1] = above;
    }
    __syncthreads();
    prefix |= found[0] << shift;
    mask |= 255u << shift;
    left -= found[1];
  }
  // Values above the k-th stay, and the first `left` equal ones.
  std::uint32_t taken = 0;
  for (Index begin = 0; begin < p.width; begin += kThreads) {
    const Index c = begin + threadIdx.x;
    const std::uint32_t key = c < p.width ? ordered(x[c]) : 0;
    const bool equal = c < p.width && k > 0 && key == prefix;
    const std::uint32_t votes = __ballot_sync(~0u, equal);
    const std::uint32_t lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
    __syncthreads();
    if (lane == 0) before[warp] = static_cast<std::uint32_t>(__popc(votes));
    __syncthreads();
    std::uint32_t rank = taken + static_cast<std::uint32_t>(__popc(votes & ((1u << lane) - 1u)));
    for (std::uint32_t w = 0; w < kThreads / kWarpSize; ++w) {
      if (w < warp) rank += before[w];
      taken += before[w];
    }
    if (c < p.width) y[c] = k > 0 && (key > prefix || (equal && rank < left)) ? 1 : 0;
  }
}

ATHANOR_KERNEL(kThreads) ascending_kernel(ATHANOR_PARAM(device::NearestEntry) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x + 1;
  if (i < p.entries && !(p.table[i - 1] <= p.table[i]))
    report_bad(p.check, device::StatusCode::descending, i, __builtin_bit_cast(std::uint32_t, p.table[i]));
}

// As ops/quant/codebook.cc: a tie goes to the even entry, distances are compared in f64.
ATHANOR_KERNEL(kThreads) nearest_entry_kernel(ATHANOR_PARAM(device::NearestEntry) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.n) return;
  const float x = p.x[i];
  Index low = 0, high = p.entries;
  while (low < high) {
    const Index middle = (low + high) / 2;
    if (p.table[middle] > x)
      high = middle;
    else
      low = middle + 1;
  }
  Index nearest;
  if (low == 0 || x != x) {
    nearest = 0;
  } else if (low == p.entries) {
    nearest = p.entries - 1;
  } else {
    const double below = static_cast<double>(x) - static_cast<double>(p.table[low - 1]);
    const double above = static_cast<double>(p.table[low]) - static_cast<double>(x);
    nearest = below == above ? (low % 2 == 0 ? low : low - 1) : below < above ? low - 1 : low;
  }
  p.y[i] = static_cast<std::int32_t>(nearest);
}

device::Result exact_i32_run(device::Stream* stream, const device::ExactI32& args, void*) {
  if (args.n == 0) return device::Result::ok;
  return LAUNCH(exact_i32_kernel, blocks_for(args.n, kThreads), kThreads, 0, stream, args);
}
device::Result checked_i32_run(device::Stream* stream, const device::CheckedI32& args, void*) {
  if (args.n == 0) return device::Result::ok;
  return LAUNCH(checked_i32_kernel, blocks_for(args.n, kThreads), kThreads, 0, stream, args);
}
device::Result top_mask_run(device::Stream* stream, const device::TopMask& args, void*) {
  if (args.rows == 0) return device::Result::ok;
  return LAUNCH(top_mask_kernel, static_cast<std::uint32_t>(args.rows), kThreads, 0, stream, args);
}
device::Result nearest_entry_run(device::Stream* stream, const device::NearestEntry& args, void*) {
  const device::Result result = LAUNCH(ascending_kernel, blocks_for(args.entries, kThreads), kThreads, 0, stream, args);
  if (args.n == 0 || result != device::Result::ok) return result;
  return LAUNCH(nearest_entry_kernel, blocks_for(args.n, kThreads), kThreads, 0, stream, args);
}

}  // namespace

void fill_selection(device::Launchers& launch) {
  launch.exact_i32 = {never<device::ExactI32>, no_workspace<device::ExactI32>, exact_i32_run};
  launch.checked_i32 = {never<device::CheckedI32>, no_workspace<device::CheckedI32>, checked_i32_run};
  launch.top_mask = {never<device::TopMask>, no_workspace<device::TopMask>, top_mask_run};
  launch.nearest_entry = {never<device::NearestEntry>, no_workspace<device::NearestEntry>, nearest_entry_run};
}

}  // namespace athanor::cuda
