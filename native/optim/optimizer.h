// The optimizer step over many tensors in one pass over memory: unscale, clip, decay, update and mask, fused.
// Parameters, gradients and states are arrays described by segments, f32 but for states in a codec (update_rules/state_format.h); a plan cuts them once into chunks of 16 to 256 Ki
// elements, by size alone. A chunk packs many small segments or a piece of a large one, so that 2,000 tensors of 1,000
// elements cost what one tensor of 2 million costs, and the result has the same bits for any number of threads.
//   plan = OptimPlan(segments);  groups[i] = prepare(rule, hyper, step);  step(plan, groups, options, workspace, parallel)
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/index.h"
#include "base/parallel.h"
#include "update_rules/passes.h"
#include "update_rules/rule.h"
#include "update_rules/state_format.h"

namespace athanor::optim {

struct HyperInfo {
  const char* name;
  double initial;
  const char* interval;  // "[0, 1)", or "" for a flag (0 or 1)
};

struct StateInfo {
  const char* name;
  const char* init;  // "0", or the hyper-parameter that the slot is filled with at first
  StateForm form;    // its shape beside that of the parameter
  StateRange range;  // what of it a codec may leave out
};

struct RuleInfo {
  const char* name;
  std::span<const HyperInfo> hypers;
  std::span<const StateInfo> states;
  Shardable shardable;
  bool has_passes;  // update_rules/passes.h
};

const RuleInfo& info(RuleId rule);

// Throws Error{argument} naming the known rules.
RuleId rule_by_name(const char* name);

// "f32", "bf16", "8bit" or "4bit". Throws Error{argument} naming them.
StateCodec codec_by_name(const char* name);

// hyper: one double a HYPER or FLAG row of rules.def, in order. Bit k set: state slot k must be given. matrix: for a tensor of two axes
// or more, which some rules treat otherwise.
unsigned state_mask(RuleId rule, std::span<const double> hyper, bool matrix = false);

// What one parameter group needs for one step. Groups may even differ in rule, where all rules have one pass.
struct Group {
  RuleId rule = RuleId::sgd;
  int variant[2] = {};  // of vectors and of matrices
  unsigned state_mask[2] = {};
  float sign = 1;
  Index step = 1;
  float scalars[kMaxScalars] = {};
};

// The scalars of step 1, 2, … (bias corrections, decayed rates): computed in double, rounded once.
Group prepare(RuleId rule, std::span<const double> hyper, Index step);

struct Segment {
  float* param;
  const float* grad;
  void* state[kMaxState] = {};
  const std::uint8_t* mask = nullptr;  // one byte an element; 0 keeps parameter and state at zero
  Index n = 0;
  int group = 0;
  Extents extents = {};  // of rules with several passes: n elements; by default nothing is known but n
  StateFormat format[kMaxState] = {};

  bool coded() const {
    return std::any_of(format, format + kMaxState, [](StateFormat each) { return each != StateFormat::f32; });
  }
};

struct PassLayout;  // optim/passes.h

class OptimPlan {
 public:
  // rule: where it has several passes, all groups follow it.
  explicit OptimPlan(std::vector<Segment> segments, RuleId rule = RuleId::sgd);

  const std::vector<Segment>& segments() const { return segments_; }
  int chunks() const { return static_cast<int>(starts_.size()) - 1; }
  Index elements() const { return elements_; }
  int groups() const { return static_cast<int>(states_given_.size()); }

  RuleId rule() const { return rule_; }
  const std::shared_ptr<const PassLayout>& layout() const { return layout_; }  // null for rules of one pass

  // Bit k set: every vector (or matrix) of the group has state slot k.
  unsigned states_given(int group, bool matrix) const { return states_given_[group][matrix]; }

  // Calls visit(segment, offset, n) for every piece of a chunk, in order.
  template <class Visit>
  void for_each_piece(int chunk, Visit&& visit) const {
    Position at = starts_[chunk], end = starts_[chunk + 1];
    while (at.segment < end.segment || (at.segment == end.segment && at.offset < end.offset)) {
      const Segment& s = segments_[at.segment];
      Index stop = at.segment == end.segment ? end.offset : s.n;
      if (stop > at.offset) visit(s, at.offset, stop - at.offset);
      at = {at.segment + 1, 0};
    }
  }

 private:
  struct Position {
    Index segment, offset;
  };
  void note_states(const Segment& segment);
  bool whole_rows(const Segment& segment) const;

  std::vector<Segment> segments_;
  std::vector<Position> starts_;                       // chunks + 1
  std::vector<std::array<unsigned, 2>> states_given_;  // groups
  RuleId rule_;
  std::shared_ptr<const PassLayout> layout_;
  Index elements_ = 0;
};

struct StepOptions {
  double grad_scale = 1;                                        // 1 / (loss scale · accumulated micro-batches)
  double max_norm = std::numeric_limits<double>::infinity();    // global L2 norm, as torch clip_grad_norm_
  double clip_value = std::numeric_limits<double>::infinity();  // after the norm clip, as torch clip_grad_value_
  bool skip_nonfinite = false;                                  // leave everything as it is if a gradient is inf or NaN
  bool want_norm = false;                                       // report the norm even if nothing else needs it
  // The norm of the unscaled gradient, where the plan has a part of it alone; null: that of the plan.
  const double* norm = nullptr;
};

inline bool needs_norm(const StepOptions& options) {
  return options.max_norm < std::numeric_limits<double>::infinity() || options.skip_nonfinite || options.want_norm;
}

struct StepResult {
  // Of the scaled gradient, before clipping; NaN where nothing asked for it.
  double grad_norm = std::numeric_limits<double>::quiet_NaN();
  double clip_factor = 1;
  bool finite = true;  // known only when the norm was computed
  bool skipped = false;
  // The first segment with an element whose new parameter or state would not be finite, -1 where there is none. Such elements
  // keep parameter and state; all others have moved. A rule of several passes moves no element of such a segment's parameter.
  Index nonfinite = -1;
};

// Bytes that step() and grad_norm() need, 64-byte aligned. Only rules with matrix work need more for more workers.
Index step_workspace(const OptimPlan& plan, int workers = 1);

// The L2 norm of all gradients, products and sums in double, in fixed order. What a mask hides does not count, as in a model
// whose weight is the product of a parameter and its mask.
double grad_norm(const OptimPlan& plan, void* workspace, Parallel& parallel);

// Its square.
double squared_norm(const OptimPlan& plan, void* workspace, Parallel& parallel);

// groups: one entry a group number used by the segments. Allocates nothing.
StepResult step(const OptimPlan& plan, std::span<const Group> groups, const StepOptions& options, void* workspace,
                Parallel& parallel);

}  // namespace athanor::optim
