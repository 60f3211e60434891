// The driver: cuts the segments into chunks once, then a step is a norm pass over the gradients where one is asked for and
// one update pass. The update runs through a worker's chunks backwards, so that after a norm pass it meets the gradients that the
// last-level cache still holds.
#include "optim/optimizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "optim/passes.h"

namespace athanor::optim {
namespace {

// Elements of a chunk: a 64th of all where that is in bounds. The streams of memory start anew in each, which takes a few
// hundred nanoseconds; the least is 448 KiB of Adam's streams, about 10 µs.
constexpr Index kChunksWanted = 64, kLeastChunk = Index{1} << 14, kMostChunk = Index{1} << 18;
constexpr Index kAlign = 16;  // a large segment is cut at multiples of a cache line

}  // namespace

OptimPlan::OptimPlan(std::vector<Segment> segments, RuleId rule) : segments_(std::move(segments)), rule_(rule) {
  const Index count = Index(segments_.size());
  for (const Segment& segment : segments_) elements_ += segment.n;
  const Index chunk = std::clamp(elements_ / kChunksWanted, kLeastChunk, kMostChunk);
  Index used = 0;
  starts_.push_back({0, 0});
  for (Index s = 0; s < count; ++s) {
    const Segment& segment = segments_[s];
    check(segment.n >= 0 && segment.group >= 0, Code::internal,
          [&] { return "optim: segment " + std::to_string(s) + " has a negative size or group"; });
    const Index row = whole_rows(segment) ? segment.extents.columns : 0;  // cut between rows, one a chunk at least
    const Index cut = segment.coded() ? kCodedStrip : kAlign;
    Index offset = 0;
    while (used + segment.n - offset > chunk) {
      const Index align = row > 0 ? row : cut;
      Index fits = (chunk - used) / align * align;
      if (fits == 0 && used == 0) fits = align;
      if (offset + fits >= segment.n) break;
      offset += fits;
      starts_.push_back({s, offset});
      used = 0;
    }
    used += segment.n - offset;
    note_states(segment);
  }
  starts_.push_back({count, 0});
  if (pass_rule(rule_) != nullptr) layout_ = std::make_shared<const PassLayout>(*this);
}

bool OptimPlan::whole_rows(const Segment& segment) const {
  if (!segment.extents.matrix) return false;
  for (const StateInfo& state : info(rule_).states)
    if (state.form == StateForm::rows) return true;
  return false;
}

void OptimPlan::note_states(const Segment& segment) {
  unsigned given = 0;
  for (int k = 0; k < kMaxState; ++k) given |= unsigned(segment.state[k] != nullptr) << k;
  if (segment.group >= groups()) states_given_.resize(segment.group + 1, {~0u, ~0u});
  if (segment.n > 0) states_given_[segment.group][segment.extents.matrix] &= given;
}

Index step_workspace(const OptimPlan& plan, int workers) {
  const Index sums = plan.chunks() * Index(sizeof(double));
  return pass_rule(plan.rule()) == nullptr ? sums : std::max(sums, pass_workspace(plan, workers));
}

namespace {

double sum_squares(const OptimPlan& plan, void* workspace, Parallel& parallel) {
  double* partial = static_cast<double*>(workspace);  // (chunks)
  const auto kernel = kernel_table().optim.sum_squares;
  const auto chunk_sum = [&](int chunk, int) {
    double sum = 0;
    plan.for_each_piece(chunk, [&](const Segment& s, Index offset, Index n) {
      sum += kernel(s.grad + offset, s.mask ? s.mask + offset : nullptr, n);
    });
    partial[chunk] = sum;
  };
  parallel.run(plan.chunks(), chunk_sum);
  double total = 0;
  for (int chunk = 0; chunk < plan.chunks(); ++chunk) total += partial[chunk];
  return total;
}

void check_groups(const OptimPlan& plan, std::span<const Group> groups) {
  check(Index(groups.size()) >= plan.groups(), Code::internal, [&] {
    return "optim: segments use " + std::to_string(plan.groups()) + " groups, got " + std::to_string(groups.size());
  });
  for (int g = 0; g < plan.groups(); ++g) {
    check(pass_rule(groups[g].rule) == nullptr || groups[g].rule == plan.rule(), Code::internal,
          [&] { return std::string("optim: a plan of ") + info(plan.rule()).name + " got a group of another rule"; });
    for (const bool matrix : {false, true}) {
      const unsigned needed = groups[g].state_mask[matrix];
      check((plan.states_given(g, matrix) & needed) == needed, Code::internal, [&] {
        return "optim: a parameter of group " + std::to_string(g) + " lacks a state that " + info(groups[g].rule).name +
               " with these flags needs";
      });
    }
  }
}

// Random bits are keyed by step, tensor, slot and element.
kernels::OptimStates states_of(const Segment& s, Index segment, const Group& group, Index offset) {
  kernels::OptimStates states;
  std::copy_n(s.format, kMaxState, states.format);
  states.used = group.state_mask[s.extents.matrix];
  constexpr std::uint64_t kSeed = 0x6f7074696dULL;
  states.noise = {kSeed, static_cast<std::uint32_t>(group.step), static_cast<std::uint32_t>(segment * kMaxState)};
  states.first = offset;
  return states;
}

// One pass over memory; the first segment whose update was not finite, or -1.
Index update_elements(const OptimPlan& plan, std::span<const Group> groups, float multiplier, float clip_value,
                      Parallel& parallel) {
  const auto kernel_of = kernel_table().optim.update;
  const auto update_coded = kernel_table().optim.update_coded;
  const Index none = Index(plan.segments().size());
  std::atomic<Index> nonfinite = none;
  const auto chunk_update = [&](int task, int) {
    const int chunk = mirrored(task, plan.chunks(), parallel.workers());
    plan.for_each_piece(chunk, [&](const Segment& s, Index offset, Index n) {
      const Group& group = groups[s.group];
      kernels::OptimRun run;
      fill_run(run, s, group.scalars, offset, n);
      run.multiplier = multiplier * group.sign;
      run.clip_value = clip_value;
      const Index segment = &s - plan.segments().data();
      const auto kernel = kernel_of(int(group.rule), group.variant[s.extents.matrix]);
      if (s.coded() ? update_coded(kernel, run, states_of(s, segment, group, offset)) : kernel(run)) return;
      Index first = nonfinite.load(std::memory_order_relaxed);
      while (segment < first && !nonfinite.compare_exchange_weak(first, segment, std::memory_order_relaxed)) {
      }
    });
  };
  parallel.run(plan.chunks(), chunk_update);
  return nonfinite == none ? -1 : nonfinite.load();
}

}  // namespace

void fill_run(kernels::OptimRun& run, const Segment& s, const float* scalars, Index offset, Index n) {
  run.param = s.param + offset;
  run.grad = s.grad + offset;
  for (int k = 0; k < kMaxState; ++k)
    run.state[k] = s.state[k] ? static_cast<std::byte*>(s.state[k]) + state_bytes(s.format[k], offset) : nullptr;
  run.mask = s.mask ? s.mask + offset : nullptr;
  run.n = n;
  std::copy_n(scalars, kMaxScalars, run.scalars);
}

double grad_norm(const OptimPlan& plan, void* workspace, Parallel& parallel) {
  return std::sqrt(sum_squares(plan, workspace, parallel));
}

double squared_norm(const OptimPlan& plan, void* workspace, Parallel& parallel) {
  return sum_squares(plan, workspace, parallel);
}

StepResult step(const OptimPlan& plan, std::span<const Group> groups, const StepOptions& options, void* workspace,
                Parallel& parallel) {
  check_groups(plan, groups);
  StepResult result;
  const bool clips = options.max_norm < std::numeric_limits<double>::infinity();
  if (needs_norm(options)) {
    const double norm = options.norm != nullptr ? *options.norm : grad_norm(plan, workspace, parallel);
    result.finite = std::isfinite(norm);
    result.grad_norm = norm * options.grad_scale;
    result.skipped = options.skip_nonfinite && !result.finite;
    if (result.skipped) return result;
    const double ratio = options.max_norm / (result.grad_norm + 1e-6);
    if (clips && !(ratio > 1)) result.clip_factor = ratio;  // NaN included, as in PyTorch
  }
  const float multiplier = float(options.grad_scale * result.clip_factor), clip_value = float(options.clip_value);
  result.nonfinite = pass_rule(plan.rule()) == nullptr
                         ? update_elements(plan, groups, multiplier, clip_value, parallel)
                         : update_in_passes(plan, groups, {multiplier, clip_value}, workspace, parallel);
  return result;
}

}  // namespace athanor::optim
