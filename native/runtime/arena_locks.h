// The locks of every arena that a program touches, each once and in address order, so that two programs never wait for each other
// in a circle. Exclusive where the program writes.
#pragma once
#include <memory>
#include <vector>

#include "runtime/layout.h"
#include "runtime/variable.h"

namespace athanor {

struct HeldArena {
  std::shared_ptr<Arena> arena;
  bool exclusive;
};

class ArenaLocks {
 public:
  // `held`: filled for as long as the locks are; kept by the caller, so that a run allocates nothing.
  ArenaLocks(const Layout& layout, std::vector<HeldArena>& held);
  ~ArenaLocks();
  ArenaLocks(const ArenaLocks&) = delete;
  ArenaLocks& operator=(const ArenaLocks&) = delete;

 private:
  void merge();

  std::vector<HeldArena>& held_;
};

}  // namespace athanor
