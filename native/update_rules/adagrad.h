// Adagrad (torch.optim.Adagrad; Duchi et al. 2011).   g += weight_decay · p
//   q += g²;   p -= lr / (1 + (t - 1) · lr_decay) · g / (sqrt(q) + eps);   q starts at initial_accumulator
#pragma once
#include "update_rules/rule.h"

namespace athanor::optim {

struct Adagrad {
  enum Variant { plain, kVariants };
  enum Scalar { l2, eps, rate };

  ATHANOR_RULE static constexpr unsigned state_mask(int) { return 1u << AdagradState::sum; }

  ATHANOR_RULE static int variant(const AdagradHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const AdagradHyper& h, Index step, float* c) {
    c[l2] = float(h.weight_decay);
    c[eps] = float(h.eps);
    c[rate] = float(h.lr / (1 + double(step - 1) * h.lr_decay));
  }

  template <class V, int kVariant>
  struct Update {
    V l2_, eps_, rate_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])), eps_(V::broadcast(c[eps])), rate_(V::broadcast(c[rate])) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& q = s[AdagradState::sum];
      g = fma(l2_, p, g);
      q = fma(g, g, q);
      return p - rate_ * g / (sqrt(q) + eps_);
    }
  };
};

}  // namespace athanor::optim
