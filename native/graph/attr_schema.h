// What a row of graph/ops.def says of an operation's attributes, and the check of a node's against it.
#pragma once
#include <array>
#include <initializer_list>

#include "base/index.h"

namespace athanor {

class Attrs;
struct OpInfo;

enum class AttrKind : std::uint8_t { flag, integer, real, text, dtype, list };
enum class Presence : std::uint8_t { optional, required, derived };

struct AttrSchema {
  const char* name;
  AttrKind kind;
  Presence presence;
  const char* range;  // "[0, inf)", "one|or|the other", or "" for any
};

// Defaults of rows: an attribute that every node must have, and one for which the rule has a default of its own.
struct Required {};
struct Derived {};
inline constexpr Required required;
inline constexpr Derived derived;

template <class... Numbers>
constexpr std::array<Index, sizeof...(Numbers)> list_of(Numbers... numbers) {
  return {static_cast<Index>(numbers)...};
}

// Throws a sentence for an attribute that the row does not have, one that is missing, of another kind or out of its range.
void check_attrs(const OpInfo& row, const Attrs& attrs);

}  // namespace athanor
