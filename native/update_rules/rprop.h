// Rprop (torch.optim.Rprop; Riedmiller & Braun 1993): steps by the sign of the gradient alone, for full batches.
//   g · prev > 0: size *= eta_plus;   < 0: size *= eta_minus and g = 0;   size = clamp(size, min_step, max_step)
//   p -= sign(g) · size;   prev = g.   lr is where size starts from.
#pragma once
#include "update_rules/rule.h"

namespace athanor::optim {

struct Rprop {
  enum Variant { plain, kVariants };
  enum Scalar { minus, plus, least, most };

  ATHANOR_RULE static constexpr unsigned state_mask(int) {
    return 1u << RpropState::prev | 1u << RpropState::step_size;
  }

  ATHANOR_RULE static int variant(const RpropHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const RpropHyper& h, Index, float* c) {
    c[minus] = float(h.eta_minus);
    c[plus] = float(h.eta_plus);
    c[least] = float(h.min_step);
    c[most] = float(h.max_step);
  }

  template <class V, int>
  struct Update {
    V minus_, plus_, least_, most_;

    ATHANOR_RULE explicit Update(const float* c)
        : minus_(V::broadcast(c[minus])),
          plus_(V::broadcast(c[plus])),
          least_(V::broadcast(c[least])),
          most_(V::broadcast(c[most])) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& prev = s[RpropState::prev];
      V& size = s[RpropState::step_size];
      const V zero = V::zero();
      // The signs are compared rather than the product, which could round to zero.
      const auto up = ((g > zero) & (prev > zero)) | ((g < zero) & (prev < zero));
      const auto turned = ((g > zero) & (prev < zero)) | ((g < zero) & (prev > zero));
      size = max(least_, min(most_, select(up, size * plus_, select(turned, size * minus_, size))));
      g = select(turned, zero, g);
      prev = g;
      const V step = select(g > zero, size, select(g < zero, -size, g * size));  // NaN stays NaN
      return p - step;
    }
  };
};

}  // namespace athanor::optim
