// Update rules of several passes over whole tensors (update_rules/passes.h), with no look from the host:
//   begin      a thread a tensor: its scalars, of its group
//   squares    a block a row: the sum of squares of the gradient, where a rule keeps means of rows and columns
//   pass       a block a chunk: what traffic() names, and the sums of the chunk in f64
//   settle     a block a tensor: its sums, the means of its rows, the scalars of the next pass
//   columns    the means of its columns
//   together   one block: what the sums of all tensors come to
// A tensor whose sums or update are not finite takes no further pass; the first of them is reported.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/optim/passes.cuh"

namespace athanor::cuda {
namespace {

using device::OptimChunk;
using device::OptimTensor;

constexpr int kThreads = kOptimThreads, kColumnBlocks = 32;

ATHANOR_DEVICE bool is_finite(double x) { return x - x == 0; }

template <class Rule>
ATHANOR_KERNEL(kThreads)
optim_begin_kernel(ATHANOR_PARAM(OptimParams) p, ATHANOR_PARAM(Passes) w) {
  if (p.decision->skip != 0) return;
  const int t = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (t >= p.step.tensor_count) return;
  const OptimTensor& tensor = p.step.tensors[t];
  const OptimGroup& group = p.groups[tensor.group];
  TensorRun& run = w.tensors[t];
  for (int k = 0; k < optim::kMaxScalars; ++k) run.scalars[k] = group.scalars[k];
  for (int k = 0; k < optim::kMaxSums; ++k) run.sums[k] = 0;
  run.variant = group.variant[tensor.is_matrix];
  run.broken = 0;
  if constexpr (Shaped<Rule>::kNumbers >= 0)
    Rule::begin(static_cast<float*>(tensor.state[Shaped<Rule>::kNumbers]), run.scalars);
}

// The tensor that row `row` of all matrices lies in: the last that begins there or before.
ATHANOR_DEVICE int tensor_of_row(const device::OptimStep& step, Index row) {
  int low = 0, high = step.tensor_count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (step.tensors[middle].first_row <= row)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

ATHANOR_KERNEL(kThreads) optim_squares_kernel(ATHANOR_PARAM(OptimParams) p, ATHANOR_PARAM(Passes) w) {
  SHARED(double, room, [kThreads / kWarpSize]);
  if (p.decision->skip != 0) return;
  const Index row = blockIdx.x;
  const OptimTensor& tensor = p.step.tensors[tensor_of_row(p.step, row)];
  const float multiplier = p.decision->multiplier * p.groups[tensor.group].sign;
  const Index first = (row - tensor.first_row) * tensor.columns;
  double sum = 0;
  for (Index c = threadIdx.x; c < tensor.columns; c += kThreads) {
    const float g = gradient(tensor, first + c, multiplier, static_cast<float>(p.step.clip_value));
    sum += static_cast<double>(g) * static_cast<double>(g);
  }
  sum = block_reduce<kThreads>(sum, room, Add{});
  if (threadIdx.x == 0) w.squares[row] = sum;
}

template <class Rule, int kPass>
ATHANOR_KERNEL(kThreads)
optim_pass_kernel(ATHANOR_PARAM(OptimParams) p, ATHANOR_PARAM(Passes) w) {
  SHARED(double, room, [kThreads / kWarpSize]);
  if (p.decision->skip != 0) return;
  const OptimChunk chunk = p.step.chunks[blockIdx.x];
  const OptimTensor& tensor = p.step.tensors[chunk.tensor];
  double sums[optim::kMaxSums] = {};
  if (kPass == 0 || w.tensors[chunk.tensor].broken < 2) {
    static_assert(Rule::kVariants <= 3);
    switch (w.tensors[chunk.tensor].variant) {
      case 0: pass_chunk<Rule, 0, kPass>(p, w, chunk, tensor, sums); break;
      case 1: pass_chunk<Rule, 1, kPass>(p, w, chunk, tensor, sums); break;
      default: pass_chunk<Rule, 2, kPass>(p, w, chunk, tensor, sums);
    }
  }
#pragma unroll
  for (int k = 0; k < optim::kMaxSums; ++k) {
    const double sum = block_reduce<kThreads>(sums[k], room, Add{});
    if (threadIdx.x == 0) w.sums[blockIdx.x * optim::kMaxSums + k] = sum;
    __syncthreads();
  }
}

// Moves the decayed means of a tensor's rows and makes their factors; false, and nothing moved, where a sum is not finite.
template <class Rule>
ATHANOR_DEVICE bool settle_rows(const Passes& w, const OptimTensor& t, const float* scalars, double* room) {
  const optim::Factors how = Rule::factors(scalars);
  const double* squares = w.squares + t.first_row;
  const auto sum_of = [&](Index first, Index count, auto value) {
    double sum = 0;
    for (Index r = threadIdx.x; r < count; r += kThreads) sum += value(first + r);
    const double all = block_reduce<kThreads>(sum, room, Add{});
    __syncthreads();
    return all;
  };
  const double all = sum_of(0, t.batch * t.rows, [&](Index r) { return squares[r]; });
  if (!(all <= 3.4028234663852886e38)) return false;
  auto* means = static_cast<float*>(t.state[Shaped<Rule>::kRows]);
  for (Index m = 0; m < t.batch; ++m) {
    double mean = sum_of(m * t.rows, t.rows, [&](Index r) {
      const double was = static_cast<double>(means[r]);
      means[r] = static_cast<float>(was + static_cast<double>(how.weight) *
                                              (squares[r] / static_cast<double>(t.columns) - was));
      return static_cast<double>(means[r]);
    });
    mean /= static_cast<double>(t.rows);
    const double least = static_cast<double>(how.least);
    mean = mean > least ? mean : least;
    for (Index r = m * t.rows + threadIdx.x; r < (m + 1) * t.rows; r += kThreads)
      w.factors[t.first_row + r] = static_cast<float>(static_cast<double>(means[r]) / mean);
  }
  return true;
}

ATHANOR_DEVICE int first_chunk(const device::OptimStep& step, int tensor) {
  int low = 0, high = step.chunk_count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (step.chunks[middle].tensor < tensor)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

template <class Rule, int kPass>
ATHANOR_KERNEL(kThreads)
optim_settle_kernel(ATHANOR_PARAM(OptimParams) p, ATHANOR_PARAM(Passes) w) {
  SHARED(double, room, [kThreads / kWarpSize]);
  if (p.decision->skip != 0) return;
  const int t = static_cast<int>(blockIdx.x);
  TensorRun& run = w.tensors[t];
  const OptimTensor& tensor = p.step.tensors[t];
  const optim::Traffic traffic = Rule::traffic(run.variant, kPass);
  if (tensor.n == 0 || !traffic.any() || run.broken >= 2) return;
  const int begin = first_chunk(p.step, t), end = first_chunk(p.step, t + 1);
  bool good = run.broken == 0;
  for (int k = 0; k < optim::kMaxSums; ++k) {
    double sum = 0;
    for (int c = begin + static_cast<int>(threadIdx.x); c < end; c += kThreads) sum += w.sums[c * optim::kMaxSums + k];
    sum = block_reduce<kThreads>(sum, room, Add{});
    __syncthreads();
    if (threadIdx.x == 0) run.sums[k] = k < traffic.sums ? sum : 0;
    good = good && (k >= traffic.sums || is_finite(sum));
  }
  if constexpr (Shaped<Rule>::kRows >= 0)
    if (good && traffic.squares) good = settle_rows<Rule>(w, tensor, run.scalars, room);
  __syncthreads();
  if (threadIdx.x != 0) return;
  if (good)
    Rule::after(run.variant, kPass, tensor.n, run.sums, run.scalars);
  else
    run.broken = 2;
}

// A thread a column of a matrix, kColumnBlocks blocks a tensor.
template <class Rule>
ATHANOR_KERNEL(kThreads)
optim_columns_kernel(ATHANOR_PARAM(OptimParams) p, ATHANOR_PARAM(Passes) w) {
  if (p.decision->skip != 0) return;
  const int number = static_cast<int>(blockIdx.x) / kColumnBlocks;
  const OptimTensor& t = p.step.tensors[number];
  const TensorRun& run = w.tensors[number];
  if (t.n == 0 || run.broken != 0 || !Rule::traffic(run.variant, 0).squares) return;
  const float weight = Rule::factors(run.scalars).weight;
  const float multiplier = p.decision->multiplier * p.groups[t.group].sign;
  auto* means = static_cast<float*>(t.state[Shaped<Rule>::kColumns]);
  const Index count = t.batch * t.columns;
  for (Index i = static_cast<Index>(blockIdx.x % kColumnBlocks) * kThreads + threadIdx.x; i < count;
       i += kColumnBlocks * kThreads) {
    const Index matrix = i / t.columns, first = matrix * t.rows * t.columns + i - matrix * t.columns;
    float sum = 0;
    for (Index r = 0; r < t.rows; ++r) {
      const float g = gradient(t, first + r * t.columns, multiplier, static_cast<float>(p.step.clip_value));
      sum = fmaf(g, g, sum);
    }
    means[i] += weight * (sum / static_cast<float>(t.rows) - means[i]);
  }
}

// No tensor moves where one is broken.
template <class Rule>
ATHANOR_KERNEL(kThreads)
optim_together_kernel(ATHANOR_PARAM(OptimParams) p, ATHANOR_PARAM(Passes) w) {
  SHARED(double, sums, [optim::kMaxSums]);
  SHARED(double, room, [kThreads / kWarpSize]);
  if (p.decision->skip != 0) return;
  double broken = 0;
  for (int t = static_cast<int>(threadIdx.x); t < p.step.tensor_count; t += kThreads)
    broken += w.tensors[t].broken != 0 ? 1 : 0;
  broken = block_reduce<kThreads>(broken, room, Add{});
  for (int k = 0; k < optim::kMaxSums; ++k) {
    double sum = 0;
    for (int t = static_cast<int>(threadIdx.x); t < p.step.tensor_count; t += kThreads) sum += w.tensors[t].sums[k];
    __syncthreads();
    sum = block_reduce<kThreads>(sum, room, Add{});
    if (threadIdx.x == 0) sums[k] = sum;
  }
  __syncthreads();
  for (int t = static_cast<int>(threadIdx.x); t < p.step.tensor_count; t += kThreads) {
    TensorRun& run = w.tensors[t];
    if (broken == 0)
      Rule::together(sums, static_cast<float*>(p.step.tensors[t].state[Shaped<Rule>::kNumbers]), run.scalars);
    else if (run.broken == 0)
      run.broken = 3;
  }
}

ATHANOR_KERNEL(kThreads) optim_end_kernel(ATHANOR_PARAM(OptimParams) p, ATHANOR_PARAM(Passes) w) {
  if (p.decision->skip != 0) return;
  for (int t = static_cast<int>(threadIdx.x); t < p.step.tensor_count; t += kThreads)
    if (w.tensors[t].broken == 1 || w.tensors[t].broken == 2) report_nonfinite(p.step.report, t);
}

constexpr Index rounded(Index bytes) { return (bytes + 255) / 256 * 256; }

Index tensor_bytes(const device::OptimStep& s) {
  return rounded(static_cast<Index>(s.tensor_count) * static_cast<Index>(sizeof(TensorRun)));
}
Index sum_bytes(const device::OptimStep& s) {
  return rounded(static_cast<Index>(s.chunk_count) * optim::kMaxSums * static_cast<Index>(sizeof(double)));
}

template <class Rule, int kPass>
device::Result run_pass(device::Stream* stream, const OptimParams& p, const Passes& w) {
  const auto chunks = static_cast<std::uint32_t>(p.step.chunk_count),
             tensors = static_cast<std::uint32_t>(p.step.tensor_count);
  const bool has_rows = Shaped<Rule>::kRows >= 0 && kPass == 0 && p.step.rows > 0;
  device::Result result = device::Result::ok;
  if (has_rows)
    result = LAUNCH(optim_squares_kernel, static_cast<std::uint32_t>(p.step.rows), kThreads, 0, stream, p, w);
  if (result == device::Result::ok)
    result = LAUNCH((optim_pass_kernel<Rule, kPass>), chunks, kThreads, 0, stream, p, w);
  if (result == device::Result::ok)
    result = LAUNCH((optim_settle_kernel<Rule, kPass>), tensors, kThreads, 0, stream, p, w);
  if constexpr (Shaped<Rule>::kColumns >= 0)
    if (result == device::Result::ok && has_rows)
      result = LAUNCH((optim_columns_kernel<Rule>), tensors * kColumnBlocks, kThreads, 0, stream, p, w);
  if constexpr (Shaped<Rule>::kNumbers >= 0)
    if (result == device::Result::ok && kPass == 0)
      result = LAUNCH((optim_together_kernel<Rule>), 1, kThreads, 0, stream, p, w);
  return result;
}

template <class Rule>
constexpr bool has_pass(int pass) {
  for (int variant = 0; variant < Rule::kVariants; ++variant)
    if (Rule::traffic(variant, pass).any()) return true;
  return false;
}

template <class Rule>
device::Result run_rule(device::Stream* stream, const OptimParams& p, const Passes& w) {
  if (p.step.chunk_count == 0) return device::Result::ok;
  device::Result result =
      LAUNCH((optim_begin_kernel<Rule>), blocks_for(p.step.tensor_count, kThreads), kThreads, 0, stream, p, w);
  if (result == device::Result::ok) result = run_pass<Rule, 0>(stream, p, w);
  if (result == device::Result::ok) result = run_pass<Rule, 1>(stream, p, w);
  if constexpr (has_pass<Rule>(2))
    if (result == device::Result::ok) result = run_pass<Rule, 2>(stream, p, w);
  return result != device::Result::ok ? result : LAUNCH(optim_end_kernel, 1, kThreads, 0, stream, p, w);
}

}  // namespace

Index passes_workspace(const device::OptimStep& step) {
  return tensor_bytes(step) + sum_bytes(step) + rounded(step.rows * 8) + rounded(step.rows * 4);
}

device::Result run_passes(device::Stream* stream, const OptimParams& p) {
  Passes w;
  std::byte* at = p.passes;
  w.tensors = reinterpret_cast<TensorRun*>(at), at += tensor_bytes(p.step);
  w.sums = reinterpret_cast<double*>(at), at += sum_bytes(p.step);
  w.squares = reinterpret_cast<double*>(at), at += rounded(p.step.rows * 8);
  w.factors = reinterpret_cast<float*>(at);
  switch (p.step.rule) {
    case optim::RuleId::lamb: return run_rule<optim::Lamb>(stream, p, w);
    case optim::RuleId::lars: return run_rule<optim::Lars>(stream, p, w);
    case optim::RuleId::adafactor: return run_rule<optim::Adafactor>(stream, p, w);
    case optim::RuleId::prodigy: return run_rule<optim::Prodigy>(stream, p, w);
    default: return device::Result::unsupported;
  }
}

}  // namespace athanor::cuda
