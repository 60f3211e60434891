// The locks of every arena that a program touches, each once and in address order, so that two programs never wait for each other
// in a circle. Exclusive where the program writes.
#pragma once
#include <memory>
#include <vector>

#include "runtime/layout.h"
#include "runtime/variable.h"

namespace athanor {

// What a program keeps for its locks, so that a run allocates nothing and sorts but once.
struct HeldArenas {
  struct Held {
    std::shared_ptr<Arena> arena;
    bool exclusive;
  };
  std::vector<Held> held;          // of the run under way
  std::vector<std::size_t> order;  // of the variables, by the addresses of their arenas, until an optimizer moves one
};

class ArenaLocks {
 public:
  ArenaLocks(const Layout& layout, HeldArenas& arenas);
  ~ArenaLocks();
  ArenaLocks(const ArenaLocks&) = delete;
  ArenaLocks& operator=(const ArenaLocks&) = delete;

 private:
  bool collect(const Layout& layout);

  HeldArenas& arenas_;
};

}  // namespace athanor
