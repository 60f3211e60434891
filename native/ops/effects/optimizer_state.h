// An optimizer as a resource of a graph: it adopts parameters into one flat arena, beside their states, and steps them all in
// one pass over memory.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "ops/comm/rank_group.h"
#include "ops/effects/state_parts.h"
#include "optim/optimizer.h"

namespace athanor {

struct OptimizerGroup {
  std::vector<std::shared_ptr<Variable>> variables;
  std::vector<double> hyper;  // one a row of the rule, in its order
  optim::StateCodec codec = optim::StateCodec::f32;
};

// The ranks that divide the states among them, and the variables by number as their gradients are exchanged (ops/effects/state_parts.h).
struct StateDivision {
  std::shared_ptr<RankGroup> group;
  std::vector<std::vector<int>> buckets;
  bool parameters =
      false;  // whether what a rank has stepped is gathered where it is used (ops/comm/parameter_pages.h), not after each step
};

// Whose a state is: the number of its variable and the slot of the rule.
struct StatePlace {
  int variable, slot;
};

class OptimizerState final : public Resource {
 public:
  // Moves the variables (f32, each in one group) into this optimizer's arena. With `division`, this rank of several keeps the states of
  // some elements alone. Throws Code::argument, Code::unsupported for a codec that does not go with the rule or with `division`.
  OptimizerState(optim::RuleId rule, std::vector<OptimizerGroup> groups, optim::StepOptions options,
                 std::optional<StateDivision> division = std::nullopt);

  optim::RuleId rule() const { return rule_; }
  const std::vector<OptimizerGroup>& groups() const { return groups_; }
  // All variables, group by group: the order in which a step takes their gradients.
  const std::vector<std::shared_ptr<Variable>>& variables() const { return variables_; }
  // The states, as variables named "<parameter>.<state>": f32 or bf16 of the parameter's shape, or u8 [blocks, bytes of a block]
  // (update_rules/state_format.h). Divided ones are f32 [own elements], where there are any.
  const std::vector<std::shared_ptr<Variable>>& states() const { return states_; }
  // In the order of states().
  const std::vector<StatePlace>& places() const { return places_; }
  optim::StateFormat format_of(const StatePlace& place) const;
  bool has_codec() const;  // whether some state is not f32

  // Steps taken so far; the next one is steps() + 1. To be changed only while no program runs, to resume.
  Index steps() const { return *reinterpret_cast<const Index*>(counter_.host()); }
  void set_steps(Index steps);

  // What a device needs to do the step by itself: where states and counter live, and what it is asked to do.
  const optim::StepOptions& options() const { return options_; }
  // What gradients are multiplied by, such as the factor of a norm that is known from elsewhere. Not while a program runs.
  void set_grad_scale(double scale) { options_.grad_scale = scale; }
  const std::shared_ptr<Arena>& arena() const { return arena_; }
  Buffer& counter() { return counter_; }  // one Index
  int group_of(int variable) const { return group_of_[static_cast<std::size_t>(variable)]; }
  // Whether the rule keeps state `slot` of a variable, on some rank.
  bool uses_state(int variable, int slot) const;
  // By state slot of the rule; null where a slot is unused.
  const std::vector<Variable*>& states_of(int variable) const { return states_of_[static_cast<std::size_t>(variable)]; }

  // Null where every rank has all states.
  const std::optional<StateParts>& parts() const { return parts_; }

  // Where some variables are a rank's parts of larger ones: the norm of the gradient is that of the whole, which all ranks of the group
  // come to. `divided`: of every variable, in order. Throws Code::argument for another number of them.
  void divide(std::shared_ptr<RankGroup> group, std::vector<bool> divided);

  optim::OptimPlan plan(const std::vector<const float*>& gradients) const;

  // hyper: [groups, hyper-parameters of the rule], the values of this very step.
  optim::StepResult step(const optim::OptimPlan& plan, const double* hyper, void* workspace, Parallel& parallel);

 private:
  void check_codecs() const;
  void adopt();
  Index adopt_variables(const std::shared_ptr<Arena>& arena);
  comm::ElementRange own(std::size_t variable) const;
  double squared_norm(const optim::OptimPlan& plan, const std::vector<int>& variables, void* workspace,
                      Parallel& parallel) const;
  optim::OptimPlan own_plan(const optim::OptimPlan& plan) const;
  double norm_of_whole(const optim::OptimPlan& plan, void* workspace, Parallel& parallel) const;

  optim::RuleId rule_;
  std::vector<OptimizerGroup> groups_;
  optim::StepOptions options_;
  std::vector<std::shared_ptr<Variable>> variables_;
  std::vector<int> group_of_;
  std::vector<std::shared_ptr<Variable>> states_;
  std::vector<StatePlace> places_;
  std::vector<std::vector<Variable*>> states_of_;  // of every variable, by state slot; null where unused
  std::vector<optim::Group> prepared_;
  std::shared_ptr<Arena> arena_;  // parameters and states, side by side
  Buffer counter_;
  std::shared_ptr<RankGroup> group_;  // null: every variable is whole
  std::vector<bool> divided_;
  std::optional<StateParts> parts_;
  bool divides_parameters_ = false;
};

}  // namespace athanor
