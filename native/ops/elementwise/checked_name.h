// How the sentence of a checked value begins: by the name that the caller gave it, else by the operation and its place.
#pragma once
#include <string>

#include "graph/attributes.h"
#include "graph/lowering.h"

namespace athanor {

inline std::string checked_name(const NodeContext& context) {
  return attributes::exact_i32::of(context.attrs()).name.value_or(context.where());
}

}  // namespace athanor
