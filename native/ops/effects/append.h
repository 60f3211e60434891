// How effects enter a graph: what a caller gives is checked here, and what it changes is entered with it. Bindings, tests, devices
// and collectives all go this way.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "ops/effects/optimizer_state.h"

namespace athanor {

// After a run the variable has the value `value`. Every reader of the variable in this graph sees what it was before.
// Throws Code::shape for another type than the variable's.
void add_assign(Graph& graph, const std::shared_ptr<Variable>& variable, ValueId value);

struct OptimizerStepInputs {
  std::vector<ValueId> gradients;  // one for each variable of the optimizer, in its order and of its type
  ValueId hyper;                   // f64 [groups, hyper-parameters of the rule], the values of this very step
  std::optional<ValueId> loss;     // f32 []: nothing moves in a step whose loss is not finite
};

// One step of the optimizer over all of its parameters. Returns the report, f64 [4] (see rule_optimizer_step).
// Throws Code::argument for another number of gradients, Code::shape for one of another type than its parameter.
ValueId add_optimizer_step(Graph& graph, const std::shared_ptr<OptimizerState>& optimizer, OptimizerStepInputs inputs);

}  // namespace athanor
