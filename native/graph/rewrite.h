// The frame of a pass: walk the old graph in order, copy or replace its nodes into a new one, and keep track of who became what.
#pragma once
#include <vector>

#include "graph/expr.h"

namespace athanor {

class Rewriter {
 public:
  explicit Rewriter(const Graph& from) : from_(from), to_(from.sibling()), map_(from.value_count(), kNoValue) {}

  const Graph& from() const { return from_; }
  Graph& to() { return to_; }

  // What an old value is called in the new graph.
  ValueId operator[](ValueId old) const { return map_[old]; }
  Expr expr(ValueId old) { return {&to_, map_[old]}; }

  // Copies the node as it is, reading the new names of its operands.
  void copy(const Node& node);
  // Says that `old` is now `value`.
  void replace(ValueId old, ValueId value) { map_[old] = value; }

  // Carries the outputs over and hands out the new graph.
  Graph finish() &&;

 private:
  const Graph& from_;
  Graph to_;
  std::vector<ValueId> map_;
};

// How often every value is read, by nodes and as an output.
std::vector<int> count_uses(const Graph& graph);

}  // namespace athanor
