// The fixed tree along which the shards of a batch are summed: the same additions in the same order whoever holds which shards, so
// that the result has the same bits for any number of ranks.
//
// Shards 0 … n−1 are the leaves. A node [lo, lo + count) is split at the largest power of two below its count; every aligned block of
// a power of two is therefore a node. A rank sums the largest nodes that lie within its own run of shards (its partials, one where
// the counts are powers of two), and only these travel.
#pragma once
#include <vector>

#include "base/index.h"

namespace athanor::comm {

struct ShardBlock {
  int lo, count;
  friend bool operator==(const ShardBlock&, const ShardBlock&) = default;
};

// Which shards rank `rank` of `size` has: neighbours, as evenly as they come.
ShardBlock shards_of(int shards, int rank, int size);

// The largest nodes within `own`, in order.
std::vector<ShardBlock> partials_of(int shards, ShardBlock own);

// value[into] ← value[into] + value[from], in order; all are in value[0] in the end. `blocks` are nodes that cover all shards.
struct Addition {
  int into, from;
};
std::vector<Addition> additions_of(int shards, const std::vector<ShardBlock>& blocks);

// What a rank does with each of its shards in turn: the shard's value v becomes buffer[m] + v for every m of `merge` in order,
// and goes to buffer `into`, which is the last of them or a free one. In the end partial i is in buffer `partials[i]`.
struct ShardSchedule {
  struct Entry {
    std::vector<int> merge;
    int into;
  };
  std::vector<Entry> entries;  // one a shard of the rank
  std::vector<int> partials;
  int buffers = 0;
};
ShardSchedule schedule_of(int shards, ShardBlock own);

}  // namespace athanor::comm
