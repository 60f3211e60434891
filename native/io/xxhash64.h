// XXH64 (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md), seed 0: a checksum of 64 bits that runs as fast as memory. It finds
// damage, with a chance of 2⁻⁶⁴ to miss it; it is no protection against somebody who means harm. `xxhsum -H64` prints the same.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace athanor::io {

class XxHash64 {
 public:
  void update(std::span<const std::byte> bytes);
  std::uint64_t digest() const;  // of everything so far; more may follow

 private:
  void consume(const std::byte* stripe);

  std::uint64_t lanes_[4] = {0x60EA27EEADC0B5D6, 0xC2B2AE3D27D4EB4F, 0, 0x61C8864E7A143579};
  std::byte rest_[32];  // of an unfinished stripe: length_ % 32 bytes
  std::uint64_t length_ = 0;
};

// As 16 hexadecimal digits, as xxhsum prints it.
std::string hexadecimal(std::uint64_t hash);

// A file's length and hash, from which it is known again.
struct Fingerprint {
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
};

}  // namespace athanor::io
