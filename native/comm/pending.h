// An operation that was begun, between the thread that waits for it and the one that moves it on.
#pragma once
#include "comm/communicator.h"

namespace athanor::comm {

struct Communicator::Pending {
  Label label;
  std::unique_ptr<Operation> operation;
  std::shared_ptr<Group> group;
  std::shared_ptr<const void> keep;
  int tag = 0;
  std::optional<Port> port;
  Clock::time_point begun, last_moved;
  std::optional<Clock::time_point> asked;  // when the rank that it waits for was asked whether it lives
  std::uint64_t moved = 0;
  std::atomic<bool> awaited{false};  // somebody has nothing else to do
  std::atomic<int> state{0};         // 1 done, 2 failed

  void settle(int as) {
    state.store(as, std::memory_order_release);
    state.notify_all();
  }
};

}  // namespace athanor::comm
