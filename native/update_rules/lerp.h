// m + weight · (g - m) from the nearer end, as torch.lerp has it: g - (1 - weight) · (g - m) where weight is a half or more.
#pragma once
#include "update_rules/rule.h"

namespace athanor::optim {

template <class V>
struct Lerp {
  V weight_;
  decltype(V::zero() < V::zero()) near_;

  ATHANOR_RULE explicit Lerp(float weight)
      : weight_(V::broadcast(weight < 0.5f ? weight : weight - 1)), near_(V::broadcast(weight) < V::broadcast(0.5f)) {}

  [[gnu::always_inline]] ATHANOR_RULE V operator()(V m, V g) const { return fma(weight_, g - m, select(near_, m, g)); }
};

}  // namespace athanor::optim
