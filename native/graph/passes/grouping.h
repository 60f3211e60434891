// Which elementwise nodes are fused with which. See grouping.cc for the rule.
#pragma once
#include <vector>

#include "graph/graph.h"

namespace athanor {

// Who makes and who reads every value, and the group of every node.
struct Grouping {
  std::vector<NodeId> producer;              // of every value
  std::vector<std::vector<NodeId>> readers;  // of every value; the number of nodes stands for an output of the graph
  std::vector<NodeId> root;                  // of every node: the root of its group, or -1
};

struct Group {
  std::vector<NodeId> members;  // ascending; the last is the root
  NodeId anchor = -1;           // the matmul or convolution that carries it
};

Grouping survey(const Graph& graph);

// Groups all elementwise nodes; chains = false leaves each alone. Notes every member's root in `g`.
std::vector<Group> form_groups(const Graph& graph, Grouping& g, bool chains);

// Sets group.anchor where a matmul or convolution can carry the group.
void find_anchor(const Graph& graph, const Grouping& g, Group& group);

}  // namespace athanor
