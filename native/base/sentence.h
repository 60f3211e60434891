// The small pieces that sentences for the user are made of.
#pragma once
#include <string>
#include <string_view>

#include "base/index.h"

namespace athanor {

// 4194304 as "4,194,304".
std::string grouped(Index n);
std::string grouped(std::uint64_t n);

// A name from outside between double quotes: control characters escaped as in JSON, at most 80 bytes of it, cut between
// characters and then ending in "…".
std::string quoted(std::string_view name);

}  // namespace athanor
