// The signed size and index type of the whole engine, and the largest tensor rank it takes.
#pragma once
#include <cstddef>
#include <cstdint>

namespace athanor {

using Index = std::int64_t;

inline constexpr int kMaxRank = 8;

}  // namespace athanor
