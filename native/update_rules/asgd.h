// Averaged SGD (torch.optim.ASGD; Polyak & Juditsky 1992, Bottou 2010).   g += weight_decay · p
//   eta = lr / (1 + lambd · lr · (t - 1))^alpha;   p = p · (1 - lambd · eta) - eta · g
//   ax += mu · (p - ax), mu = 1 / max(1, t - 1 - t0): the last value up to step t0 + 2, the average of those after it from then on
// A rate that changes over the run takes effect in its own step; PyTorch's takes effect one step later.
#pragma once
#include <cmath>

#include "update_rules/rule.h"

namespace athanor::optim {

struct Asgd {
  enum Variant { plain, kVariants };
  enum Scalar { l2, shrink, eta, mu };

  ATHANOR_RULE static constexpr unsigned state_mask(int) { return 1u << AsgdState::ax; }

  ATHANOR_RULE static int variant(const AsgdHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const AsgdHyper& h, Index step, float* c) {
    const double before = double(step - 1);
    const double rate = h.lr / std::pow(1 + h.lambd * h.lr * before, h.alpha);
    c[l2] = float(h.weight_decay);
    c[shrink] = float(h.lambd * rate);
    c[eta] = float(rate);
    c[mu] = float(1 / std::fmax(1.0, before - h.t0));
  }

  template <class V, int>
  struct Update {
    V l2_, shrink_, eta_, mu_;
    decltype(V::zero() < V::zero()) last_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          shrink_(V::broadcast(c[shrink])),
          eta_(V::broadcast(c[eta])),
          mu_(V::broadcast(c[mu])),
          last_(V::broadcast(c[mu]) == V::broadcast(1)) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& ax = s[AsgdState::ax];
      g = fma(l2_, p, g);
      p = fnma(eta_, g, fnma(shrink_, p, p));
      ax = select(last_, p, fma(mu_, p - ax, ax));
      return p;
    }
  };
};

}  // namespace athanor::optim
