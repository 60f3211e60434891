// Shared memory: one arena, begun anew by every block. An array of a kernel is a site; all threads of a block find it at one place.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cuda/emulator/memory.h"

namespace athanor::emulator {

struct SharedSite {
  std::size_t bytes;
  std::size_t align;
  std::uint64_t stamp = 0;  // of the block that placed it
  std::byte* data = nullptr;
};
void* place_shared(SharedSite& site);

// What the launch asked for; 128-byte aligned.
void* dynamic_shared();

const Range& shared_range();
void shared_block_begin(std::uint32_t dynamic_bytes);

// The most bytes that a block has used since the last call, of arrays and in all.
struct SharedUse {
  std::size_t arrays = 0, all = 0;
};
SharedUse take_shared_use();

}  // namespace athanor::emulator
