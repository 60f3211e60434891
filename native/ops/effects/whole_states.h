// The states of an optimizer that ranks divide, as whole tensors: what a checkpoint holds, so that any number of ranks goes on from it.
#pragma once
#include <string>
#include <vector>

#include "ops/effects/optimizer_state.h"

namespace athanor {

struct WholeState {
  int variable, slot;
  std::string name;  // "<parameter>.<state>"
  Type type;         // that of the parameter
};

// Of all parameters, slot by slot, as OptimizerState::states() has them where nothing is divided.
std::vector<WholeState> whole_states(const OptimizerState& optimizer);

// All ranks' elements into `wholes`, a variable for each of whole_states(), on rank `root` of the optimizer's group; the others give
// none. Not while a program steps.
void gather_states(const OptimizerState& optimizer, const std::vector<std::shared_ptr<Variable>>& wholes, int root);

// This rank's elements out of `wholes`.
void take_states(const OptimizerState& optimizer, const std::vector<std::shared_ptr<Variable>>& wholes);

}  // namespace athanor
