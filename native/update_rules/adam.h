// Adam, AMSGrad (torch.optim.Adam; Kingma & Ba 2015, Reddi et al. 2018).   g += weight_decay · p
//   m += (1 - beta1) · (g - m);   v = beta2 · v + (1 - beta2) · g²;   u = amsgrad ? (vmax = max(vmax, v)) : v
//   p -= lr / (1 - beta1^t) · m / (sqrt(u) / sqrt(1 - beta2^t) + eps)
// The quotient is taken with both sides multiplied by sqrt(1 - beta2^t): one division less, the same within 2 ulp of the update.
// Decay enters as two scalars, coupled (l2) and decoupled (p *= decay), one of them neutral: AdamW is the same kernel.
#pragma once
#include <cmath>
#include <limits>

#include "update_rules/rule.h"

namespace athanor::optim {

struct Adam {
  enum Variant { plain, amsgrad, kVariants };
  enum Scalar { l2, decay, weight1, beta2, weight2, eps, rate };

  ATHANOR_RULE static constexpr unsigned state_mask(int variant) {
    const unsigned moments = 1u << AdamState::exp_avg | 1u << AdamState::exp_avg_sq;
    return variant == amsgrad ? moments | 1u << AdamState::max_exp_avg_sq : moments;
  }

  template <class Hyper>  // AdamHyper or AdamWHyper
  ATHANOR_RULE static int variant(const Hyper& h) {
    return h.amsgrad != 0 ? amsgrad : plain;
  }

  template <class Hyper>
  ATHANOR_RULE static void prepare(const Hyper& h, Index step, float* c) {
    const double root = std::sqrt(1 - std::pow(h.beta2, double(step)));
    c[l2] = float(h.weight_decay);
    c[decay] = 1;
    c[weight1] = float(1 - h.beta1);
    c[beta2] = float(h.beta2);
    c[weight2] = float(1 - h.beta2);
    // Never rounded or flushed to zero, which would divide by it where there was no gradient yet.
    c[eps] = h.eps > 0 ? std::fmax(float(h.eps * root), std::numeric_limits<float>::min()) : 0;
    c[rate] = float(h.lr / (1 - std::pow(h.beta1, double(step))) * root);
  }

  template <class V, int kVariant>
  struct Update {
    V l2_, decay_, weight1_, beta2_, weight2_, eps_, rate_;
    decltype(V::zero() < V::zero()) near_;  // which end the first moment is interpolated from, as torch.lerp does

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          decay_(V::broadcast(c[decay])),
          weight1_(V::broadcast(c[weight1] < 0.5f ? c[weight1] : c[weight1] - 1)),
          beta2_(V::broadcast(c[beta2])),
          weight2_(V::broadcast(c[weight2])),
          eps_(V::broadcast(c[eps])),
          rate_(V::broadcast(c[rate])),
          near_(V::broadcast(c[weight1]) < V::broadcast(0.5f)) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& m = s[AdamState::exp_avg];
      V& v = s[AdamState::exp_avg_sq];
      g = fma(l2_, p, g);
      m = fma(weight1_, g - m, select(near_, m, g));
      v = fma(weight2_ * g, g, beta2_ * v);
      V u = v;
      if constexpr (kVariant == amsgrad) u = s[AdamState::max_exp_avg_sq] = max_nan(s[AdamState::max_exp_avg_sq], v);
      return p * decay_ - rate_ * m / (sqrt(u) + eps_);
    }
  };
};

}  // namespace athanor::optim
