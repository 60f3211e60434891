// A launch under way: one block at a time, its threads as fibers, barriers and warp operations between them.
//
// Threads run in the order that the settings say (forward, reverse or shuffled by a seed, anew in every round), each until it waits or
// ends. A block barrier opens when all threads that have not ended wait at the same one; a warp operation when all lanes of its mask do.
#pragma once
#include <cstdint>

namespace athanor::emulator {

struct Dim3 {
  std::uint32_t x, y, z;
  constexpr Dim3(std::uint32_t x = 1, std::uint32_t y = 1, std::uint32_t z = 1) : x(x), y(y), z(z) {}
};

inline constexpr std::uint32_t kMaxThreads = 1024;
inline constexpr std::uint32_t kWarp = 32;
inline constexpr std::uint32_t kSharedLimit = 227 * 1024;  // a block's most, as on compute capability 9.0
inline constexpr std::uint32_t kStaticSharedLimit = 48 * 1024;

enum class ThreadOrder : std::uint8_t { forward, reverse, seeded };

struct Settings {
  ThreadOrder order = ThreadOrder::forward;
  std::uint64_t seed = 1;
  bool reverse_blocks = false;
};
Settings& settings();  // at first what ATHANOR_EMULATOR_ORDER and ATHANOR_EMULATOR_BLOCKS say

// The thread that runs now. Kernels read it; the scheduler writes it.
struct Here {
  Dim3 thread, block, block_dim, grid_dim;
  std::uint32_t linear = 0;  // in the block
};
extern Here here;
extern bool on_fiber;  // whether a kernel's thread runs now
extern bool checking;  // kernels are instrumented: set by the first instrumented unit

// Counters that order accesses. A block barrier begins a new epoch of the block, __syncwarp one of the warp.
struct Clock {
  std::uint32_t launch = 0;  // from 1
  std::uint32_t block = 0;   // linear
  std::uint32_t epoch = 0;
  std::uint32_t warp_epoch[kMaxThreads / kWarp] = {};
};
extern Clock clock;

struct LaunchShape {
  const char* kernel;
  Dim3 grid, block;
  std::uint32_t dynamic_shared;
};

// Runs all blocks; `body` is called once a thread. False where a fault ended it.
bool run_launch(const LaunchShape& shape, void (*body)(const void* closure), const void* closure);

void block_barrier(const char* file, int line);

// Waits until all lanes of `mask` that have not ended are at this operation, then `complete` is called once with their slots.
struct WarpCall {
  std::uint32_t warp;       // number in the block
  std::uint32_t mask;       // as given
  std::uint32_t present;    // lanes that are here
  void* slots[kWarp] = {};  // of those
};
void warp_operation(std::uint32_t mask, void* slot, void (*complete)(WarpCall& call), const char* name);

const char* kernel_name();

}  // namespace athanor::emulator
