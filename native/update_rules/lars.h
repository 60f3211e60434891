// LARS (You et al. 2017): SGD with momentum whose gradient, decay included, is scaled by tensor; momentum, dampening and Nesterov as
// in torch.optim.SGD, with the rate outside of the buffer, as timm and Apex have it (the paper has it inside: the same for a steady rate).
//   g = trust · ‖p‖ / (‖g‖ + weight_decay · ‖p‖ + eps) · (g + weight_decay · p);   the factor is 1 where a norm is 0, or `adaptive` is off
#pragma once
#include <cmath>

#include "update_rules/passes.h"
#include "update_rules/sgd.h"

namespace athanor::optim {

struct Lars {
  enum Variant { plain, with_momentum, nesterov, kVariants };
  enum Scalar { l2, momentum, keep, lr, trust, eps, adaptive, local };

  ATHANOR_RULE static constexpr unsigned state_mask(int variant) {
    return variant == plain ? 0 : 1u << LarsState::momentum_buffer;
  }

  ATHANOR_RULE static int variant(const LarsHyper& h, bool) {
    if (h.momentum == 0) return plain;
    return h.nesterov != 0 ? nesterov : with_momentum;
  }

  ATHANOR_RULE static void prepare(const LarsHyper& h, Index step, float* c) {
    c[l2] = float(h.weight_decay);
    c[momentum] = float(h.momentum);
    c[keep] = float(step <= 1 ? 1.0 : 1.0 - h.dampening);
    c[lr] = float(h.lr);
    c[trust] = float(h.trust);
    c[eps] = float(h.eps);
    c[adaptive] = float(h.adaptive);
  }

  ATHANOR_RULE static constexpr Traffic traffic(int variant, int pass) {
    if (pass == 0) return {.grad = true, .param = true, .sums = 2};
    const unsigned slots = state_mask(variant);
    if (pass == 1) return {.grad = true, .param = true, .update = true, .reads = slots, .writes = slots};
    return {};
  }

  ATHANOR_RULE static void after(int, int, Index, const double* sums, float* c) {
    const double p = std::sqrt(sums[0]), g = std::sqrt(sums[1]);
    const bool one = c[adaptive] == 0 || p == 0 || g == 0;
    c[local] = one ? 1 : float(double(c[trust]) * p / (g + double(c[l2]) * p + double(c[eps])));
  }

  template <class V, int kVariant, int kPass>
  struct Pass {
    V l2_, momentum_, keep_, lr_, local_;

    ATHANOR_RULE explicit Pass(const float* c)
        : l2_(V::broadcast(c[l2])),
          momentum_(V::broadcast(c[momentum])),
          keep_(V::broadcast(c[keep])),
          lr_(V::broadcast(c[lr])),
          local_(V::broadcast(c[local])) {}

    [[gnu::always_inline]] ATHANOR_RULE void operator()(Elements<V>& e) const {
      if constexpr (kPass == 0) {
        e.sums[0] = fma(e.p, e.p, e.sums[0]);
        e.sums[1] = fma(e.g, e.g, e.sums[1]);
        return;
      }
      V g = local_ * fma(l2_, e.p, e.g);
      if constexpr (kVariant != plain) {
        V& b = e.s[LarsState::momentum_buffer];
        b = fma(keep_, g, momentum_ * b);
        g = kVariant == nesterov ? fma(momentum_, b, g) : b;
      }
      e.p = fnma(lr_, g, e.p);
    }
  };
};

}  // namespace athanor::optim
