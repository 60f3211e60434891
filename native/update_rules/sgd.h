// SGD (torch.optim.SGD).   g += weight_decay · p
//   b = momentum · b + (1 - dampening) · g, at step 1  b = g;   d = nesterov ? g + momentum · b : b;   p -= lr · d
#pragma once
#include "update_rules/rule.h"

namespace athanor::optim {

struct Sgd {
  enum Variant { plain, with_momentum, nesterov, kVariants };
  enum Scalar { l2, momentum, keep, lr };

  ATHANOR_RULE static constexpr unsigned state_mask(int variant) {
    return variant == plain ? 0 : 1u << SgdState::momentum_buffer;
  }

  ATHANOR_RULE static int variant(const SgdHyper& h) {
    if (h.momentum == 0) return plain;
    return h.nesterov != 0 ? nesterov : with_momentum;
  }

  // The buffer starts as zeros, so "b = g at step 1" is a step without dampening.
  ATHANOR_RULE static void prepare(const SgdHyper& h, Index step, float* c) {
    c[l2] = float(h.weight_decay);
    c[momentum] = float(h.momentum);
    c[keep] = float(step <= 1 ? 1.0 : 1.0 - h.dampening);
    c[lr] = float(h.lr);
  }

  template <class V, int kVariant>
  struct Update {
    V l2_, momentum_, keep_, lr_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          momentum_(V::broadcast(c[momentum])),
          keep_(V::broadcast(c[keep])),
          lr_(V::broadcast(c[lr])) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      g = fma(l2_, p, g);
      if constexpr (kVariant != plain) {
        V& b = s[SgdState::momentum_buffer];
        b = fma(keep_, g, momentum_ * b);
        g = kVariant == nesterov ? fma(momentum_, b, g) : b;
      }
      return fnma(lr_, g, p);
    }
  };
};

}  // namespace athanor::optim
