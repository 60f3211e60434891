// The proof that the collectives of all ranks match, before the first of a program runs: every rank lists those of its graph, group by
// group, and compares a hash of the list with the others of that group. Ranks that were given different programs would otherwise
// wait for each other, or add up what does not belong together.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "ops/comm/rank_group.h"

namespace athanor {

class CollectiveProof {
 public:
  // One line a collective, of every group.
  struct Sequence {
    std::shared_ptr<RankGroup> group;
    std::vector<std::string> lines;
  };
  explicit CollectiveProof(std::vector<Sequence> sequences) : sequences_(std::move(sequences)) {}

  // The first time only. Throws Code::communication on all ranks of a group, naming one that differs and in what.
  void run();

 private:
  std::vector<Sequence> sequences_;
  bool done_ = false;
};

// Null unless `node` is the graph's first collective. Messages between two ranks (send, receive) are left out: their order
// is that of the programs that a schedule runs, not of one program.
std::shared_ptr<CollectiveProof> proof_before(const Graph& graph, const Node& node);

}  // namespace athanor
