#include "cuda/emulator/async.h"

#include <cstring>
#include <string>

#include "cuda/emulator/block.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/shadow.h"

namespace athanor::emulator {
namespace {

constexpr std::uint32_t kMost = 128;  // copies of a thread under way

struct Pending {
  void* to;
  const void* from;
  std::uint32_t bytes, valid, group;
};
struct Queue {
  std::uint32_t begin = 0, end = 0;  // of a ring
  std::uint32_t group = 0;           // that takes the next copy
  Pending ring[kMost];
};
Queue queues[kMaxThreads];

void finish(Queue& queue, std::uint32_t before) {
  while (queue.begin != queue.end && queue.ring[queue.begin % kMost].group < before) {
    const Pending& copy = queue.ring[queue.begin++ % kMost];
    if (copy.valid > 0) std::memcpy(copy.to, copy.from, copy.valid);
    std::memset(static_cast<std::byte*>(copy.to) + copy.valid, 0, copy.bytes - copy.valid);
    shadow_async_done(copy.to, copy.bytes);
  }
}

}  // namespace

void async_copy(void* to, const void* from, std::uint32_t bytes, std::uint32_t valid) {
  Queue& queue = queues[here.linear];
  if (queue.end - queue.begin == kMost) raise(Fault::async_unawaited, "more copies under way than the emulator holds");
  if (valid > 0) {
    if (reinterpret_cast<std::uintptr_t>(from) % bytes != 0)
      raise(Fault::misaligned,
            "cp.async of " + std::to_string(bytes) + " bytes from an address that is no multiple of them");
    shadow_access(from, valid, Access::read, false);
  }
  if (reinterpret_cast<std::uintptr_t>(to) % bytes != 0)
    raise(Fault::misaligned,
          "cp.async of " + std::to_string(bytes) + " bytes to an address that is no multiple of them");
  shadow_async_issue(to, bytes);
  queue.ring[queue.end++ % kMost] = {to, from, bytes, valid, queue.group};
}

void async_commit() { ++queues[here.linear].group; }

void async_wait(std::uint32_t newest) {
  Queue& queue = queues[here.linear];
  if (queue.group > newest) finish(queue, queue.group - newest);
}

void async_wait_all() {
  Queue& queue = queues[here.linear];
  finish(queue, queue.group + 1);
}

void async_block_begin(std::uint32_t threads) {
  for (std::uint32_t t = 0; t < threads; ++t) queues[t].begin = queues[t].end = queues[t].group = 0;
}

void async_thread_end() {
  const Queue& queue = queues[here.linear];
  if (queue.begin == queue.end) return;
  raise(Fault::async_unawaited,
        std::to_string(queue.end - queue.begin) + " copies were still under way when the thread ended");
}

}  // namespace athanor::emulator
