// Adadelta (torch.optim.Adadelta; Zeiler 2012).   g += weight_decay · p
//   q = rho · q + (1 - rho) · g²;   d = sqrt(a + eps) / sqrt(q + eps) · g;   a = rho · a + (1 - rho) · d²;   p -= lr · d
#pragma once
#include "update_rules/rule.h"

namespace athanor::optim {

struct Adadelta {
  enum Variant { plain, kVariants };
  enum Scalar { l2, rho, weight, eps, lr };

  ATHANOR_RULE static constexpr unsigned state_mask(int) {
    return 1u << AdadeltaState::square_avg | 1u << AdadeltaState::acc_delta;
  }

  ATHANOR_RULE static int variant(const AdadeltaHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const AdadeltaHyper& h, Index, float* c) {
    c[l2] = float(h.weight_decay);
    c[rho] = float(h.rho);
    c[weight] = float(1 - h.rho);
    c[eps] = float(h.eps);
    c[lr] = float(h.lr);
  }

  template <class V, int>
  struct Update {
    V l2_, rho_, weight_, eps_, lr_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          rho_(V::broadcast(c[rho])),
          weight_(V::broadcast(c[weight])),
          eps_(V::broadcast(c[eps])),
          lr_(V::broadcast(c[lr])) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& q = s[AdadeltaState::square_avg];
      V& a = s[AdadeltaState::acc_delta];
      g = fma(l2_, p, g);
      q = fma(weight_ * g, g, rho_ * q);
      const V d = sqrt(a + eps_) / sqrt(q + eps_) * g;
      a = fma(weight_ * d, d, rho_ * a);
      return fnma(lr_, d, p);
    }
  };
};

}  // namespace athanor::optim
