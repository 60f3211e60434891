// The values of an optimizer's states in f32, whatever they are kept in: what a state dict holds, and how one codec's states become another's.
#pragma once
#include <vector>

#include "ops/effects/optimizer_state.h"

namespace athanor {

// What a state of these extents is kept as.
Type state_type(optim::StateFormat format, const Shape& shape);

// The extents of state i of optimizer.states(), before any codec.
Shape state_shape(const OptimizerState& optimizer, std::size_t i);

// State i in f32, state_shape(i).count() elements, taken under the arena's lock.
void read_state(const OptimizerState& optimizer, std::size_t i, float* values);

// Sets it. Nearest codes, so that what read_state gave becomes the same bits again. Throws Code::argument for a value that is not finite
// where the state is kept in blocks.
void write_state(const OptimizerState& optimizer, std::size_t i, const float* values);

// Sets it from a variable that holds the same state in another format, or in the same. Throws Code::shape for a variable that is none of them.
void take_state(const OptimizerState& optimizer, std::size_t i, const Variable& from);

}  // namespace athanor
