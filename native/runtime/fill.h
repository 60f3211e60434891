// First values of a variable. Random ones are keyed by (seed, stream, element): the same whatever else the process did.
#pragma once
#include <cstdint>
#include <string>

#include "runtime/variable.h"

namespace athanor {

// kind: constant (a), uniform ([a, b)), normal or truncated (mean a, deviation b; truncated at two deviations). f32 and f64; a
// constant for every type. Throws Code::argument.
void fill(Variable& variable, const std::string& kind, double a, double b, std::uint64_t seed, std::uint32_t stream);

}  // namespace athanor
