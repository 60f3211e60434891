// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
// (SC'11): four words from a 128-bit counter and a 64-bit key, with no state between calls.
//
// Streams of the engine: key = seed; counter = (low and high word of the block, stream, step). Element i of a stream is
// word (i / 16) % 4 of block (i / 64) * 16 + i % 16: sixteen neighbouring blocks fill 64 elements, so that vectors of 4, 8 or 16
// lanes need no shuffle. A stream has at most 2^32 steps.
#pragma once
#include <cstdint>

namespace athanor {

struct PhiloxBlock {
  std::uint32_t words[4];
};

[[gnu::always_inline]] constexpr PhiloxBlock philox(PhiloxBlock counter, std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  std::uint32_t* c = counter.words;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    const std::uint32_t c1 = c[1], c3 = c[3];
    c[0] = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c[1] = static_cast<std::uint32_t>(p1);
    c[2] = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c[3] = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

struct PhiloxStream {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint32_t stream = 0;

  // The 32 random bits of one element.
  [[gnu::always_inline]] constexpr std::uint32_t bits(std::uint64_t element) const {
    const std::uint64_t block = element / 64 * 16 + element % 16;
    const PhiloxBlock counter{
        {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), stream, step}};
    const PhiloxBlock block_words = philox(counter, seed);
    // Chosen by comparison: an array with a variable index would leave the registers of a GPU.
    const std::uint32_t* words = block_words.words;
    const std::uint32_t low = element & 16 ? words[1] : words[0], high = element & 16 ? words[3] : words[2];
    return element & 32 ? high : low;
  }

  // In [0, 1), a multiple of 2^-24: exact in f32.
  [[gnu::always_inline]] constexpr float uniform(std::uint64_t element) const {
    return static_cast<float>(bits(element) >> 8) * 0x1p-24f;
  }
};

}  // namespace athanor
