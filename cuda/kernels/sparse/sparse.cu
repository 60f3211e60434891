// Sparse weights: to a dense matrix and back, and products of a few rows straight from the bitmap and its values. A warp has a column of
// the result; a word of 32 marks at a time, a lane a mark: a popcount finds the lane's value, x is read side by side. What is read of
// the weight is its marks and its values, which is what few rows wait for; what is multiplied is dense.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/elementwise/elementwise_machine.cuh"
#include "cuda/kernels/sparse/bitmap.cuh"
#include "cuda/plugin/families.h"
#include "device/sparse_launch.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 128;

ATHANOR_KERNEL(kThreads)
sparse_expand_kernel(ATHANOR_PARAM(Bitmap) b, const float* values, Index nnz, float* to) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= b.rows * b.columns) return;
  const Index row = i / b.columns, rank = b.rank(row, i - row * b.columns);
  to[i] = rank >= 0 && rank < nnz ? values[rank] : 0.0f;
}

ATHANOR_KERNEL(kThreads)
sparse_collect_kernel(ATHANOR_PARAM(Bitmap) b, const float* from, Index nnz, float* values) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= b.rows * b.columns) return;
  const Index row = i / b.columns, rank = b.rank(row, i - row * b.columns);
  if (rank >= 0 && rank < nnz) values[rank] = from[i];
}

struct RowsParams {
  Index M, nnz;
  const float *values, *x;
  float* y;
  int fused;
};

template <int kRows>
ATHANOR_KERNEL(kThreads)
sparse_rows_kernel(ATHANOR_PARAM(Bitmap) b, ATHANOR_PARAM(RowsParams) p, ATHANOR_PARAM(EwProgramParams) e) {
  SHARED(float, registers, [kEwMaxRegisters * kThreads]);
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const Index n = static_cast<Index>(blockIdx.x) * (kThreads / kWarpSize) + threadIdx.x / kWarpSize;
  if (n >= b.rows) return;
  const Index words = b.words();
  const std::uint32_t below = (1u << lane) - 1u;
  Index first_value = b.starts[n];
  float total[kRows];
#pragma unroll
  for (int m = 0; m < kRows; ++m) total[m] = 0;
  for (Index first = 0; first < words; first += kWarpSize) {
    const Index own = first + lane;
    const std::uint32_t own_marks = own < words ? b.word(n, own) : 0;  // a lane's word of the next 1,024 columns
    const int count = words - first < kWarpSize ? static_cast<int>(words - first) : kWarpSize;
    for (int w = 0; w < count; ++w) {
      const std::uint32_t marks = __shfl_sync(~0u, own_marks, w);
      const Index rank = first_value + __popc(marks & below);
      first_value += __popc(marks);
      if ((marks >> lane & 1u) == 0 || rank >= p.nnz) continue;
      const float value = p.values[rank];
      const float* x = p.x + (first + w) * 32 + lane;
#pragma unroll
      for (int m = 0; m < kRows; ++m)
        if (m < p.M) total[m] = fmaf(x[m * b.columns], value, total[m]);
    }
  }
  float own = 0;
#pragma unroll
  for (int m = 0; m < kRows; ++m) {
    const float sum = warp_reduce(total[m], Add{});
    if (lane == m) own = sum;
  }
  if (lane >= p.M) return;
  const Index linear = lane * b.rows + n;
  if (p.fused != 0)
    finish_element<kThreads>(e, registers, linear, own);
  else
    p.y[linear] = own;
}

template <int kRows>
device::Result run_rows(device::Stream* stream, const Bitmap& b, const RowsParams& p, const EwProgramParams& e) {
  return LAUNCH((sparse_rows_kernel<kRows>), blocks_for(b.rows, kThreads / kWarpSize), kThreads, 0, stream, b, p, e);
}

// Numbers of values are of 32 bits.
template <class Args>
const char* refuses(const Args& args) {
  return args.w.N * args.w.K > 0xffffffff ? "a sparse weight of 2^32 elements or more" : nullptr;
}

const char* rows_refuses(const device::SparseRows& args) {
  if (args.M > device::kSparseRows) return "a sparse product of more than 16 rows";
  if (const char* why = refuses(args)) return why;
  return args.epilogue.raw >= 0 ? refuse_program(args.epilogue.args) : nullptr;
}

device::Result rank_run(device::Stream* stream, const device::SparseRank& args, void*) {
  Bitmap b{args.w.N, args.w.K, args.w.bitmap};
  return rank_bitmap(stream, b, args.to, args.w.nnz, args.check);
}

device::Result expand_run(device::Stream* stream, const device::SparseExpand& args, void*) {
  const Index count = args.w.N * args.w.K;
  if (count == 0) return device::Result::ok;
  return LAUNCH(sparse_expand_kernel, blocks_for(count, kThreads), kThreads, 0, stream,
                ranked_bitmap(args.w, args.ranks), args.w.values, args.w.nnz, args.to);
}

device::Result collect_run(device::Stream* stream, const device::SparseCollect& args, void*) {
  const Index count = args.w.N * args.w.K;
  if (count == 0) return device::Result::ok;
  return LAUNCH(sparse_collect_kernel, blocks_for(count, kThreads), kThreads, 0, stream,
                ranked_bitmap(args.w, args.ranks), args.from, args.w.nnz, args.values);
}

device::Result rows_run(device::Stream* stream, const device::SparseRows& args, void*) {
  if (args.M == 0 || args.w.N == 0) return device::Result::ok;
  const Bitmap b = ranked_bitmap(args.w, args.ranks);
  const RowsParams p{args.M, args.w.nnz, args.w.values, args.x, args.y, args.epilogue.raw >= 0 ? 1 : 0};
  const EwProgramParams e = args.epilogue.raw >= 0
                                ? make_program(args.epilogue.args, args.epilogue.raw, args.epilogue.run)
                                : EwProgramParams{};
  if (args.M == 1) return run_rows<1>(stream, b, p, e);
  return args.M <= 4 ? run_rows<4>(stream, b, p, e) : run_rows<16>(stream, b, p, e);
}

}  // namespace

void fill_sparse(device::Launchers& launch) {
  launch.sparse_rank = {refuses<device::SparseRank>, no_workspace<device::SparseRank>, rank_run};
  launch.sparse_expand = {refuses<device::SparseExpand>, no_workspace<device::SparseExpand>, expand_run};
  launch.sparse_collect = {refuses<device::SparseCollect>, no_workspace<device::SparseCollect>, collect_run};
  launch.sparse_rows = {rows_refuses, no_workspace<device::SparseRows>, rows_run};
}

}  // namespace athanor::cuda
