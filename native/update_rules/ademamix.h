// AdEMAMix (Pagliardini et al. 2024, algorithm 1): Adam with a second, slow mean of the gradient; decay is decoupled.
//   m1 += (1 - beta1) · (g - m1);   m2 += (1 - beta3) · (g - m2);   v = beta2 · v + (1 - beta2) · g²
//   p -= lr · ((m1 / (1 - beta1^t) + alpha · m2) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay · p)
// The paper warms alpha and beta3 up: both take schedules.
#pragma once
#include <cmath>
#include <limits>

#include "update_rules/rule.h"

namespace athanor::optim {

struct AdEMAMix {
  enum Variant { plain, kVariants };
  enum Scalar { shrink, weight1, weight3, beta2, weight2, eps, rate1, rate3 };

  ATHANOR_RULE static constexpr unsigned state_mask(int) { return 7u; }

  ATHANOR_RULE static int variant(const AdEMAMixHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const AdEMAMixHyper& h, Index step, float* c) {
    const double t = double(step), root = std::sqrt(1 - std::pow(h.beta2, t));
    c[shrink] = float(h.lr * h.weight_decay);
    c[weight1] = float(1 - h.beta1);
    c[weight3] = float(1 - h.beta3);
    c[beta2] = float(h.beta2);
    c[weight2] = float(1 - h.beta2);
    c[eps] = h.eps > 0 ? std::fmax(float(h.eps * root), std::numeric_limits<float>::min()) : 0;
    c[rate1] = float(h.lr / (1 - std::pow(h.beta1, t)) * root);
    c[rate3] = float(h.lr * h.alpha * root);
  }

  template <class V, int>
  struct Update {
    V shrink_, weight1_, weight3_, beta2_, weight2_, eps_, rate1_, rate3_;

    ATHANOR_RULE explicit Update(const float* c)
        : shrink_(V::broadcast(c[shrink])),
          weight1_(V::broadcast(c[weight1])),
          weight3_(V::broadcast(c[weight3])),
          beta2_(V::broadcast(c[beta2])),
          weight2_(V::broadcast(c[weight2])),
          eps_(V::broadcast(c[eps])),
          rate1_(V::broadcast(c[rate1])),
          rate3_(V::broadcast(c[rate3])) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& m = s[AdEMAMixState::exp_avg];
      V& slow = s[AdEMAMixState::exp_avg_slow];
      V& v = s[AdEMAMixState::exp_avg_sq];
      m = fma(weight1_, g - m, m);
      slow = fma(weight3_, g - slow, slow);
      v = fma(weight2_ * g, g, beta2_ * v);
      return fnma(shrink_, p, p) - fma(rate1_, m, rate3_ * slow) / (sqrt(v) + eps_);
    }
  };
};

}  // namespace athanor::optim
