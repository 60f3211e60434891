// The memory of the emulated device: one reserved range of addresses, cut into allocations with room between them. Fresh memory is
// filled with ones, which reads as NaN, -1 or 255, so that what a kernel forgot to write shows.
#pragma once
#include <cstddef>
#include <cstdint>

namespace athanor::emulator {

inline constexpr std::uintptr_t kGranule = 256;  // alignment of allocations, and the room after each

struct Allocation {
  std::uintptr_t begin = 0;
  std::size_t bytes = 0;
  bool freed = false;
};

// Null where `bytes` is more than is free.
void* device_allocate(std::size_t bytes);
bool device_release(void* memory);  // false: it is not an allocation
std::size_t device_total();
std::size_t device_used();
std::size_t device_peak();

struct Range {
  std::uintptr_t begin = 0, end = 0;
  bool holds(std::uintptr_t address) const { return address - begin < end - begin; }
};
const Range& device_range();

// The allocation that the granule of `address` belongs to, null where none does.
const Allocation* allocation_at(std::uintptr_t address);

// While kernels are checked, freed memory is not handed out again, so that its use shows.
}  // namespace athanor::emulator
