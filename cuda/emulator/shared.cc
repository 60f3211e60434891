#include "cuda/emulator/shared.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "cuda/emulator/block.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/shadow.h"

namespace athanor::emulator {
namespace {

constexpr std::size_t kArena =
    1 << 20;                        // more than a block may use: what lies beyond an array is still ours to look at
constexpr std::size_t kRoom = 128;  // between arrays

struct SharedArena {
  alignas(4096) std::byte data[kArena];
  std::size_t top = 0;      // with the room
  std::size_t arrays = 0;   // without
  std::size_t dynamic = 0;  // bytes of the launch, at the beginning
  std::uint64_t stamp = 0;
  SharedUse most;
};
SharedArena arena;
const Range range{reinterpret_cast<std::uintptr_t>(arena.data), reinterpret_cast<std::uintptr_t>(arena.data) + kArena};

}  // namespace

const Range& shared_range() { return range; }

void shared_block_begin(std::uint32_t dynamic_bytes) {
  const std::size_t used = arena.stamp == 0 ? kArena : arena.top;
  std::memset(arena.data, 0xff, used);
  shadow_shared_begin(used);
  arena.dynamic = dynamic_bytes;
  arena.arrays = 0;
  arena.top = 0;
  ++arena.stamp;
  if (dynamic_bytes > 0) {
    shadow_shared_array(arena.data, dynamic_bytes);
    arena.top = (dynamic_bytes + kRoom + 127) / 128 * 128;
  }
  arena.most.all = std::max(arena.most.all, arena.dynamic);
}

void* place_shared(SharedSite& site) {
  if (site.stamp == arena.stamp) return site.data;
  const std::size_t align = std::max<std::size_t>(site.align, 16);
  const std::size_t begin = (arena.top + align - 1) / align * align;
  arena.arrays += site.bytes;
  if (arena.arrays > kStaticSharedLimit || arena.arrays + arena.dynamic > kSharedLimit) {
    raise(Fault::shared_overflow, "its arrays take " + std::to_string(arena.arrays) + " bytes beside " +
                                      std::to_string(arena.dynamic) + " of the launch");
  }
  site.stamp = arena.stamp;
  site.data = arena.data + begin;
  arena.top = begin + site.bytes + kRoom;
  arena.most.arrays = std::max(arena.most.arrays, arena.arrays);
  arena.most.all = std::max(arena.most.all, arena.arrays + arena.dynamic);
  shadow_shared_array(site.data, site.bytes);
  return site.data;
}

void* dynamic_shared() { return arena.data; }

SharedUse take_shared_use() {
  const SharedUse use = arena.most;
  arena.most = {};
  return use;
}

}  // namespace athanor::emulator
