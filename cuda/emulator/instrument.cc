// The functions that GCC's -fsanitize=thread calls around every access of the kernels. ThreadSanitizer's own library is not linked:
// these take its place, and only units compiled that way call them.
#include <cstddef>

#include "cuda/emulator/shadow.h"

using athanor::emulator::Access;
using athanor::emulator::shadow_access;

extern "C" {

void __tsan_init() { athanor::emulator::shadow_begin_checking(); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define ACCESS(bytes)                                                                                   \
  void __tsan_read##bytes(void* p) { shadow_access(p, bytes, Access::read, true); }                     \
  void __tsan_write##bytes(void* p) { shadow_access(p, bytes, Access::write, true); }                   \
  void __tsan_unaligned_read##bytes(void* p) { shadow_access(p, bytes, Access::read, false); }          \
  void __tsan_unaligned_write##bytes(void* p) { shadow_access(p, bytes, Access::write, false); }        \
  void __tsan_volatile_read##bytes(void* p) { shadow_access(p, bytes, Access::read, true); }            \
  void __tsan_volatile_write##bytes(void* p) { shadow_access(p, bytes, Access::write, true); }          \
  void __tsan_unaligned_volatile_read##bytes(void* p) { shadow_access(p, bytes, Access::read, false); } \
  void __tsan_unaligned_volatile_write##bytes(void* p) { shadow_access(p, bytes, Access::write, false); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
#undef ACCESS

void __tsan_read_range(void* p, std::size_t bytes) {
  if (bytes > 0) shadow_access(p, bytes, Access::read, false);
}
void __tsan_write_range(void* p, std::size_t bytes) {
  if (bytes > 0) shadow_access(p, bytes, Access::write, false);
}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

// Statics with constructors and the like in host code of such a unit.
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}
unsigned char __tsan_atomic8_load(const volatile unsigned char* p, int order) {
  (void)order;
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
}
