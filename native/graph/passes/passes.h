// The passes between a traced graph and a compiled one. Each takes a graph and gives a new one that computes the same.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace athanor {

// Drops what no output and no effect needs. Inputs stay, so that a program keeps its signature.
Graph eliminate_dead(const Graph& graph);

// Makes one node of equal ones.
Graph eliminate_common(const Graph& graph);

// Algebra that costs nothing: transposes into matmul, x · 1, x + 0, casts and reshapes that change nothing, double negation,
// reshape of reshape, transpose of transpose, where(y > 0, dy, 0) into relu_grad.
Graph simplify(const Graph& graph);

// Computes nodes whose operands are all constants, by `evaluate`: a graph without inputs → the bytes of its outputs.
using Evaluate = std::function<std::vector<std::vector<std::byte>>(const Graph&)>;
Graph fold_constants(const Graph& graph, const Evaluate& evaluate);

struct FuseOptions {
  bool chains = true;     // false: every elementwise node alone
  bool epilogues = true;  // into the matmul or convolution that feeds them (bias, activation, residual, gradient masks)
};

// Gathers elementwise nodes into `fused` nodes and epilogues. No elementwise node is left afterwards.
Graph fuse_elementwise(const Graph& graph, FuseOptions options = {});

// Moves every collective to where its last operand has been made: communication begins as early as it can, beside the work that
// follows. One that gives a value is waited for where that is first read. Their order among themselves follows from the graph
// alone, so that it is the same on all ranks.
Graph place_collectives(const Graph& graph);

struct PassSnapshot {
  std::string pass;
  std::string text;
};

// All of the above in their order. With `snapshots`, the graph as text before the first pass and after each.
Graph optimize(const Graph& graph, const Evaluate& evaluate, FuseOptions fuse = {},
               std::vector<PassSnapshot>* snapshots = nullptr);

}  // namespace athanor
