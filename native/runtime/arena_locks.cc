#include "runtime/arena_locks.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <shared_mutex>

namespace athanor {

ArenaLocks::ArenaLocks(const Layout& layout, HeldArenas& arenas) : arenas_(arenas) {
  std::vector<std::size_t>& order = arenas_.order;
  if (order.size() != layout.variables.size()) {
    order.resize(layout.variables.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
  }
  if (!collect(layout)) {
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::less<>()(layout.variables[a]->arena().get(), layout.variables[b]->arena().get());
    });
    collect(layout);
  }
  for (auto& [arena, exclusive] : arenas_.held) exclusive ? arena->mutex.lock() : arena->mutex.lock_shared();
}

ArenaLocks::~ArenaLocks() {
  for (auto held = arenas_.held.rbegin(); held != arenas_.held.rend(); ++held) {
    held->exclusive ? held->arena->mutex.unlock() : held->arena->mutex.unlock_shared();
  }
  arenas_.held.clear();  // an arena that its variables have left goes with the last run
}

// Whether the arenas came in the order of their addresses.
bool ArenaLocks::collect(const Layout& layout) {
  auto& held = arenas_.held;
  held.clear();
  for (const std::size_t i : arenas_.order) {
    const std::shared_ptr<Arena>& arena = layout.variables[i]->arena();
    if (!held.empty() && held.back().arena == arena) {
      held.back().exclusive = held.back().exclusive || layout.written[i];
      continue;
    }
    if (!held.empty() && std::less<>()(arena.get(), held.back().arena.get())) return false;
    held.push_back({arena, static_cast<bool>(layout.written[i])});
  }
  return true;
}

}  // namespace athanor
