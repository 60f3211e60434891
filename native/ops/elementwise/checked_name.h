// How the sentence of a checked value begins: by the name that the caller gave it, else by the operation and its place.
#pragma once
#include <string>

#include "graph/lowering.h"

namespace athanor {

inline std::string checked_name(const NodeContext& context) {
  return context.attrs().has("name") ? context.attrs().text("name") : context.where();
}

}  // namespace athanor
