#include "cuda/emulator/shadow.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cuda/emulator/block.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/shared.h"

namespace athanor::emulator {
namespace {

constexpr std::size_t kCell = 4;

// The last access of one kind. `who`: thread (10 bits), bytes of the cell (4), how many readers stand for it (2).
struct Trace {
  std::uint32_t launch, block, epoch;
  std::uint16_t warp_epoch, who;
};
enum Readers : std::uint16_t { one, one_warp, many };
constexpr std::uint16_t pack(std::uint32_t thread, unsigned bytes, Readers readers) {
  return static_cast<std::uint16_t>(thread | bytes << 10 | unsigned{readers} << 14);
}
std::uint32_t thread_of(const Trace& t) { return t.who & 1023u; }
unsigned bytes_of(const Trace& t) { return t.who >> 10 & 15u; }
Readers readers_of(const Trace& t) { return static_cast<Readers>(t.who >> 14); }

struct Cell {
  Trace write, read;
};

// Bits of a cell's state.
constexpr std::uint8_t kHolds = 15;     // which bytes hold a value
constexpr std::uint8_t kInFlight = 16;  // a copy into it is under way
constexpr std::uint8_t kArray = 32;     // shared: part of an array
constexpr std::uint8_t kAtomic = 64;    // the last write was atomic

struct Shadow {
  Range range;
  Cell* cells = nullptr;
  std::uint8_t* states = nullptr;
};
Shadow global, shared;

struct Unwritten {
  bool pending = false, in_shared = false;
  std::uintptr_t address = 0;
  Here where;
};
Unwritten unwritten;

template <class T>
T* reserve(std::size_t count) {
  void* memory =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<T*>(memory);
}

Shadow make_shadow(const Range& range) {
  const std::size_t cells = (range.end - range.begin) / kCell;
  return {range, reserve<Cell>(cells), reserve<std::uint8_t>(cells)};
}

std::string hex(std::uintptr_t address) {
  char text[32];
  std::snprintf(text, sizeof text, "%#zx", static_cast<std::size_t>(address));
  return text;
}

// Of this launch; shared memory is another one in every block.
bool is_current(const Trace& t, bool in_shared) {
  return t.launch == clock.launch && (!in_shared || t.block == clock.block);
}

bool ordered(const Trace& t, std::uint32_t me) {
  if (t.epoch != clock.epoch) return true;
  return readers_of(t) != many && thread_of(t) / kWarp == me / kWarp &&
         t.warp_epoch != static_cast<std::uint16_t>(clock.warp_epoch[me / kWarp]);
}

[[noreturn]] void report(Fault fault, const std::string& what) {
  raise(fault, what);
  std::abort();  // only reached off a fiber, where nothing is looked at
}

void conflict(const Trace& other, std::uint32_t me, const char* mine, const char* theirs, std::uintptr_t address,
              bool in_shared) {
  const std::string where = std::string(in_shared ? "shared" : "global") + " memory at " +
                            (in_shared ? "offset " + std::to_string(address - shared.range.begin) : hex(address));
  if (other.block != clock.block) {
    report(Fault::block_order, std::string(mine) + " of " + where + " after block " + std::to_string(other.block) +
                                   " of the same launch " + theirs + " it");
  }
  const std::uint32_t them = thread_of(other);
  const bool one_warp_only = readers_of(other) != many && them / kWarp == me / kWarp;
  report(one_warp_only ? Fault::missing_syncwarp : Fault::missing_barrier,
         std::string(mine) + " of " + where + " after thread " + std::to_string(them) + " " + theirs + " it, with no " +
             (one_warp_only ? "__syncwarp" : "barrier") + " between");
}

void look(Shadow& shadow, std::size_t index, unsigned bytes, std::uint32_t me, Access access, bool in_shared) {
  Cell& cell = shadow.cells[index];
  std::uint8_t& state = shadow.states[index];
  const std::uintptr_t address = shadow.range.begin + index * kCell;
  const char* mine = access == Access::read ? "a read" : access == Access::write ? "a write" : "an atomic";
  if (in_shared && (state & kArray) == 0) {
    report(Fault::outside_shared, std::string(mine) + " at offset " + std::to_string(address - shadow.range.begin) +
                                      ", which belongs to no array");
  }
  const bool both_atomic = access == Access::atomic && (state & kAtomic) != 0;
  const Trace& w = cell.write;
  if (is_current(w, in_shared) && (bytes_of(w) & bytes) != 0 && !both_atomic &&
      (w.block != clock.block || (thread_of(w) != me && !ordered(w, me)))) {
    conflict(w, me, mine, (state & kInFlight) != 0 ? "began a copy into" : "wrote", address, in_shared);
  }
  if ((state & kInFlight) != 0)
    report(Fault::async_read, std::string(mine) + " at shared offset " + std::to_string(address - shadow.range.begin) +
                                  ", which a copy of thread " + std::to_string(thread_of(w)) +
                                  " is still on its way to");
  const Trace now{clock.launch, clock.block, clock.epoch, static_cast<std::uint16_t>(clock.warp_epoch[me / kWarp]),
                  pack(me, bytes, one)};
  Trace& r = cell.read;
  if (access == Access::read) {
    if ((state & bytes) != bytes && !unwritten.pending) unwritten = {true, in_shared, address, here};
    const bool same_epoch = is_current(r, in_shared) && r.block == clock.block && r.epoch == clock.epoch;
    if (same_epoch && thread_of(r) != me) {
      const bool warp = readers_of(r) != many && thread_of(r) / kWarp == me / kWarp;
      r = now;
      r.who = pack(me, bytes | bytes_of(cell.read), warp ? one_warp : many);
    } else {
      const unsigned before = same_epoch ? bytes_of(r) : 0;
      const Readers readers = same_epoch ? readers_of(r) : one;
      r = now;
      r.who = pack(me, bytes | before, readers);
    }
    return;
  }
  const bool mine_alone = readers_of(r) == one && thread_of(r) == me && r.block == clock.block;
  if (is_current(r, in_shared) && (bytes_of(r) & bytes) != 0 && !mine_alone &&
      (r.block != clock.block || !ordered(r, me)))
    conflict(r, me, mine, "read", address, in_shared);
  if (access == Access::atomic && (state & bytes) != bytes && !unwritten.pending)
    unwritten = {true, in_shared, address, here};
  unsigned held = bytes;
  if (is_current(w, in_shared) && w.block == clock.block && w.epoch == clock.epoch && thread_of(w) == me)
    held |= bytes_of(w);
  cell.write = now;
  cell.write.who = pack(me, held, one);
  state = static_cast<std::uint8_t>((state | bytes) & ~kAtomic);
  if (access == Access::atomic) state |= kAtomic;
}

void look_all(Shadow& shadow, std::uintptr_t address, std::size_t bytes, std::uint32_t me, Access access,
              bool in_shared) {
  const std::uintptr_t end = address + bytes;
  while (address < end) {
    const std::size_t index = (address - shadow.range.begin) / kCell;
    const std::uintptr_t next = std::min(shadow.range.begin + (index + 1) * kCell, end);
    const unsigned first = static_cast<unsigned>(address & (kCell - 1)), count = static_cast<unsigned>(next - address);
    look(shadow, index, ((1u << count) - 1) << first, me, access, in_shared);
    address = next;
  }
}

void check_bounds(std::uintptr_t address, std::size_t bytes) {
  const Allocation* allocation = allocation_at(address);
  if (allocation == nullptr)
    report(Fault::outside_global, std::to_string(bytes) + " bytes at " + hex(address) + ", which no allocation holds");
  if (allocation->freed)
    report(Fault::use_after_free, std::to_string(bytes) + " bytes at " + std::to_string(address - allocation->begin) +
                                      " of " + std::to_string(allocation->bytes) + " that were released");
  if (address + bytes > allocation->begin + allocation->bytes)
    report(Fault::outside_global, std::to_string(bytes) + " bytes at " + std::to_string(address - allocation->begin) +
                                      " of an allocation of " + std::to_string(allocation->bytes));
}

std::uint8_t* states_of(const void* memory) {
  return global.states + (reinterpret_cast<std::uintptr_t>(memory) - global.range.begin) / kCell;
}

}  // namespace

void shadow_access_as(std::uint32_t thread, const void* pointer, std::size_t bytes, Access access, bool natural) {
  if (!checking) return;
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  const bool in_global = global.range.holds(address), in_shared = shared.range.holds(address);
  if (!in_global && !in_shared) {
    // Kernels see their own stacks, parameters and constants besides; what is close to null is none of them.
    if (address < 65536) report(Fault::outside_global, "an access at " + hex(address));
    return;
  }
  if (natural && address % bytes != 0) report(Fault::misaligned, std::to_string(bytes) + " bytes at " + hex(address));
  if (in_global) check_bounds(address, bytes);
  look_all(in_global ? global : shared, address, bytes, thread, access, in_shared);
}

void shadow_access(const void* pointer, std::size_t bytes, Access access, bool natural) {
  if (on_fiber) shadow_access_as(here.linear, pointer, bytes, access, natural);
}

void shadow_async_issue(void* to, std::size_t bytes) {
  if (!checking) return;
  const auto address = reinterpret_cast<std::uintptr_t>(to);
  if (!shared.range.holds(address)) report(Fault::outside_shared, "cp.async to " + hex(address));
  shadow_access(to, bytes, Access::write, true);
  for (std::size_t i = 0; i < bytes / kCell; ++i) {
    std::uint8_t& state = shared.states[(address - shared.range.begin) / kCell + i];
    state = static_cast<std::uint8_t>((state & ~kHolds) | kInFlight);
  }
}

void shadow_async_done(void* to, std::size_t bytes) {
  if (!checking) return;
  const std::size_t first = (reinterpret_cast<std::uintptr_t>(to) - shared.range.begin) / kCell;
  for (std::size_t i = 0; i < bytes / kCell; ++i) {
    shared.states[first + i] = static_cast<std::uint8_t>((shared.states[first + i] & ~kInFlight) | kHolds);
    shared.cells[first + i].write = {clock.launch, clock.block, clock.epoch,
                                     static_cast<std::uint16_t>(clock.warp_epoch[here.linear / kWarp]),
                                     pack(here.linear, kHolds, one)};
  }
}

void shadow_fresh(void* memory, std::size_t bytes) {
  if (checking) std::memset(states_of(memory), 0, bytes / kCell);
}

void shadow_written(void* memory, std::size_t bytes) {
  if (!checking || !global.range.holds(reinterpret_cast<std::uintptr_t>(memory))) return;
  std::uint8_t* states = states_of(memory);
  const std::size_t lead = reinterpret_cast<std::uintptr_t>(memory) % kCell;
  for (std::size_t i = 0; i < bytes; ++i)
    states[(lead + i) / kCell] |= static_cast<std::uint8_t>(1u << (lead + i) % kCell);
}

void shadow_copied(void* to, const void* from, std::size_t bytes) {
  if (!checking) return;
  const auto a = reinterpret_cast<std::uintptr_t>(to), b = reinterpret_cast<std::uintptr_t>(from);
  if (!global.range.holds(a)) return;
  if (!global.range.holds(b)) return shadow_written(to, bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    const bool held = states_of(reinterpret_cast<void*>(b + i))[0] >> (b + i) % kCell & 1;
    std::uint8_t& state = *states_of(reinterpret_cast<void*>(a + i));
    const auto bit = static_cast<std::uint8_t>(1u << (a + i) % kCell);
    state = static_cast<std::uint8_t>(held ? state | bit : state & ~bit);
  }
}

void shadow_shared_begin(std::size_t used) {
  if (checking) std::memset(shared.states, 0, (used + kCell - 1) / kCell);
}

void shadow_shared_array(void* data, std::size_t bytes) {
  if (!checking) return;
  const std::size_t first = (reinterpret_cast<std::uintptr_t>(data) - shared.range.begin) / kCell;
  std::memset(shared.states + first, kArray, (bytes + kCell - 1) / kCell);
}

void shadow_forget() { unwritten = {}; }

void shadow_settle() {
  if (!unwritten.pending) return;
  const Unwritten found = unwritten;
  unwritten = {};
  const std::uint32_t t = found.where.linear;
  raise(Fault::unwritten,
        "thread " + std::to_string(t) + " of block " + std::to_string(found.where.block.x) + ", " +
            std::to_string(found.where.block.y) + ", " + std::to_string(found.where.block.z) + " read " +
            (found.in_shared ? "shared memory at offset " + std::to_string(found.address - shared.range.begin)
                             : "global memory at " + hex(found.address)) +
            ", which holds no value");
}

bool expect_written(const void* memory, std::size_t bytes, const char* what) {
  if (!checking || bytes == 0) return true;
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  for (std::size_t i = 0; i < bytes; ++i) {
    if (states_of(reinterpret_cast<const void*>(address + i))[0] >> (address + i) % kCell & 1) continue;
    raise(Fault::unwritten,
          std::string(what) + ": byte " + std::to_string(i) + " of " + std::to_string(bytes) + " was never written");
    return false;
  }
  return true;
}

void shadow_begin_checking() {
  if (checking) return;
  global = make_shadow(device_range());
  shared = make_shadow(shared_range());
  checking = true;
}

}  // namespace athanor::emulator
