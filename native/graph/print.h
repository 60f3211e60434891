// A graph for a person: a line a node, or Graphviz dot.
#pragma once
#include <string>

#include "graph/graph.h"

namespace athanor {

std::string print_text(const Graph& graph);
std::string print_dot(const Graph& graph);

}  // namespace athanor
