#include "comm/shard_tree.h"

#include <algorithm>

namespace athanor::comm {
namespace {

int split_of(int count) {
  int power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

void collect(ShardBlock node, ShardBlock own, std::vector<ShardBlock>& into) {
  const int lo = std::max(node.lo, own.lo), hi = std::min(node.lo + node.count, own.lo + own.count);
  if (lo >= hi) return;
  if (lo == node.lo && hi == node.lo + node.count) {
    into.push_back(node);
    return;
  }
  const int left = split_of(node.count);
  collect({node.lo, left}, own, into);
  collect({node.lo + left, node.count - left}, own, into);
}

// The number of the value that holds the node's sum.
int add(ShardBlock node, const std::vector<ShardBlock>& blocks, std::vector<Addition>& additions) {
  const auto found = std::find(blocks.begin(), blocks.end(), node);
  if (found != blocks.end()) return static_cast<int>(found - blocks.begin());
  const int left = split_of(node.count);
  const int into = add({node.lo, left}, blocks, additions);
  const int from = add({node.lo + left, node.count - left}, blocks, additions);
  additions.push_back({into, from});
  return into;
}

struct Builder {
  ShardSchedule schedule;
  std::vector<int> spare;

  int fresh() {
    if (spare.empty()) return schedule.buffers++;
    const int buffer = spare.back();
    spare.pop_back();
    return buffer;
  }

  // The buffer that holds the node's sum after its last shard. `waiting`: sums to the left that this node's last shard merges with.
  int visit(ShardBlock node, std::vector<int> waiting) {
    if (node.count == 1) {
      // Innermost first.
      std::reverse(waiting.begin(), waiting.end());
      const int into = waiting.empty() ? fresh() : waiting.back();
      schedule.entries.push_back({waiting, into});
      for (const int merged : waiting) {
        if (merged != into) spare.push_back(merged);
      }
      return into;
    }
    const int left = split_of(node.count);
    const int sum = visit({node.lo, left}, {});
    waiting.push_back(sum);
    return visit({node.lo + left, node.count - left}, std::move(waiting));
  }
};

}  // namespace

ShardBlock shards_of(int shards, int rank, int size) {
  const auto at = [&](int r) { return static_cast<int>(static_cast<long long>(shards) * r / size); };
  return {at(rank), at(rank + 1) - at(rank)};
}

std::vector<ShardBlock> partials_of(int shards, ShardBlock own) {
  std::vector<ShardBlock> blocks;
  collect({0, shards}, own, blocks);
  return blocks;
}

std::vector<Addition> additions_of(int shards, const std::vector<ShardBlock>& blocks) {
  std::vector<Addition> additions;
  add({0, shards}, blocks, additions);
  return additions;
}

ShardSchedule schedule_of(int shards, ShardBlock own) {
  Builder builder;
  for (const ShardBlock& block : partials_of(shards, own))
    builder.schedule.partials.push_back(builder.visit(block, {}));
  return std::move(builder.schedule);
}

}  // namespace athanor::comm
