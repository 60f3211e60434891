// What changes state: assignment to a variable, and an optimizer's step over all of its parameters.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "ops/effects/optimizer_state.h"

namespace athanor {
namespace {

void infer_assign(InferContext&) {}

void lower_assign(LowerContext& context) {
  const std::shared_ptr<Variable> variable = context.graph.variable_of(context.node);
  check(variable->type() == context.input_type(0), Code::shape, [&] {
    return "assign: \"" + variable->name() + "\" is " + to_string(variable->type()) + ", got " +
           to_string(context.input_type(0));
  });
  const Slot from = context.input(0);
  const std::size_t bytes = static_cast<std::size_t>(variable->type().bytes());
  context.emit({0, 2.0 * static_cast<double>(bytes)}, [=](Execution& run) {
    if (bytes > 0) std::memcpy(variable->data(), run.at(from), bytes);
  });
}

// Operands: a gradient for every variable of the optimizer, in its order; with "guard" the loss, f32 []; then the
// hyper-parameters f64 [groups, width]. A guarded step is skipped when the loss is not finite, so that it ruins no weight.
// Result f64 [4]: gradient norm (NaN when nothing asked for it), clip factor, 1 if finite, and what went wrong: 0 for nothing,
// 1 for a step that was skipped, 2 + i where the update of parameter i is not finite (optim::StepResult::nonfinite).
void infer_step(InferContext& context) {
  const Type& hyper = context.inputs.back();
  check(hyper.dtype == DType::f64 && hyper.shape.rank() == 2, Code::internal,
        [] { return "optimizer_step: the last operand is f64 [groups, hyper-parameters]"; });
  context.outputs.push_back({DType::f64, Shape{4}});
}

struct StepState {
  std::shared_ptr<OptimizerState> optimizer;
  std::vector<Slot> gradient_slots;
  std::vector<const float*> gradients;
  optim::OptimPlan plan{{}};

  // Addresses hold still from run to run, unless another optimizer adopted a parameter or a mask was changed meanwhile.
  void refresh(const Execution& run) {
    const auto& segments = plan.segments();
    bool same = segments.size() == gradient_slots.size();
    for (std::size_t i = 0; same && i < segments.size(); ++i) {
      const Variable& variable = *optimizer->variables()[i];
      const std::byte* mask = variable.mask() ? variable.mask()->data() : nullptr;
      same = segments[i].grad == run.at<const float>(gradient_slots[i]) &&
             reinterpret_cast<const std::byte*>(segments[i].param) == variable.data() &&
             reinterpret_cast<const std::byte*>(segments[i].mask) == mask;
    }
    if (same) return;
    for (std::size_t i = 0; i < gradient_slots.size(); ++i) gradients[i] = run.at<const float>(gradient_slots[i]);
    plan = optimizer->plan(gradients);
  }
};

void lower_step(LowerContext& context) {
  auto state = std::make_shared<StepState>();
  state->optimizer = std::dynamic_pointer_cast<OptimizerState>(
      context.graph.resources()[attributes::optimizer_step::of(context.attrs()).resource]);
  check(state->optimizer != nullptr, Code::internal, [] { return "optimizer_step: its resource is no optimizer"; });
  const auto& variables = state->optimizer->variables();
  const bool guarded = attributes::optimizer_step::of(context.attrs()).guard;
  check(static_cast<int>(variables.size()) + (guarded ? 2 : 1) == context.input_count(), Code::internal,
        [] { return "optimizer_step: one gradient for every parameter"; });
  double elements = 0;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    state->gradient_slots.push_back(context.input(static_cast<int>(i)));
    elements += static_cast<double>(variables[i]->type().count());
  }
  state->gradients.resize(variables.size());
  const Slot hyper = context.input(context.input_count() - 1), output = context.output();
  const Slot loss = context.input(context.input_count() - (guarded ? 2 : 1));
  const std::vector<const float*> none(variables.size(), nullptr);
  const Slot workspace = context.workspace(optim::step_workspace(state->optimizer->plan(none), context.workers));
  const double streams = 3.0 + 2.0 * static_cast<double>(state->optimizer->states().size()) /
                                   std::max(1.0, static_cast<double>(variables.size()));
  context.emit(optim::info(state->optimizer->rule()).name, {12.0 * elements, 4.0 * streams * elements},
               [=](Execution& run) {
                 double* report = run.at<double>(output);
                 if (guarded && !std::isfinite(*run.at<const float>(loss))) {
                   const double skipped[] = {std::numeric_limits<double>::quiet_NaN(), 1, 0, 1};
                   std::copy(skipped, skipped + 4, report);
                   return;
                 }
                 state->refresh(run);
                 const auto result =
                     state->optimizer->step(state->plan, run.at<const double>(hyper), run.at(workspace), run.parallel);
                 report[0] = result.grad_norm;
                 report[1] = result.clip_factor;
                 report[2] = result.finite ? 1 : 0;
                 report[3] = result.skipped ? 1 : result.nonfinite < 0 ? 0 : 2 + static_cast<double>(result.nonfinite);
               });
}

}  // namespace

const OpRule rule_assign{infer_assign, nullptr, lower_assign};
const OpRule rule_optimizer_step{infer_step, nullptr, lower_step};

}  // namespace athanor
