// Long because scheduler, barriers and warp operations share the table of threads.
#include "cuda/emulator/block.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "cuda/emulator/async.h"
#include "cuda/emulator/fault.h"
#include "cuda/emulator/fiber.h"
#include "cuda/emulator/shadow.h"
#include "cuda/emulator/shared.h"

namespace athanor::emulator {

Here here;
bool on_fiber = false;
bool checking = false;
Clock clock;

namespace {

enum class State : std::uint8_t { fresh, ready, at_barrier, at_warp, ended };

struct Thread {
  State state = State::fresh;
  void* stack = nullptr;  // saved pointer
  int stack_number = -1;
  Dim3 index;
  const char* file = nullptr;  // of the barrier it waits at
  int line = 0;
  std::uint32_t mask = 0;  // of the warp operation it waits at
  void* slot = nullptr;
  void (*complete)(WarpCall&) = nullptr;
  const char* operation = nullptr;
};

struct Machine {
  Thread threads[kMaxThreads];
  std::uint32_t order[kMaxThreads];
  std::uint32_t count = 0, live = 0;
  std::uint32_t launch_threads = 0;
  void* scheduler = nullptr;
  std::byte* stacks = nullptr;
  int free_stacks[kMaxThreads];
  int free_count = 0;
  std::uint64_t random = 1;
  bool abandoned = false;
  const LaunchShape* shape = nullptr;
  void (*body)(const void*) = nullptr;
  const void* closure = nullptr;
};
Machine machine;
FaultReport first_fault;

std::uint32_t next_random() {
  machine.random ^= machine.random << 13;
  machine.random ^= machine.random >> 7;
  machine.random ^= machine.random << 17;
  return static_cast<std::uint32_t>(machine.random >> 32);
}

void arrange() {
  const std::uint32_t n = machine.count;
  switch (settings().order) {
    case ThreadOrder::forward:
      for (std::uint32_t i = 0; i < n; ++i) machine.order[i] = i;
      break;
    case ThreadOrder::reverse:
      for (std::uint32_t i = 0; i < n; ++i) machine.order[i] = n - 1 - i;
      break;
    case ThreadOrder::seeded:
      for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint32_t j = next_random() % (i + 1);
        machine.order[i] = machine.order[j];
        machine.order[j] = i;
      }
      break;
  }
}

void to_scheduler() { athanor_emulator_switch(&machine.threads[here.linear].stack, machine.scheduler); }

void thread_main() {
  machine.body(machine.closure);
  async_thread_end();
  machine.threads[here.linear].state = State::ended;
  to_scheduler();
  std::abort();  // an ended thread is never resumed
}

void resume(std::uint32_t t) {
  Thread& thread = machine.threads[t];
  if (thread.state == State::fresh) {
    thread.stack_number = machine.free_stacks[--machine.free_count];
    thread.stack =
        fresh_stack(machine.stacks + static_cast<std::size_t>(thread.stack_number) * kStackBytes, thread_main);
  }
  thread.state = State::ready;
  here.linear = t;
  here.thread = thread.index;
  on_fiber = true;
  athanor_emulator_switch(&machine.scheduler, thread.stack);
  on_fiber = false;
}

// Lets the lanes that wait with `lane` go where all of its mask are there. True where it did.
bool try_complete(std::uint32_t first_lane_of_warp, const Thread& waiting) {
  WarpCall call{first_lane_of_warp / kWarp, waiting.mask, 0, {}};
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    if ((waiting.mask >> lane & 1u) == 0) continue;
    const std::uint32_t t = first_lane_of_warp + lane;
    if (t >= machine.count || machine.threads[t].state == State::ended) continue;
    const Thread& other = machine.threads[t];
    if (other.state != State::at_warp || other.mask != waiting.mask || other.complete != waiting.complete) return false;
    call.present |= 1u << lane;
    call.slots[lane] = other.slot;
  }
  void (*const complete)(WarpCall&) = waiting.complete;
  for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
    if (call.present >> lane & 1u) machine.threads[first_lane_of_warp + lane].state = State::ready;
  }
  complete(call);
  return true;
}

std::string at(const Thread& thread) { return std::string(thread.file) + ":" + std::to_string(thread.line); }

std::string numbers(std::uint32_t a, std::uint32_t b) { return std::to_string(a) + " and " + std::to_string(b); }

// All threads that have not ended wait. False where no one can go on.
bool open_barrier() {
  const Thread* first = nullptr;
  std::uint32_t first_number = 0;
  for (std::uint32_t t = 0; t < machine.count; ++t) {
    const Thread& thread = machine.threads[t];
    if (thread.state == State::ended) {
      // A whole warp may leave early; part of one may not, where the others go on to a barrier.
      const std::uint32_t warp = t / kWarp * kWarp;
      for (std::uint32_t u = warp; u < warp + kWarp && u < machine.count; ++u) {
        if (machine.threads[u].state != State::at_barrier) continue;
        raise(Fault::divergent_barrier, "thread " + std::to_string(t) + " of the warp has ended while thread " +
                                            std::to_string(u) + " waits at " + at(machine.threads[u]));
        return false;
      }
      continue;
    }
    if (thread.state == State::at_warp) {
      raise(Fault::warp_mask, std::string(thread.operation) + " of thread " + std::to_string(t) +
                                  " waits for a lane of its mask that is not at the same operation");
      return false;
    }
    if (first == nullptr) {
      first = &thread;
      first_number = t;
    } else if (first->line != thread.line || std::strcmp(first->file, thread.file) != 0) {
      raise(Fault::divergent_barrier, "threads " + numbers(first_number, t) + " wait at different barriers, " +
                                          at(*first) + " and " + at(thread));
      return false;
    }
  }
  for (std::uint32_t t = 0; t < machine.count; ++t) {
    if (machine.threads[t].state == State::at_barrier) machine.threads[t].state = State::ready;
  }
  shadow_settle();
  ++clock.epoch;
  return !machine.abandoned;
}

// A thread that ends or waits at the block's barrier may be the last that a warp operation waited for, or will never come.
void after_end(std::uint32_t t) {
  Thread& ended = machine.threads[t];
  machine.free_stacks[machine.free_count++] = ended.stack_number;
  --machine.live;
  const std::uint32_t warp = t / kWarp * kWarp;
  for (std::uint32_t u = warp; u < warp + kWarp && u < machine.count; ++u) {
    if (machine.threads[u].state == State::at_warp) {
      on_fiber = false;
      try_complete(warp, machine.threads[u]);
    }
  }
}

bool run_block() {
  machine.live = machine.count;
  machine.free_count = 0;
  for (int s = static_cast<int>(machine.count); s-- > 0;) machine.free_stacks[machine.free_count++] = s;
  for (std::uint32_t t = 0; t < machine.count; ++t) {
    machine.threads[t].state = State::fresh;
  }
  clock.epoch = 0;
  std::memset(clock.warp_epoch, 0, sizeof clock.warp_epoch);
  async_block_begin(machine.count);
  shared_block_begin(machine.shape->dynamic_shared);
  arrange();
  while (machine.live > 0) {
    bool moved = false;
    for (std::uint32_t i = 0; i < machine.count; ++i) {
      const std::uint32_t t = machine.order[i];
      Thread& thread = machine.threads[t];
      if (thread.state > State::ready) continue;
      resume(t);
      moved = true;
      if (machine.abandoned) return false;
      if (thread.state == State::ended) after_end(t);
      if (machine.abandoned) return false;
    }
    if (moved) continue;
    if (!open_barrier()) return false;
    if (settings().order == ThreadOrder::seeded) arrange();
  }
  return true;
}

bool check_shape(const LaunchShape& shape) {
  const std::uint64_t threads = std::uint64_t{shape.block.x} * shape.block.y * shape.block.z;
  if (threads == 0 || threads > kMaxThreads || shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0 ||
      shape.grid.x > 2147483647u || shape.grid.y > 65535 || shape.grid.z > 65535 || shape.block.z > 64) {
    raise(Fault::bad_launch, "a grid of " + std::to_string(shape.grid.x) + " x " + std::to_string(shape.grid.y) +
                                 " x " + std::to_string(shape.grid.z) + " blocks of " + std::to_string(threads) +
                                 " threads");
    return false;
  }
  if (shape.dynamic_shared > kSharedLimit) {
    raise(Fault::shared_overflow, "the launch asks for " + std::to_string(shape.dynamic_shared) + " bytes, there are " +
                                      std::to_string(kSharedLimit));
    return false;
  }
  return true;
}

}  // namespace

const char* kernel_name() { return machine.shape != nullptr ? machine.shape->kernel : "?"; }

void raise(Fault fault, const std::string& what) {
  if (first_fault.fault == Fault::none) {
    first_fault.fault = fault;
    first_fault.sentence = std::string(name_of(fault)) + ": kernel " + kernel_name();
    if (on_fiber) {
      const auto dims = [](const Dim3& d) {
        return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
      };
      first_fault.sentence += ", block " + dims(here.block) + ", thread " + dims(here.thread);
    }
    first_fault.sentence += ": " + what;
  }
  machine.abandoned = true;
  if (on_fiber) to_scheduler();  // and never back: stacks are made anew for the next block
}

FaultReport take_fault() {
  FaultReport report = std::move(first_fault);
  first_fault = {};
  return report;
}

bool run_launch(const LaunchShape& shape, void (*body)(const void*), const void* closure) {
  machine.shape = &shape;
  machine.abandoned = false;
  ++clock.launch;
  shadow_forget();
  if (!check_shape(shape)) return false;
  if (machine.stacks == nullptr) {
    void* memory = mmap(nullptr, kMaxThreads * kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    machine.stacks = static_cast<std::byte*>(memory);
  }
  machine.body = body;
  machine.closure = closure;
  machine.count = shape.block.x * shape.block.y * shape.block.z;
  machine.random = settings().seed * 0x9E3779B97F4A7C15u + 1;
  for (std::uint32_t t = 0; t < machine.count; ++t) {
    machine.threads[t].index = {t % shape.block.x, t / shape.block.x % shape.block.y,
                                t / shape.block.x / shape.block.y};
  }
  here.block_dim = shape.block;
  here.grid_dim = shape.grid;
  const std::uint64_t blocks = std::uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const std::uint64_t b = settings().reverse_blocks ? blocks - 1 - i : i;
    clock.block = static_cast<std::uint32_t>(b);
    here.block = {static_cast<std::uint32_t>(b % shape.grid.x),
                  static_cast<std::uint32_t>(b / shape.grid.x % shape.grid.y),
                  static_cast<std::uint32_t>(b / shape.grid.x / shape.grid.y)};
    if (!run_block()) return false;
  }
  shadow_settle();
  return !machine.abandoned;
}

void block_barrier(const char* file, int line) {
  Thread& thread = machine.threads[here.linear];
  thread.file = file;
  thread.line = line;
  thread.state = State::at_barrier;
  to_scheduler();
}

void warp_operation(std::uint32_t mask, void* slot, void (*complete)(WarpCall&), const char* name) {
  Thread& thread = machine.threads[here.linear];
  const std::uint32_t lane = here.linear % kWarp, warp = here.linear - lane;
  if ((mask >> lane & 1u) == 0) raise(Fault::warp_mask, std::string(name) + ": its mask lacks the lane itself");
  thread.mask = mask;
  thread.slot = slot;
  thread.complete = complete;
  thread.operation = name;
  thread.state = State::at_warp;
  if (try_complete(warp, thread)) return;
  to_scheduler();
}

}  // namespace athanor::emulator
