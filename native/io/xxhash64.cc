#include "io/xxhash64.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace athanor::io {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F, kPrime3 = 0x165667B19E3779F9,
                        kPrime4 = 0x85EBCA77C2B2AE63, kPrime5 = 0x27D4EB2F165667C5;

template <class Word>
std::uint64_t word_at(const std::byte* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t input) { return std::rotl(lane + input * kPrime2, 31) * kPrime1; }

}  // namespace

void XxHash64::consume(const std::byte* stripe) {
  for (int i = 0; i < 4; ++i) lanes_[i] = round(lanes_[i], word_at<std::uint64_t>(stripe + 8 * i));
}

void XxHash64::update(std::span<const std::byte> bytes) {
  const std::size_t held = length_ % 32;
  length_ += bytes.size();
  if (held > 0) {
    const std::size_t taken = std::min(32 - held, bytes.size());
    if (taken > 0) std::memcpy(rest_ + held, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    if (held + taken < 32) return;
    consume(rest_);
  }
  for (; bytes.size() >= 32; bytes = bytes.subspan(32)) consume(bytes.data());
  if (!bytes.empty()) std::memcpy(rest_, bytes.data(), bytes.size());
}

std::uint64_t XxHash64::digest() const {
  std::uint64_t hash = kPrime5;
  if (length_ >= 32) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
    for (const std::uint64_t lane : lanes_) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
  }
  hash += length_;
  const std::byte* from = rest_;
  std::size_t left = length_ % 32;
  for (; left >= 8; left -= 8, from += 8) {
    hash = std::rotl(hash ^ round(0, word_at<std::uint64_t>(from)), 27) * kPrime1 + kPrime4;
  }
  if (left >= 4) {
    hash = std::rotl(hash ^ (word_at<std::uint32_t>(from) * kPrime1), 23) * kPrime2 + kPrime3;
    left -= 4, from += 4;
  }
  for (; left > 0; --left, ++from) hash = std::rotl(hash ^ (word_at<std::uint8_t>(from) * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

std::string hexadecimal(std::uint64_t hash) {
  std::string digits(16, '0');
  for (std::size_t i = 16; i-- > 0; hash >>= 4) digits[i] = "0123456789abcdef"[hash & 15];
  return digits;
}

}  // namespace athanor::io
