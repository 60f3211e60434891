// Adamax (torch.optim.Adamax; Kingma & Ba 2015, section 7.1).   g += weight_decay · p
//   m += (1 - beta1) · (g - m);   u = max(beta2 · u, |g| + eps);   p -= lr / (1 - beta1^t) · m / u
#pragma once
#include <cmath>

#include "update_rules/lerp.h"
#include "update_rules/rule.h"

namespace athanor::optim {

struct Adamax {
  enum Variant { plain, kVariants };
  enum Scalar { l2, weight1, beta2, eps, rate };

  ATHANOR_RULE static constexpr unsigned state_mask(int) {
    return 1u << AdamaxState::exp_avg | 1u << AdamaxState::exp_inf;
  }

  ATHANOR_RULE static int variant(const AdamaxHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const AdamaxHyper& h, Index step, float* c) {
    c[l2] = float(h.weight_decay);
    c[weight1] = float(1 - h.beta1);
    c[beta2] = float(h.beta2);
    c[eps] = float(h.eps);
    c[rate] = float(h.lr / (1 - std::pow(h.beta1, double(step))));
  }

  template <class V, int>
  struct Update {
    V l2_, beta2_, eps_, rate_;
    Lerp<V> lerp_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          beta2_(V::broadcast(c[beta2])),
          eps_(V::broadcast(c[eps])),
          rate_(V::broadcast(c[rate])),
          lerp_(c[weight1]) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& m = s[AdamaxState::exp_avg];
      V& u = s[AdamaxState::exp_inf];
      g = fma(l2_, p, g);
      m = lerp_(m, g);
      u = max(beta2_ * u, abs(g) + eps_);  // the second operand where g is NaN, so that u is NaN then
      return p - rate_ * m / u;
    }
  };
};

}  // namespace athanor::optim
