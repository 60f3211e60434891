#include "cuda/emulator/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>

#include "cuda/emulator/block.h"
#include "cuda/emulator/shadow.h"

namespace athanor::emulator {
namespace {

constexpr std::size_t kReserved = std::size_t{16} << 30;

std::byte* reserve(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

struct DeviceMemory {
  Range range;
  std::uint32_t* owners = nullptr;             // for every granule, 1 + the number of its allocation
  std::deque<Allocation> allocations;          // by number
  std::map<std::uintptr_t, std::size_t> free;  // begin and bytes of free runs, neighbours merged
  std::size_t capacity = std::size_t{4} << 30, used = 0, peak = 0;

  DeviceMemory() {
    std::byte* base = reserve(kReserved);
    owners = reinterpret_cast<std::uint32_t*>(reserve(kReserved / kGranule * sizeof(std::uint32_t)));
    if (base == nullptr || owners == nullptr) {
      capacity = 0;
      return;
    }
    range = {reinterpret_cast<std::uintptr_t>(base), reinterpret_cast<std::uintptr_t>(base) + kReserved};
    free[range.begin] = kReserved;
    if (const char* limit = std::getenv("ATHANOR_EMULATOR_MEMORY")) capacity = std::strtoull(limit, nullptr, 10);
  }
};

DeviceMemory& memory() {
  static DeviceMemory device;
  return device;
}

// What an allocation takes of the range: whole granules and one of room.
std::size_t extent_of(std::size_t bytes) { return (bytes + kGranule - 1) / kGranule * kGranule + kGranule; }

}  // namespace

void* device_allocate(std::size_t bytes) {
  DeviceMemory& device = memory();
  if (bytes == 0 || bytes > device.capacity - device.used) return nullptr;
  const std::size_t extent = extent_of(bytes);
  for (auto run = device.free.begin(); run != device.free.end(); ++run) {
    if (run->second < extent) continue;
    const std::uintptr_t begin = run->first;
    const std::size_t rest = run->second - extent;
    device.free.erase(run);
    if (rest > 0) device.free[begin + extent] = rest;
    device.allocations.push_back({begin, bytes, false});
    const auto number = static_cast<std::uint32_t>(device.allocations.size());
    for (std::size_t g = 0; g < extent / kGranule; ++g)
      device.owners[(begin - device.range.begin) / kGranule + g] = number;
    device.used += bytes;
    if (device.used > device.peak) device.peak = device.used;
    auto* data = reinterpret_cast<std::byte*>(begin);
    std::memset(data, 0xff, bytes);
    shadow_fresh(data, extent);
    return data;
  }
  return nullptr;
}

bool device_release(void* pointer) {
  if (pointer == nullptr) return true;
  DeviceMemory& device = memory();
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  if (!device.range.holds(address)) return false;
  const std::uint32_t number = device.owners[(address - device.range.begin) / kGranule];
  if (number == 0) return false;
  Allocation& allocation = device.allocations[number - 1];
  if (allocation.begin != address || allocation.freed) return false;
  allocation.freed = true;
  device.used -= allocation.bytes;
  if (checking) return true;
  std::size_t extent = extent_of(allocation.bytes);
  auto next = device.free.lower_bound(address);
  if (next != device.free.end() && address + extent == next->first) {
    extent += next->second;
    next = device.free.erase(next);
  }
  if (next != device.free.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == address) {
      before->second += extent;
      return true;
    }
  }
  device.free[address] = extent;
  return true;
}

std::size_t device_total() { return memory().capacity; }
std::size_t device_used() { return memory().used; }
std::size_t device_peak() { return memory().peak; }
const Range& device_range() { return memory().range; }

const Allocation* allocation_at(std::uintptr_t address) {
  const DeviceMemory& device = memory();
  const std::uint32_t number = device.owners[(address - device.range.begin) / kGranule];
  return number == 0 ? nullptr : &device.allocations[number - 1];
}

}  // namespace athanor::emulator
