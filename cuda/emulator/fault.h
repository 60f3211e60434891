// What the emulator finds wrong with a kernel. The first fault of a launch ends it.
#pragma once
#include <cstdint>
#include <string>

namespace athanor::emulator {

enum class Fault : std::uint8_t {
  none,
  missing_barrier,    // two threads of a block met at one address, one of them writing, with no barrier between
  missing_syncwarp,   // the same between lanes of a warp
  divergent_barrier,  // threads of a block wait at different barriers, or for threads that will not come
  async_read,         // of a cp.async destination before its wait
  async_unawaited,    // a thread ended with copies under way
  warp_mask,  // a warp operation's mask lacks the lane itself, differs among lanes, or names one that is elsewhere
  outside_global,
  outside_shared,
  misaligned,
  shared_overflow,  // a launch or kernel asked for more shared memory than there is
  unwritten,        // a read of memory that nobody wrote, or a result that was not written
  block_order,      // a block used what another block of the launch wrote or writes
  use_after_free,
  bad_launch,  // a grid or block of an illegal size
};

constexpr const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::none: return "none";
    case Fault::missing_barrier: return "missing barrier";
    case Fault::missing_syncwarp: return "missing __syncwarp";
    case Fault::divergent_barrier: return "divergent barrier";
    case Fault::async_read: return "cp.async not awaited before use";
    case Fault::async_unawaited: return "cp.async never awaited";
    case Fault::warp_mask: return "wrong warp mask";
    case Fault::outside_global: return "global memory out of bounds";
    case Fault::outside_shared: return "shared memory out of bounds";
    case Fault::misaligned: return "misaligned access";
    case Fault::shared_overflow: return "shared memory overflow";
    case Fault::unwritten: return "unwritten memory";
    case Fault::block_order: return "block order";
    case Fault::use_after_free: return "use after free";
    case Fault::bad_launch: return "bad launch";
  }
  return "?";
}

struct FaultReport {
  Fault fault = Fault::none;
  std::string sentence;  // kernel, block, thread, and what happened
};

// Called on a fiber: notes the fault and abandons the launch. Never returns there. On the host's stack: notes it.
void raise(Fault fault, const std::string& what);

// The first fault since the last call, which also clears it.
FaultReport take_fault();

}  // namespace athanor::emulator
