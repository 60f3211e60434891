#include "ops/effects/optimizer_state.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <set>
#include <string_view>

#include "base/error.h"
#include "comm/transfers.h"
#include "kernels/dispatch.h"
#include "ops/effects/state_values.h"

namespace athanor {
namespace {

constexpr Index kLine = 64;

Index rounded(Index bytes) { return (bytes + kLine - 1) / kLine * kLine; }

// A state starts at zero, or at the value of the hyper-parameter that it names.
double initial_of(optim::RuleId rule, const optim::StateInfo& state, const std::vector<double>& hyper) {
  const auto& hypers = optim::info(rule).hypers;
  for (std::size_t i = 0; i < hypers.size(); ++i) {
    if (std::string_view(hypers[i].name) == state.init) return hyper[i];
  }
  return 0;
}

Shape shape_of(optim::StateForm form, Shape shape) {
  if (form == optim::StateForm::numbers) return Shape{optim::kNumbers};
  if (form == optim::StateForm::rows) shape[shape.rank() - 1] = 1;
  if (form == optim::StateForm::columns) shape[shape.rank() - 2] = 1;
  return shape;
}

optim::Extents extents_of(const Shape& shape) {
  if (shape.rank() < 2) return {1, 1, shape.count(), shape.count(), false};
  const int rank = shape.rank();
  return {shape.count(0, rank - 2), shape[rank - 2], shape[rank - 1], shape[0], true};
}

}  // namespace

OptimizerState::OptimizerState(optim::RuleId rule, std::vector<OptimizerGroup> groups, optim::StepOptions options,
                               std::optional<StateDivision> division)
    : rule_(rule), groups_(std::move(groups)), options_(options), prepared_(groups_.size()), counter_(sizeof(Index)) {
  std::set<Variable*> seen;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (const auto& variable : groups_[g].variables) {
      check(variable->type().dtype == DType::f32, Code::dtype, [&] {
        return "optim." + std::string(optim::info(rule_).name) + ": parameter \"" + variable->name() +
               "\" must be f32, got " + name_of(variable->type().dtype);
      });
      check(seen.insert(variable.get()).second, Code::argument, [&] {
        return "optim." + std::string(optim::info(rule_).name) + ": parameter \"" + variable->name() +
               "\" is in two groups";
      });
      variables_.push_back(variable);
      group_of_.push_back(static_cast<int>(g));
    }
  }
  if (division) {
    check(optim::info(rule_).shardable == optim::Shardable::elementwise, Code::unsupported, [&] {
      return "optim." + std::string(optim::info(rule_).name) +
             ": its update looks at whole tensors, which ranks cannot divide by elements; leave out zero, or use a "
             "rule such as adamW";
    });
    std::vector<Index> sizes;
    for (const auto& variable : variables_) sizes.push_back(variable->type().count());
    divides_parameters_ = division->parameters;
    parts_.emplace(std::move(division->group), sizes, std::move(division->buckets));
  }
  check_codecs();
  adopt();
}

void OptimizerState::check_codecs() const {
  if (std::all_of(groups_.begin(), groups_.end(),
                  [](const OptimizerGroup& group) { return group.codec == optim::StateCodec::f32; }))
    return;
  check(!optim::info(rule_).has_passes, Code::unsupported, [&] {
    return "optim." + std::string(optim::info(rule_).name) +
           ": its states are f32, as it goes over them several times a step; leave out states, or use a rule such as "
           "adamW";
  });
  check(!parts_, Code::unsupported, [&] {
    return "optim." + std::string(optim::info(rule_).name) +
           ": ranks divide states of f32 alone; leave out states, or zero";
  });
}

optim::StateFormat OptimizerState::format_of(const StatePlace& place) const {
  const OptimizerGroup& group = groups_[static_cast<std::size_t>(group_of(place.variable))];
  const Index n = variables_[static_cast<std::size_t>(place.variable)]->type().count();
  return optim::format_of(group.codec, optim::info(rule_).states[static_cast<std::size_t>(place.slot)].range, n);
}

bool OptimizerState::has_codec() const {
  return std::any_of(places_.begin(), places_.end(),
                     [&](const StatePlace& place) { return format_of(place) != optim::StateFormat::f32; });
}

bool OptimizerState::uses_state(int variable, int slot) const {
  const auto& hyper = groups_[static_cast<std::size_t>(group_of(variable))].hyper;
  const bool matrix = variables_[static_cast<std::size_t>(variable)]->type().shape.rank() > 1;
  return (optim::state_mask(rule_, hyper, matrix) >> slot & 1U) != 0;
}

// The elements of a variable that this rank steps and keeps states of.
comm::ElementRange OptimizerState::own(std::size_t variable) const {
  if (parts_) return parts_->own(static_cast<int>(variable));
  return {0, variables_[variable]->type().count()};
}

// Parameters first, side by side, then slot after slot of the states: what a collective or a checkpoint reads in one piece.
void OptimizerState::adopt() {
  const auto& rule_states = optim::info(rule_).states;
  // Of what is divided, this rank's elements, where it has any.
  const auto extents = [&](std::size_t i, std::size_t k) {
    const comm::ElementRange range = own(i);
    return parts_ ? Shape{range.end - range.begin} : shape_of(rule_states[k].form, variables_[i]->type().shape);
  };
  const auto type_of = [&](std::size_t i, std::size_t k) {
    return state_type(format_of({static_cast<int>(i), static_cast<int>(k)}), extents(i, k));
  };
  const auto has = [&](std::size_t i, std::size_t k) {
    return uses_state(static_cast<int>(i), static_cast<int>(k)) && (!parts_ || own(i).end > own(i).begin);
  };
  Index bytes = 0;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    bytes += rounded(variables_[i]->type().bytes());
    for (std::size_t k = 0; k < rule_states.size(); ++k) {
      if (has(i, k)) bytes += rounded(type_of(i, k).bytes());
    }
  }
  const auto arena = arena_ = std::make_shared<Arena>(bytes);
  Index offset = adopt_variables(arena);
  states_of_.assign(variables_.size(), std::vector<Variable*>(optim::kMaxState, nullptr));
  for (std::size_t k = 0; k < rule_states.size(); ++k) {
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      if (!has(i, k)) continue;
      auto state = std::make_shared<Variable>(variables_[i]->name() + "." + rule_states[k].name, type_of(i, k));
      const double initial = initial_of(rule_, rule_states[k], groups_[group_of_[i]].hyper);
      const StatePlace place{static_cast<int>(i), static_cast<int>(k)};
      const std::vector<float> values(static_cast<std::size_t>(extents(i, k).count()), static_cast<float>(initial));
      kernel_table().optim.encode(format_of(place), values.data(), state->data(), static_cast<Index>(values.size()));
      places_.push_back(place);
      state->move_to(arena, offset);
      offset += rounded(state->type().bytes());
      states_of_[i][k] = state.get();
      states_.push_back(std::move(state));
    }
  }
}

// Where they end. Divided ones lie as their gradients are exchanged.
Index OptimizerState::adopt_variables(const std::shared_ptr<Arena>& arena) {
  Index offset = 0;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const auto& variable = variables_[i];
    const std::shared_ptr<Arena> old = variable->arena();
    const std::unique_lock lock(old->mutex);
    variable->move_to(arena, parts_ ? parts_->begin_of(static_cast<int>(i)) * Index{sizeof(float)} : offset);
    offset += rounded(variable->type().bytes());
  }
  return offset;
}

void OptimizerState::set_steps(Index steps) {
  *reinterpret_cast<Index*>(counter_.host()) = steps;
  counter_.wrote_on_host();
}

void OptimizerState::divide(std::shared_ptr<RankGroup> group, std::vector<bool> divided) {
  check(divided.size() == variables_.size(), Code::argument, [&] {
    return "optim: expected to be told of " + std::to_string(variables_.size()) +
           " parameters whether they are parts, got " + std::to_string(divided.size());
  });
  const auto part = std::find(divided.begin(), divided.end(), true);
  check(part == divided.end() || optim::info(rule_).shardable == optim::Shardable::elementwise, Code::unsupported, [&] {
    const auto& name = variables_[static_cast<std::size_t>(part - divided.begin())]->name();
    return std::string("optim.") + optim::info(rule_).name + ": needs whole tensors, and \"" + name +
           "\" is a rank's part of one; divide the model otherwise, or take an elementwise rule such as adamW";
  });
  group_ = std::move(group);
  divided_ = std::move(divided);
}

double OptimizerState::squared_norm(const optim::OptimPlan& plan, const std::vector<int>& variables, void* workspace,
                                    Parallel& parallel) const {
  return parts_ ? parts_->squared_norm(plan, variables, steps(), parallel)
                : optim::squared_norm(plan, workspace, parallel);
}

// What every rank has counts once; of parts, the sum over the ranks in their order, so that all have the same bits.
double OptimizerState::norm_of_whole(const optim::OptimPlan& plan, void* workspace, Parallel& parallel) const {
  const auto squared = [&](bool of_parts) {
    std::vector<optim::Segment> segments;
    std::vector<int> variables;
    for (std::size_t i = 0; i < plan.segments().size(); ++i) {
      if (divided_[i] != of_parts) continue;
      segments.push_back(plan.segments()[i]);
      variables.push_back(static_cast<int>(i));
    }
    if (segments.empty()) return 0.0;
    return squared_norm(optim::OptimPlan(std::move(segments)), variables, workspace, parallel);
  };
  auto sums = std::make_shared<std::vector<double>>(static_cast<std::size_t>(group_->size()));
  (*sums)[static_cast<std::size_t>(group_->rank())] = squared(true);
  std::vector<comm::Piece> pieces;
  for (std::size_t r = 0; r < sums->size(); ++r)
    pieces.push_back({static_cast<int>(r), &(*sums)[r], static_cast<Index>(sizeof(double))});
  comm::Communicator& communicator = group_->communicator();
  communicator.wait(communicator.start(group_->group(), {"all-gather", "norm of the gradient", 8, steps()},
                                       comm::all_gather(group_->rank(), pieces), sums));
  double total = squared(false);
  for (const double sum : *sums) total += sum;
  return std::sqrt(total);
}

optim::OptimPlan OptimizerState::plan(const std::vector<const float*>& gradients) const {
  std::vector<optim::Segment> segments;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    optim::Segment segment{reinterpret_cast<float*>(variables_[i]->data()), gradients[i]};
    for (int k = 0; k < optim::kMaxState; ++k) {
      if (states_of_[i][k] == nullptr) continue;
      segment.state[k] = states_of_[i][k]->data();
      segment.format[k] = format_of({static_cast<int>(i), k});
    }
    if (const auto& mask = variables_[i]->mask()) segment.mask = reinterpret_cast<const std::uint8_t*>(mask->data());
    segment.n = variables_[i]->type().count();
    segment.extents = extents_of(variables_[i]->type().shape);
    segment.group = group_of_[i];
    segments.push_back(segment);
  }
  return optim::OptimPlan(std::move(segments), rule_);
}

// The same segments, of each the elements that this rank steps.
optim::OptimPlan OptimizerState::own_plan(const optim::OptimPlan& plan) const {
  std::vector<optim::Segment> segments = plan.segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const comm::ElementRange range = own(i);
    segments[i].param += range.begin;
    segments[i].grad += range.begin;
    if (segments[i].mask != nullptr) segments[i].mask += range.begin;
    segments[i].n = range.end - range.begin;
  }
  return optim::OptimPlan(std::move(segments), rule_);
}

optim::StepResult OptimizerState::step(const optim::OptimPlan& plan, const double* hyper, void* workspace,
                                       Parallel& parallel) {
  const std::size_t width = optim::info(rule_).hypers.size();
  const Index done = steps();
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    prepared_[g] = optim::prepare(rule_, std::span(hyper + g * width, width), done + 1);
  }
  optim::StepOptions options = options_;
  double norm = 0;
  if ((group_ != nullptr || parts_) && optim::needs_norm(options)) {
    std::vector<int> all(variables_.size());
    std::iota(all.begin(), all.end(), 0);
    norm = group_ != nullptr ? norm_of_whole(plan, workspace, parallel)
                             : std::sqrt(squared_norm(plan, all, workspace, parallel));
    options.norm = &norm;
  }
  optim::StepResult result = optim::step(parts_ ? own_plan(plan) : plan, prepared_, options, workspace, parallel);
  if (result.skipped) return result;
  if (parts_) {
    result.nonfinite = parts_->first_of_all(result.nonfinite, done);
    if (!divides_parameters_) parts_->gather(arena_, done);
  }
  set_steps(done + 1);
  arena_->buffer.wrote_on_host();
  return result;
}

}  // namespace athanor
