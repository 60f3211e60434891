#include "runtime/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "base/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace athanor {
namespace {

constexpr Index kAlignment = 64;
constexpr Index kHugePage = Index{2} << 20;

std::atomic<std::int64_t> total_bytes{0};

[[noreturn]] void refuse(Index bytes) {
  throw Error(Code::memory, "out of memory: " + std::to_string(bytes) + " bytes for tensors are not to be had; " +
                                "use a smaller batch, or dispose models and programs that are done");
}

}  // namespace

Block::Block(Index bytes) : bytes_(bytes) {
  if (bytes == 0) return;
#if defined(__linux__)
  if (bytes >= kHugePage) {
    mapped_ = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    void* map =
        mmap(nullptr, static_cast<std::size_t>(mapped_), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) refuse(bytes);
    madvise(map, static_cast<std::size_t>(mapped_), MADV_HUGEPAGE);
    data_ = static_cast<std::byte*>(map);
    total_bytes += bytes_;
    return;
  }
#endif
  data_ = static_cast<std::byte*>(
      ::operator new(static_cast<std::size_t>(bytes), std::align_val_t{kAlignment}, std::nothrow));
  if (data_ == nullptr) refuse(bytes);
  std::memset(data_, 0, static_cast<std::size_t>(bytes));
  total_bytes += bytes_;
}

Block::~Block() {
  if (data_ == nullptr) return;
  total_bytes -= bytes_;
#if defined(__linux__)
  if (mapped_ > 0) {
    munmap(data_, static_cast<std::size_t>(mapped_));
    return;
  }
#endif
  ::operator delete(data_, std::align_val_t{kAlignment});
}

std::int64_t Block::total() { return total_bytes.load(); }

}  // namespace athanor
