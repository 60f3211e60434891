// cp.async: a copy from global to shared memory is under way from its issue to the wait that covers it. The bytes move at the wait,
// so that a kernel that waits too little reads what was there before.
#pragma once
#include <cstdint>

namespace athanor::emulator {

// bytes: 4, 8 or 16, both ends aligned to them. Of `from` only `valid` bytes are read; the others become zero.
void async_copy(void* to, const void* from, std::uint32_t bytes, std::uint32_t valid);
void async_commit();
void async_wait(std::uint32_t newest);  // all groups are done but the `newest` last ones
void async_wait_all();                  // and copies that no group holds yet

void async_block_begin(std::uint32_t threads);
void async_thread_end();

}  // namespace athanor::emulator
