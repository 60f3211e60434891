// Prefix sums of the marks of a bitmap: a warp a row, then one block over all rows.
#include "cuda/kernels/sparse/bitmap.cuh"

#include "cuda/kernels/block_reduce.cuh"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 128, kScanThreads = 256;

// The sum over the lanes below, of this one included.
ATHANOR_DEVICE std::uint32_t warp_prefix(std::uint32_t value) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
#pragma unroll
  for (int by = 1; by < kWarpSize; by <<= 1) {
    const std::uint32_t below = __shfl_up_sync(~0u, value, by);
    if (lane >= by) value += below;
  }
  return value;
}

ATHANOR_KERNEL(kThreads)
rank_rows_kernel(ATHANOR_PARAM(Bitmap) b, std::uint32_t* counts, std::uint32_t* within, int with_strays) {
  const Index row = static_cast<Index>(blockIdx.x) * (kThreads / kWarpSize) + threadIdx.x / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  if (row >= b.rows) return;
  const Index words = b.words();
  std::uint32_t total = 0;
  for (Index first = 0; first < words; first += kWarpSize) {
    const Index at = first + lane;
    const std::uint32_t marks = at >= words ? 0 : with_strays != 0 ? b.raw_word(row, at) : b.word(row, at);
    const auto count = static_cast<std::uint32_t>(__popc(marks));
    const std::uint32_t upto = warp_prefix(count);
    if (at < words) within[row * words + at] = total + upto - count;
    total += __shfl_sync(~0u, upto, kWarpSize - 1);
  }
  if (lane == 0) counts[row] = total;
}

// counts (rows) become starts (rows + 1) in place.
ATHANOR_KERNEL(kScanThreads)
scan_rows_kernel(ATHANOR_PARAM(Bitmap) b, std::uint32_t* starts, Index wanted, device::Check check) {
  const Index rows = b.rows;
  SHARED(std::uint32_t, warps, [kScanThreads / kWarpSize]);
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize, lane = static_cast<int>(threadIdx.x) % kWarpSize;
  std::uint32_t total = 0;
  for (Index first = 0; first < rows; first += kScanThreads) {
    const Index row = first + threadIdx.x;
    const std::uint32_t count = row < rows ? starts[row] : 0;
    const std::uint32_t upto = warp_prefix(count);
    __syncthreads();
    if (lane == kWarpSize - 1) warps[warp] = upto;
    __syncthreads();
    std::uint32_t before = 0, all = 0;
#pragma unroll
    for (int w = 0; w < kScanThreads / kWarpSize; ++w) {
      if (w < warp) before += warps[w];
      all += warps[w];
    }
    if (row < rows) starts[row] = total + before + upto - count;
    total += all;
  }
  if (threadIdx.x == 0) starts[rows] = total;
  if (wanted < 0) return;
  if (static_cast<Index>(total) != wanted) {
    if (threadIdx.x == 0) report_bad(check, device::StatusCode::marked, 0, total);
    return;
  }
  const Index last = b.words() - 1;
  for (Index row = threadIdx.x; last >= 0 && row < rows; row += kScanThreads)
    if (b.raw_word(row, last) != b.word(row, last)) report_bad(check, device::StatusCode::stray, row, 0);
}

Index rounded(Index bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

Index bitmap_bytes(Index rows, Index columns) {
  return rounded((rows + 1) * 4) + rounded(rows * ((columns + 31) / 32) * 4);
}

device::Result rank_bitmap(device::Stream* stream, Bitmap& bitmap, void* workspace, Index wanted,
                           const device::Check& check) {
  auto* starts = static_cast<std::uint32_t*>(workspace);
  auto* within = reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(workspace) + rounded((bitmap.rows + 1) * 4));
  bitmap.starts = starts, bitmap.within = within;
  device::Result result = device::Result::ok;
  if (bitmap.rows > 0)
    result = LAUNCH(rank_rows_kernel, blocks_for(bitmap.rows, kThreads / kWarpSize), kThreads, 0, stream, bitmap,
                    starts, within, wanted >= 0 ? 1 : 0);
  if (result != device::Result::ok) return result;
  return LAUNCH(scan_rows_kernel, 1, kScanThreads, 0, stream, bitmap, starts, wanted, check);
}

}  // namespace athanor::cuda
