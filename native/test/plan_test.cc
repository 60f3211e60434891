// The memory plan: pieces that live at the same time never share memory, and sharing pays.
#include <algorithm>

#include "graph/plan.h"
#include "test/test.h"

namespace athanor {
namespace {

struct Random {
  std::uint32_t state;
  int below(int n) {
    state = state * 1664525U + 1013904223U;
    return static_cast<int>((state >> 8) % static_cast<std::uint32_t>(n));
  }
};

bool lives_overlap(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

TEST(overlapping_lives_never_share_memory) {
  Random random{7};
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> items;
    const int count = 1 + random.below(60);
    for (int i = 0; i < count; ++i) {
      const int first = random.below(40);
      items.push_back({random.below(5) == 0 ? 0 : 1 + random.below(20000), first, first + random.below(10)});
    }
    const Placement placement = place(items);
    for (int i = 0; i < count; ++i) {
      CHECK(placement.offsets[i] % 64 == 0);
      CHECK(placement.offsets[i] + items[i].bytes <= placement.arena_bytes || items[i].bytes == 0);
      for (int j = 0; j < i; ++j) {
        if (items[i].bytes == 0 || items[j].bytes == 0 || !lives_overlap(items[i], items[j])) continue;
        const bool apart = placement.offsets[i] + items[i].bytes <= placement.offsets[j] ||
                           placement.offsets[j] + items[j].bytes <= placement.offsets[i];
        CHECK(apart);
      }
    }
  }
}

TEST(a_chain_of_short_lives_takes_little) {
  std::vector<Lifetime> items;
  for (int step = 0; step < 100; ++step) items.push_back({1 << 20, step, step + 1});
  const Placement placement = place(items);
  CHECK(placement.arena_bytes < 3 * (1 << 20));
  CHECK_EQ(placement.unplanned_bytes, Index{100} << 20);
}

TEST(a_reused_operand_keeps_its_place) {
  const Placement placement = place({{4096, 0, 1}, {8192, 0, 5}, {4096, 1, 3, 0}, {4096, 3, 4, 2}});
  CHECK_EQ(placement.offsets[2], placement.offsets[0]);
  CHECK_EQ(placement.offsets[3], placement.offsets[0]);
  CHECK(placement.offsets[1] >= 4096 || placement.offsets[0] >= 8192);
}

}  // namespace athanor
