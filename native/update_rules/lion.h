// Lion (Chen et al. 2023, algorithm 2): the sign of an interpolated momentum; decay is decoupled.
//   u = sign(beta1 · m + (1 - beta1) · g);   p = p · (1 - lr · weight_decay) - lr · u;   m = beta2 · m + (1 - beta2) · g
#pragma once
#include "update_rules/rule.h"

namespace athanor::optim {

struct Lion {
  enum Variant { plain, kVariants };
  enum Scalar { shrink, beta1, weight1, beta2, weight2, lr };

  ATHANOR_RULE static constexpr unsigned state_mask(int) { return 1u << LionState::exp_avg; }

  ATHANOR_RULE static int variant(const LionHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const LionHyper& h, Index, float* c) {
    c[shrink] = float(h.lr * h.weight_decay);
    c[beta1] = float(h.beta1);
    c[weight1] = float(1 - h.beta1);
    c[beta2] = float(h.beta2);
    c[weight2] = float(1 - h.beta2);
    c[lr] = float(h.lr);
  }

  template <class V, int>
  struct Update {
    V shrink_, beta1_, weight1_, beta2_, weight2_, lr_;

    ATHANOR_RULE explicit Update(const float* c)
        : shrink_(V::broadcast(c[shrink])),
          beta1_(V::broadcast(c[beta1])),
          weight1_(V::broadcast(c[weight1])),
          beta2_(V::broadcast(c[beta2])),
          weight2_(V::broadcast(c[weight2])),
          lr_(V::broadcast(c[lr])) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& m = s[LionState::exp_avg];
      const V u = fma(beta1_, m, weight1_ * g);
      const V step = select(u > V::zero(), lr_, select(u < V::zero(), -lr_, u));  // 0 stays 0, NaN stays NaN
      m = fma(beta2_, m, weight2_ * g);
      return fnma(shrink_, p, p) - step;
    }
  };
};

}  // namespace athanor::optim
