// RMSProp, centered and with momentum (torch.optim.RMSprop; Graves 2013).   g += weight_decay · p
//   q = alpha · q + (1 - alpha) · g²;   centered: a += (1 - alpha) · (g - a), r = sqrt(q - a²) + eps;   else r = sqrt(q) + eps
//   momentum: b = momentum · b + g / r, p -= lr · b;   else p -= lr · g / r
// q - a² is a variance, which rounding can push below zero; it is held at zero where PyTorch would go on with NaN.
#pragma once
#include "update_rules/rule.h"

namespace athanor::optim {

struct RmsProp {
  enum Variant { plain = 0, centered = 1, with_momentum = 2, kVariants = 4 };  // two flags
  enum Scalar { l2, alpha, weight, eps, momentum, lr };

  ATHANOR_RULE static constexpr unsigned state_mask(int variant) {
    unsigned mask = 1u << RmsPropState::square_avg;
    if (variant & centered) mask |= 1u << RmsPropState::grad_avg;
    if (variant & with_momentum) mask |= 1u << RmsPropState::momentum_buffer;
    return mask;
  }

  ATHANOR_RULE static int variant(const RmsPropHyper& h) {
    return (h.centered != 0 ? centered : 0) | (h.momentum > 0 ? with_momentum : 0);
  }

  ATHANOR_RULE static void prepare(const RmsPropHyper& h, Index, float* c) {
    c[l2] = float(h.weight_decay);
    c[alpha] = float(h.alpha);
    c[weight] = float(1 - h.alpha);
    c[eps] = float(h.eps);
    c[momentum] = float(h.momentum);
    c[lr] = float(h.lr);
  }

  template <class V, int kVariant>
  struct Update {
    V l2_, alpha_, weight_, lerp_, eps_, momentum_, lr_;
    decltype(V::zero() < V::zero()) near_;  // as in adam.h

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          alpha_(V::broadcast(c[alpha])),
          weight_(V::broadcast(c[weight])),
          lerp_(V::broadcast(c[weight] < 0.5f ? c[weight] : c[weight] - 1)),
          eps_(V::broadcast(c[eps])),
          momentum_(V::broadcast(c[momentum])),
          lr_(V::broadcast(c[lr])),
          near_(V::broadcast(c[weight]) < V::broadcast(0.5f)) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& q = s[RmsPropState::square_avg];
      g = fma(l2_, p, g);
      q = fma(weight_ * g, g, alpha_ * q);
      V variance = q;
      if constexpr (kVariant & centered) {
        V& a = s[RmsPropState::grad_avg];
        a = fma(lerp_, g - a, select(near_, a, g));
        variance = max(V::zero(), q - a * a);  // the second operand where it is NaN
      }
      const V r = sqrt(variance) + eps_;
      if constexpr (kVariant & with_momentum) {
        V& b = s[RmsPropState::momentum_buffer];
        b = fma(momentum_, b, g / r);
        return fnma(lr_, b, p);
      }
      return p - lr_ * g / r;
    }
  };
};

}  // namespace athanor::optim
