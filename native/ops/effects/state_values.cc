#include "ops/effects/state_values.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <shared_mutex>

#include "base/error.h"
#include "kernels/dispatch.h"

namespace athanor {
namespace {

using optim::StateFormat;

constexpr StateFormat kFormats[] = {StateFormat::f32,       StateFormat::bf16,    StateFormat::signed8,
                                    StateFormat::unsigned8, StateFormat::signed4, StateFormat::unsigned4};

// In which format a variable of this type holds state i. Codes say nothing of their signs: that is the slot's.
StateFormat format_of_type(const OptimizerState& optimizer, std::size_t i, const Type& type) {
  const Shape shape = state_shape(optimizer, i);
  const StatePlace place = optimizer.places()[i];
  const auto range = optim::info(optimizer.rule()).states[static_cast<std::size_t>(place.slot)].range;
  for (const StateFormat format : kFormats) {
    const bool is_unsigned = format == StateFormat::unsigned8 || format == StateFormat::unsigned4;
    if (optim::is_blocked(format) && is_unsigned != (range == optim::StateRange::positive)) continue;
    if (type == state_type(format, shape)) return format;
  }
  throw Error(Code::shape, "optim: \"" + optimizer.states()[i]->name() + "\" is " +
                               to_string(optimizer.states()[i]->type()) + " here, and " + to_string(type) +
                               " is not the same state in another codec");
}

}  // namespace

Type state_type(StateFormat format, const Shape& shape) {
  if (format == StateFormat::f32) return {DType::f32, shape};
  if (format == StateFormat::bf16) return {DType::bf16, shape};
  return {DType::u8, Shape{optim::state_blocks(format, shape.count()), optim::block_bytes(format)}};
}

Shape state_shape(const OptimizerState& optimizer, std::size_t i) {
  const StatePlace place = optimizer.places()[i];
  if (optim::is_blocked(optimizer.format_of(place)))
    return optimizer.variables()[static_cast<std::size_t>(place.variable)]->type().shape;
  return optimizer.states()[i]->type().shape;
}

void read_state(const OptimizerState& optimizer, std::size_t i, float* values) {
  const Variable& state = *optimizer.states()[i];
  const std::shared_lock lock(state.arena()->mutex);
  kernel_table().optim.decode(optimizer.format_of(optimizer.places()[i]), state.data(), values,
                              state_shape(optimizer, i).count());
}

void write_state(const OptimizerState& optimizer, std::size_t i, const float* values) {
  Variable& state = *optimizer.states()[i];
  const StateFormat format = optimizer.format_of(optimizer.places()[i]);
  const Index n = state_shape(optimizer, i).count();
  check(!optim::is_blocked(format) || std::all_of(values, values + n, [](float x) { return std::isfinite(x); }),
        Code::argument, [&] {
          return "optim: \"" + state.name() +
                 "\" has values that are not finite, which blocks of codes cannot hold; leave out states";
        });
  const std::unique_lock lock(state.arena()->mutex);
  kernel_table().optim.encode(format, values, state.data(), n);
  state.touch();
}

void take_state(const OptimizerState& optimizer, std::size_t i, const Variable& from) {
  const StateFormat format = format_of_type(optimizer, i, from.type());
  std::vector<float> values(static_cast<std::size_t>(state_shape(optimizer, i).count()));
  {
    const std::shared_lock lock(from.arena()->mutex);
    kernel_table().optim.decode(format, from.data(), values.data(), static_cast<Index>(values.size()));
  }
  write_state(optimizer, i, values.data());
}

}  // namespace athanor
