#include "graph/plan.h"

#include <algorithm>
#include <numeric>

namespace athanor {
namespace {

// Blocks of equal power-of-two sizes fall on the same cache sets; an odd number of lines between them spreads them out.
constexpr Index kSkew = 3;

Index rounded(Index bytes, Index alignment) {
  return ((bytes + alignment - 1) / alignment + (bytes >= 4096 ? kSkew : 0)) * alignment;
}

struct Placed {
  Index offset, end;
  int first, last;
};

Index first_fit(const std::vector<Placed>& placed, Index bytes, int first, int last) {
  Index at = 0;
  for (const Placed& other : placed) {  // sorted by offset
    if (other.last < first || other.first > last) continue;
    if (at + bytes <= other.offset) break;
    at = std::max(at, other.end);
  }
  return at;
}

// Items that hand their memory on form one chain with one lifetime and the size of its largest.
struct Chain {
  Index bytes = 0;
  int first = 0, last = 0;
};

}  // namespace

Placement place(const std::vector<Lifetime>& items, Index alignment) {
  Placement placement;
  placement.offsets.assign(items.size(), 0);
  std::vector<int> chain_of(items.size());
  std::vector<Chain> chains;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Lifetime& item = items[i];
    placement.unplanned_bytes += item.bytes;
    if (item.reuse >= 0) {
      Chain& chain = chains[chain_of[i] = chain_of[item.reuse]];
      chain.bytes = std::max(chain.bytes, item.bytes);
      chain.first = std::min(chain.first, item.first);
      chain.last = std::max(chain.last, item.last);
    } else {
      chain_of[i] = static_cast<int>(chains.size());
      chains.push_back({item.bytes, item.first, item.last});
    }
  }
  std::vector<int> order(chains.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return chains[a].bytes > chains[b].bytes; });
  std::vector<Placed> placed;
  std::vector<Index> chain_offset(chains.size(), 0);
  for (const int id : order) {
    const Chain& chain = chains[id];
    if (chain.bytes == 0) continue;
    const Index bytes = rounded(chain.bytes, alignment);
    const Index offset = first_fit(placed, bytes, chain.first, chain.last);
    const Placed entry{offset, offset + bytes, chain.first, chain.last};
    placed.insert(std::upper_bound(placed.begin(), placed.end(), entry,
                                   [](const Placed& a, const Placed& b) { return a.offset < b.offset; }),
                  entry);
    chain_offset[id] = offset;
    placement.arena_bytes = std::max(placement.arena_bytes, offset + bytes);
  }
  for (std::size_t i = 0; i < items.size(); ++i) placement.offsets[i] = chain_offset[chain_of[i]];
  return placement;
}

}  // namespace athanor
