// The driver: cuts the segments into chunks once, then a step is a norm pass over the gradients where one is asked for and
// one update pass. The update runs through a worker's chunks backwards, so that after a norm pass it meets the gradients that the
// last-level cache still holds.
#include "optim/optimizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "update_rules/all.h"

namespace athanor::optim {
namespace {

// Elements of a chunk: a 64th of all where that is in bounds. The streams of memory start anew in each, which takes a few
// hundred nanoseconds; the least is 448 KiB of Adam's streams, about 10 µs.
constexpr Index kChunksWanted = 64, kLeastChunk = Index{1} << 14, kMostChunk = Index{1} << 18;
constexpr Index kAlign = 16;  // a large segment is cut at multiples of a cache line

#define FLAG(name, value) HYPER(name, value, "")
#define HYPER(name, value, interval) {#name, value, interval},
#define STATE(name, init)
#define RULE_BEGIN(id, Type) constexpr HyperInfo k##Type##Hypers[] = {
#define RULE_END(id, Type) \
  }                        \
  ;                        \
  static_assert(sizeof(Type##Hyper) == sizeof(double) * std::size(k##Type##Hypers));
#include "update_rules/rules.def"
#undef HYPER
#undef FLAG
#undef STATE
#undef RULE_BEGIN
#undef RULE_END

#define HYPER(name, value, interval)
#define FLAG(name, value)
#define STATE(name, init) {#name, #init},
#define RULE_BEGIN(id, Type) constexpr StateInfo k##Type##States[] = {
#define RULE_END(id, Type) \
  }                        \
  ;
#include "update_rules/rules.def"
#undef STATE
#undef RULE_BEGIN
#undef RULE_END

#define STATE(name, init)
#define RULE_BEGIN(id, Type) {#id, k##Type##Hypers, k##Type##States},
#define RULE_END(id, Type)
constexpr RuleInfo kRules[] = {
#include "update_rules/rules.def"
};
#undef RULE_BEGIN
#undef RULE_END

// Calls visit(Rule{}, hyper) with the rule's own types.
template <class Visit>
auto with_rule(RuleId rule, std::span<const double> hyper, Visit visit) {
  check(rule >= RuleId(0) && rule < RuleId::kCount, Code::internal,
        [&] { return "optim: there is no update rule number " + std::to_string(int(rule)); });
  const RuleInfo& about = kRules[int(rule)];
  check(hyper.size() == about.hypers.size(), Code::internal, [&] {
    return std::string("optim.") + about.name + ": expected " + std::to_string(about.hypers.size()) +
           " hyper-parameters, got " + std::to_string(hyper.size());
  });
  const auto call = [&]<class Rule, class Hyper>(Rule r, Hyper h) {
    std::memcpy(static_cast<void*>(&h), hyper.data(), sizeof h);
    return visit(r, h);
  };
  switch (rule) {
#define RULE_BEGIN(id, Type) \
  case RuleId::id: return call(Type{}, Type##Hyper{});
#define RULE_END(id, Type)
#include "update_rules/rules.def"
#undef HYPER
#undef FLAG
#undef STATE
#undef RULE_BEGIN
#undef RULE_END
    default: break;
  }
  return call(Sgd{}, SgdHyper{});
}

}  // namespace

const RuleInfo& info(RuleId rule) { return kRules[int(rule)]; }

RuleId rule_by_name(const char* name) {
  std::string known;
  for (int r = 0; r < kRuleCount; ++r) {
    if (std::strcmp(kRules[r].name, name) == 0) return RuleId(r);
    known += std::string(r ? ", " : "") + kRules[r].name;
  }
  throw Error(Code::argument, std::string("optim: unknown update rule \"") + name + "\", known are " + known);
}

unsigned state_mask(RuleId rule, std::span<const double> hyper) {
  return with_rule(rule, hyper, [](auto r, const auto& h) { return decltype(r)::state_mask(decltype(r)::variant(h)); });
}

Group prepare(RuleId rule, std::span<const double> hyper, Index step) {
  check(step >= 1, Code::internal, [&] { return "optim: steps count from 1, got " + std::to_string(step); });
  return with_rule(rule, hyper, [&](auto r, const auto& h) {
    Group group;
    group.rule = rule;
    group.variant = decltype(r)::variant(h);
    group.state_mask = decltype(r)::state_mask(group.variant);
    group.sign = gradient_sign(h.maximize);
    decltype(r)::prepare(h, step, group.scalars);
    return group;
  });
}

OptimPlan::OptimPlan(std::vector<Segment> segments) : segments_(std::move(segments)) {
  const Index count = Index(segments_.size());
  for (const Segment& segment : segments_) elements_ += segment.n;
  const Index chunk = std::clamp(elements_ / kChunksWanted, kLeastChunk, kMostChunk);
  Index used = 0;
  starts_.push_back({0, 0});
  for (Index s = 0; s < count; ++s) {
    const Segment& segment = segments_[s];
    check(segment.n >= 0 && segment.group >= 0, Code::internal,
          [&] { return "optim: segment " + std::to_string(s) + " has a negative size or group"; });
    Index offset = 0;
    while (used + segment.n - offset > chunk) {
      offset += (chunk - used) / kAlign * kAlign;
      starts_.push_back({s, offset});
      used = 0;
    }
    used += segment.n - offset;
    note_states(segment);
  }
  starts_.push_back({count, 0});
}

void OptimPlan::note_states(const Segment& segment) {
  unsigned given = 0;
  for (int k = 0; k < kMaxState; ++k) given |= unsigned(segment.state[k] != nullptr) << k;
  if (segment.group >= groups()) states_given_.resize(segment.group + 1, ~0u);
  if (segment.n > 0) states_given_[segment.group] &= given;
}

Index step_workspace(const OptimPlan& plan) { return plan.chunks() * Index(sizeof(double)); }

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
    const unsigned needed = groups[g].state_mask;
    check((plan.states_given(g) & needed) == needed, Code::internal, [&] {
      return "optim: a parameter of group " + std::to_string(g) + " lacks a state that " + info(groups[g].rule).name +
             " with these flags needs";
    });
  }
}

}  // namespace

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
  const float multiplier = float(options.grad_scale * result.clip_factor);
  const auto& update = kernel_table().optim.update;
  const Index none = Index(plan.segments().size());
  std::atomic<Index> nonfinite = none;
  const auto chunk_update = [&](int task, int) {
    const int chunk = mirrored(task, plan.chunks(), parallel.workers());
    plan.for_each_piece(chunk, [&](const Segment& s, Index offset, Index n) {
      const Group& group = groups[s.group];
      kernels::OptimRun run;
      run.param = s.param + offset;
      run.grad = s.grad + offset;
      for (int k = 0; k < kMaxState; ++k)
        run.state[k] = s.state[k] ? static_cast<float*>(s.state[k]) + offset : nullptr;
      run.mask = s.mask ? s.mask + offset : nullptr;
      run.n = n;
      std::copy_n(group.scalars, kMaxScalars, run.scalars);
      run.multiplier = multiplier * group.sign;
      run.clip_value = float(options.clip_value);
      if (update[int(group.rule)][group.variant](run)) return;
      const Index segment = &s - plan.segments().data();
      Index first = nonfinite.load(std::memory_order_relaxed);
      while (segment < first && !nonfinite.compare_exchange_weak(first, segment, std::memory_order_relaxed)) {
      }
    });
  };
  parallel.run(plan.chunks(), chunk_update);
  if (nonfinite != none) result.nonfinite = nonfinite;
  return result;
}

}  // namespace athanor::optim
