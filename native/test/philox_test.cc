// Philox4x32-10 against the known answers that come with Random123, and the layout of the engine's streams.
#include <set>

#include "base/philox.h"
#include "test/test.h"

using namespace athanor;

TEST(philox_known_answers) {
  const auto expect = [](PhiloxBlock counter, std::uint64_t key, PhiloxBlock want) {
    const PhiloxBlock got = philox(counter, key);
    for (int i = 0; i < 4; ++i) CHECK_EQ(got.words[i], want.words[i]);
  };
  expect({{0, 0, 0, 0}}, 0, {{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}});
  expect({{~0u, ~0u, ~0u, ~0u}}, ~std::uint64_t{0}, {{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}});
  expect({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}, 0x299f31d0a4093822u,
         {{0xd16cfe09u, 0x94fdcceb, 0x5001e420u, 0x24126ea1u}});
}

TEST(philox_streams_use_every_word_once) {
  const PhiloxStream stream{7, 3, 2};
  std::set<std::uint32_t> seen;
  for (std::uint64_t i = 0; i < 4096; ++i) seen.insert(stream.bits(i));
  CHECK(seen.size() >= 4090);  // a repeated block would repeat words by the hundred
  CHECK_EQ(stream.bits(17), philox({{1, 0, 2, 3}}, 7).words[1]);
  CHECK_EQ(stream.bits(64), philox({{16, 0, 2, 3}}, 7).words[0]);
  CHECK(stream.bits(5) != (PhiloxStream{7, 4, 2}.bits(5)));
  CHECK(stream.bits(5) != (PhiloxStream{7, 3, 1}.bits(5)));
  CHECK(stream.bits(5) != (PhiloxStream{8, 3, 2}.bits(5)));
}
