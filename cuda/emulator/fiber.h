// A thread of a block is a fiber: a stack of its own, and a switch that saves what a function call must keep. Everything of a launch
// happens on one thread of the operating system.
#pragma once
#include <cstddef>

namespace athanor::emulator {

// Saves the running stack's pointer to *save and goes on where `load` was saved.
extern "C" void athanor_emulator_switch(void** save, void* load);

// Bytes of one stack. Not a power of two: stacks that far apart would meet in the same lines of a cache.
inline constexpr std::size_t kStackBytes = 64 * 1024 + 704;

// A stack pointer that, switched to, calls `entry` on the stack [base, base + kStackBytes). entry must never return.
void* fresh_stack(std::byte* base, void (*entry)());

}  // namespace athanor::emulator
