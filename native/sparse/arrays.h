// Arrays side by side in one block, each on a cache line of its own.
#pragma once
#include <cstring>
#include <vector>

#include "base/index.h"

namespace athanor::sparse {

constexpr Index on_line(Index bytes) { return (bytes + 63) / 64 * 64; }

// The place of `count` elements behind `bytes` bytes, which then end behind them.
template <class T>
Index place(Index& bytes, Index count) {
  const Index at = bytes;
  bytes = on_line(bytes + count * static_cast<Index>(sizeof(T)));
  return at;
}

template <class T>
void copy_to(std::byte* to, const std::vector<T>& from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size() * sizeof(T));
}

}  // namespace athanor::sparse
