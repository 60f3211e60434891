// RAdam (torch.optim.RAdam; Liu et al. 2020).   g += weight_decay · p, or decoupled: p *= 1 - lr · weight_decay
//   m += (1 - beta1) · (g - m);   v = beta2 · v + (1 - beta2) · g²
//   rho_inf = 2 / (1 - beta2) - 1;   rho = rho_inf - 2 t beta2^t / (1 - beta2^t)
//   rho > 5:  p -= lr · m / (1 - beta1^t) · rect · sqrt(1 - beta2^t) / (sqrt(v) + eps)
//   else      p -= lr · m / (1 - beta1^t)                  the first steps, whose variance is not known yet
// Both are rate · m / (share · sqrt(v) + floor), with share 1 and floor eps or with 0 and 1.
#pragma once
#include <cmath>

#include "update_rules/lerp.h"
#include "update_rules/rule.h"

namespace athanor::optim {

struct RAdam {
  enum Variant { plain, kVariants };
  enum Scalar { l2, shrink, weight1, beta2, weight2, share, floor, rate };

  ATHANOR_RULE static constexpr unsigned state_mask(int) {
    return 1u << RAdamState::exp_avg | 1u << RAdamState::exp_avg_sq;
  }

  ATHANOR_RULE static int variant(const RAdamHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const RAdamHyper& h, Index step, float* c) {
    const double t = double(step), decayed = std::pow(h.beta2, t);
    const double most = 2 / (1 - h.beta2) - 1, rho = most - 2 * t * decayed / (1 - decayed);
    const bool adaptive = rho > 5, decoupled = h.decoupled_weight_decay != 0;
    const double rectified = std::sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho));
    const double corrected = h.lr / (1 - std::pow(h.beta1, t));
    c[l2] = decoupled ? 0 : float(h.weight_decay);
    c[shrink] = decoupled ? float(h.lr * h.weight_decay) : 0;
    c[weight1] = float(1 - h.beta1);
    c[beta2] = float(h.beta2);
    c[weight2] = float(1 - h.beta2);
    c[share] = adaptive ? 1 : 0;
    c[floor] = adaptive ? float(h.eps) : 1;
    c[rate] = float(adaptive ? corrected * rectified * std::sqrt(1 - decayed) : corrected);
  }

  template <class V, int>
  struct Update {
    V l2_, shrink_, beta2_, weight2_, share_, floor_, rate_;
    Lerp<V> lerp_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          shrink_(V::broadcast(c[shrink])),
          beta2_(V::broadcast(c[beta2])),
          weight2_(V::broadcast(c[weight2])),
          share_(V::broadcast(c[share])),
          floor_(V::broadcast(c[floor])),
          rate_(V::broadcast(c[rate])),
          lerp_(c[weight1]) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& m = s[RAdamState::exp_avg];
      V& v = s[RAdamState::exp_avg_sq];
      g = fma(l2_, p, g);
      m = lerp_(m, g);
      v = fma(weight2_ * g, g, beta2_ * v);
      return fnma(shrink_, p, p) - rate_ * m / fma(share_, sqrt(v), floor_);
    }
  };
};

}  // namespace athanor::optim
