// What checked kernels do to memory, four bytes a cell: who wrote last, who read last, in which epoch, and which bytes hold a value at
// all. Every access of an instrumented kernel comes here (emulator/instrument.cc); atomics and warp operations say so themselves.
#pragma once
#include <cstddef>
#include <cstdint>

namespace athanor::emulator {

enum class Access : std::uint8_t { read, write, atomic };

// `natural`: the address must be a multiple of the size.
void shadow_access(const void* address, std::size_t bytes, Access access, bool natural);

// A vector of the current thread.
inline void shadow_vector(const void* address, std::size_t bytes, bool write) {
  shadow_access(address, bytes, write ? Access::write : Access::read, true);
}

// The same for another thread of the running block than the current one.
void shadow_access_as(std::uint32_t thread, const void* address, std::size_t bytes, Access access, bool natural);

// A copy into shared memory under way, and its end.
void shadow_async_issue(void* to, std::size_t bytes);
void shadow_async_done(void* to, std::size_t bytes);

// The host's doings.
void shadow_fresh(void* memory, std::size_t bytes);    // allocated, holds nothing
void shadow_written(void* memory, std::size_t bytes);  // uploaded, cleared or copied to
void shadow_copied(void* to, const void* from, std::size_t bytes);

void shadow_shared_begin(std::size_t used);
void shadow_shared_array(void* data, std::size_t bytes);

// A read of memory that nobody wrote is a fault of its own only if no other thread writes there in the same epoch: then it is a
// missing barrier. Looked at when a barrier opens and when a launch ends.
void shadow_settle();
void shadow_forget();  // at the beginning of a launch

// Whether all bytes hold a value; if not, notes Fault::unwritten. True where kernels are not checked.
bool expect_written(const void* memory, std::size_t bytes, const char* what);

void shadow_begin_checking();

}  // namespace athanor::emulator
