#include "runtime/arena_locks.h"

#include <algorithm>
#include <shared_mutex>

namespace athanor {

ArenaLocks::ArenaLocks(const Layout& layout, std::vector<HeldArena>& held) : held_(held) {
  const Arena* last = nullptr;
  bool sorted = true;
  held_.clear();
  for (std::size_t i = 0; i < layout.variables.size(); ++i) {
    Arena* arena = layout.variables[i]->arena().get();
    if (arena == last) {
      held_.back().exclusive = held_.back().exclusive || layout.written[i];
      continue;
    }
    held_.push_back({layout.variables[i]->arena(), static_cast<bool>(layout.written[i])});
    sorted = sorted && last == nullptr;
    last = arena;
  }
  if (!sorted) merge();
  for (HeldArena& held : held_) held.exclusive ? held.arena->mutex.lock() : held.arena->mutex.lock_shared();
}

ArenaLocks::~ArenaLocks() {
  for (auto held = held_.rbegin(); held != held_.rend(); ++held) {
    held->exclusive ? held->arena->mutex.unlock() : held->arena->mutex.unlock_shared();
  }
  held_.clear();  // an arena that its variables have left goes with the last run
}

void ArenaLocks::merge() {
  std::sort(held_.begin(), held_.end(), [](const HeldArena& a, const HeldArena& b) { return a.arena < b.arena; });
  std::size_t count = 0;
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (count > 0 && held_[count - 1].arena == held_[i].arena) {
      held_[count - 1].exclusive = held_[count - 1].exclusive || held_[i].exclusive;
    } else {
      if (count != i) held_[count] = std::move(held_[i]);
      ++count;
    }
  }
  held_.resize(count);
}

}  // namespace athanor
