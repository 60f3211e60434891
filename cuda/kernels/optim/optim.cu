// The optimizer's step over all tensors in at most three kernels, with no look from the host (native/device/optim_launch.h):
//   norm      a block a chunk: the sum of squares of its gradients, in f64
//   prepare   one block: norm, clip factor, whether the step is skipped, the counter, every group's scalars in f64, the report
//   update    a block a chunk: unscale, clip, decay, update and mask, each element read and written once
// The maths of a rule is native/update_rules/<id>.h over vectors of one lane: the CPU's formulas.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/kernels/optim/optim.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

using device::OptimChunk;
using device::OptimTensor;

constexpr int kThreads = kOptimThreads;
using Group = OptimGroup;

ATHANOR_KERNEL(kThreads) optim_norm_kernel(ATHANOR_PARAM(OptimParams) p) {
  SHARED(double, room, [kThreads / kWarpSize]);
  const OptimChunk chunk = p.step.chunks[blockIdx.x];
  const OptimTensor& tensor = p.step.tensors[chunk.tensor];
  const float* grad = tensor.grad + chunk.offset;
  const std::uint8_t* mask = tensor.mask != nullptr ? tensor.mask + chunk.offset : nullptr;
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < chunk.n; i += kThreads) {
    const double g = static_cast<double>(grad[i]);
    if (mask == nullptr || mask[i] != 0) sum += g * g;
  }
  sum = block_reduce<kThreads>(sum, room, Add{});
  if (threadIdx.x == 0) p.partial[blockIdx.x] = sum;
}

ATHANOR_DEVICE bool is_finite(double x) { return x - x == 0; }

template <class Rule, class Hyper>
ATHANOR_DEVICE void prepare_group(const double* hyper, Index step, Group& group) {
  const Hyper& h = *reinterpret_cast<const Hyper*>(hyper);
  if constexpr (!optim::kHasPasses<Rule>)
    group.variant[0] = group.variant[1] = Rule::variant(h);
  else if constexpr (kRunsPasses<Rule>)
    group.variant[0] = Rule::variant(h, false), group.variant[1] = Rule::variant(h, true);
  if constexpr (!optim::kHasPasses<Rule> || kRunsPasses<Rule>) {
    group.sign = optim::gradient_sign(h.maximize);
    if constexpr (optim::kHasPasses<Rule>)  // whose tensors take a copy of all
      for (float& scalar : group.scalars) scalar = 0;
    Rule::prepare(h, step, group.scalars);
  }
}

// Of the row's rule; hyper: (groups, width).
ATHANOR_DEVICE void prepare_rule(optim::RuleId rule, const double* hyper, int number, Index step, Group& group) {
  switch (rule) {
#define HYPER(name, value, interval)
#define FLAG(name, value)
#define STATE(name, init)
#define RULE_BEGIN(id, Type)                                                                          \
  case optim::RuleId::id:                                                                             \
    prepare_group<optim::Type, optim::Type##Hyper>(                                                   \
        hyper + number * static_cast<int>(sizeof(optim::Type##Hyper) / sizeof(double)), step, group); \
    return;
#define RULE_END(id, Type)
#include "update_rules/rules.def"
#undef RULE_BEGIN
    default: return;
  }
}

ATHANOR_KERNEL(kThreads) optim_prepare_kernel(ATHANOR_PARAM(OptimParams) p) {
  SHARED(double, room, [kThreads / kWarpSize]);
  SHARED(int, shared_skip, [1]);
  double sum = 0;
  if (p.wants_norm) {
    for (int c = static_cast<int>(threadIdx.x); c < p.step.chunk_count; c += kThreads) sum += p.partial[c];
    sum = block_reduce<kThreads>(sum, room, Add{});
  }
  const device::OptimStep& step = p.step;
  if (threadIdx.x == 0) {
    const double nan = static_cast<double>(quiet_nan());
    double norm = nan, clip = 1;
    bool finite = true, skipped = false;
    const bool stopped = is_stopped(step.check.run);
    const bool unguarded = step.guard != nullptr && !is_finite(static_cast<double>(*step.guard));
    if (unguarded) {
      finite = false;
      skipped = true;
    } else if (p.wants_norm) {
      const double raw = ::sqrt(sum);
      finite = is_finite(raw);
      norm = raw * step.grad_scale;
      skipped = step.skip_nonfinite && !finite;
      const double ratio = step.max_norm / (norm + 1e-6);
      // NaN included, as in PyTorch.
      if (!skipped && step.max_norm < static_cast<double>(infinity()) && !(ratio > 1)) clip = ratio;
    }
    if (!stopped) {
      step.report[0] = norm;
      step.report[1] = clip;
      step.report[2] = finite ? 1 : 0;
      step.report[3] = skipped ? 1 : 0;
      if (!skipped) step.counter->steps += 1;
    }
    p.decision->multiplier = static_cast<float>(step.grad_scale * clip);
    p.decision->skip = skipped || stopped ? 1 : 0;
    shared_skip[0] = p.decision->skip;
  }
  __syncthreads();
  if (shared_skip[0] != 0) return;
  const Index number = step.counter->steps;
  for (int g = static_cast<int>(threadIdx.x); g < step.groups; g += kThreads)
    prepare_rule(step.rule, step.hyper, g, number, p.groups[g]);
}

template <unsigned kSlots, class Update>
ATHANOR_DEVICE bool update_element(const OptimTensor& t, Index i, float multiplier, float clip_value,
                                   const Update& update) {
  float g = t.grad[i] * multiplier;
  g = g > clip_value ? clip_value : g;  // in this order NaN stays NaN
  g = g < -clip_value ? -clip_value : g;
  const float before = t.param[i];
  Vec s[optim::kMaxState], old[optim::kMaxState];
#pragma unroll
  for (int k = 0; k < optim::kMaxState; ++k)
    old[k] = s[k] = (kSlots >> k & 1) ? Vec{static_cast<const float*>(t.state[k])[i]} : Vec::zero();
  float p = update(Vec{before}, Vec{g}, s).v;
  if (t.mask != nullptr && t.mask[i] == 0) {
    p = 0;
#pragma unroll
    for (int k = 0; k < optim::kMaxState; ++k) s[k] = Vec::zero();
  }
  float zeros = p * 0.0f;  // NaN where one of the new values is not finite
#pragma unroll
  for (int k = 0; k < optim::kMaxState; ++k)
    if (kSlots >> k & 1) zeros = fmaf(s[k].v, 0.0f, zeros);
  const bool good = zeros == 0.0f;
  t.param[i] = good ? p : before;
#pragma unroll
  for (int k = 0; k < optim::kMaxState; ++k)
    if (kSlots >> k & 1) static_cast<float*>(t.state[k])[i] = good ? s[k].v : old[k].v;
  return good;
}

template <class Rule, int kVariant>
ATHANOR_DEVICE void update_chunk(const OptimParams& p, const OptimChunk& chunk, const OptimTensor& tensor,
                                 const Group& group) {
  constexpr unsigned kSlots = Rule::state_mask(kVariant);
  const typename Rule::template Update<Vec, kVariant> update(group.scalars);
  const float multiplier = p.decision->multiplier * group.sign, clip_value = static_cast<float>(p.step.clip_value);
  bool good = true;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < chunk.n; i += kThreads)
    good = update_element<kSlots>(tensor, chunk.offset + i, multiplier, clip_value, update) && good;
  if (!good) report_nonfinite(p.step.report, chunk.tensor);
}

template <class Rule>
ATHANOR_KERNEL(kThreads)
optim_update_kernel(ATHANOR_PARAM(OptimParams) p) {
  if (p.decision->skip != 0) return;
  const OptimChunk chunk = p.step.chunks[blockIdx.x];
  const OptimTensor tensor = p.step.tensors[chunk.tensor];
  const Group& group = p.groups[tensor.group];
  static_assert(Rule::kVariants <= optim::kMaxVariants && optim::kMaxVariants == 4);
  switch (group.variant[0]) {
    case 0: return update_chunk<Rule, 0>(p, chunk, tensor, group);
    case 1:
      if constexpr (Rule::kVariants > 1) update_chunk<Rule, 1>(p, chunk, tensor, group);
      return;
    case 2:
      if constexpr (Rule::kVariants > 2) update_chunk<Rule, 2>(p, chunk, tensor, group);
      return;
    case 3:
      if constexpr (Rule::kVariants > 3) update_chunk<Rule, 3>(p, chunk, tensor, group);
      return;
    default: return;
  }
}

Index partial_bytes(const device::OptimStep& args) { return (args.chunk_count * Index{8} + 255) / 256 * 256; }

Index group_bytes(const device::OptimStep& args) {
  return (static_cast<Index>(args.groups) * static_cast<Index>(sizeof(Group)) + 255) / 256 * 256;
}

Index workspace(const device::OptimStep& args) {
  return partial_bytes(args) + 256 + group_bytes(args) + passes_workspace(args);
}

template <class Rule>
device::Result update_by(device::Stream* stream, const OptimParams& p, std::uint32_t blocks) {
  if constexpr (optim::kHasPasses<Rule>)
    return run_passes(stream, p);
  else
    return LAUNCH((optim_update_kernel<Rule>), blocks, kThreads, 0, stream, p);
}

device::Result update(device::Stream* stream, const OptimParams& p) {
  const auto blocks = static_cast<std::uint32_t>(p.step.chunk_count);
  switch (p.step.rule) {
#define RULE_BEGIN(id, Type) \
  case optim::RuleId::id: return update_by<optim::Type>(stream, p, blocks);
#include "update_rules/rules.def"
#undef RULE_BEGIN
    default: return device::Result::unsupported;
  }
}

device::Result run(device::Stream* stream, const device::OptimStep& args, void* workspace) {
  auto* room = static_cast<std::byte*>(workspace);
  OptimParams p{args,
                reinterpret_cast<double*>(room),
                reinterpret_cast<OptimDecision*>(room + partial_bytes(args)),
                reinterpret_cast<Group*>(room + partial_bytes(args) + 256),
                room + partial_bytes(args) + 256 + group_bytes(args),
                0};
  const bool clips = args.max_norm < std::numeric_limits<double>::infinity();
  p.wants_norm = clips || args.skip_nonfinite || args.want_norm ? 1 : 0;
  device::Result result = device::Result::ok;
  if (p.wants_norm != 0 && args.chunk_count > 0)
    result = LAUNCH(optim_norm_kernel, static_cast<std::uint32_t>(args.chunk_count), kThreads, 0, stream, p);
  if (result == device::Result::ok) result = LAUNCH(optim_prepare_kernel, 1, kThreads, 0, stream, p);
  if (result == device::Result::ok && args.chunk_count > 0) result = update(stream, p);
  return result;
}

const char* refuses(const device::OptimStep& args) {
  switch (args.rule) {
#define RULE_BEGIN(id, Type)                                                           \
  case optim::RuleId::id:                                                              \
    return optim::kHasPasses<optim::Type> && !kRunsPasses<optim::Type>                 \
               ? "update rule " #id " multiplies matrices, which is for the CPU alone" \
               : nullptr;
#include "update_rules/rules.def"
#undef RULE_BEGIN
#undef RULE_END
#undef HYPER
#undef FLAG
#undef STATE
    default: return "an update rule that this build lacks";
  }
}

}  // namespace

void fill_optim(device::Launchers& launch) { launch.optim_step = {refuses, workspace, run}; }

}  // namespace athanor::cuda
