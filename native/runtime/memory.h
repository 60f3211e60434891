// Memory for tensors: blocks aligned to 64 bytes, on huge pages when they are large (the first touch of a 4 KiB page costs far
// more than the use of it). Every byte is counted, so that the bindings can report it to V8.
#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/index.h"

namespace athanor {

class Block {
 public:
  // Zero-filled. Throws Code::memory when the system has no such room.
  explicit Block(Index bytes);
  ~Block();
  Block(Block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        mapped_(std::exchange(other.mapped_, 0)) {}
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::byte* data() const { return data_; }
  Index bytes() const { return bytes_; }

  // Bytes held by all blocks of the process.
  static std::int64_t total();

 private:
  std::byte* data_ = nullptr;
  Index bytes_ = 0;
  Index mapped_ = 0;
};

}  // namespace athanor
