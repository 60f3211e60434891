// NAdam (torch.optim.NAdam; Dozat 2016).   g += weight_decay · p, or decoupled: p *= 1 - lr · weight_decay
//   m += (1 - beta1) · (g - m);   v = beta2 · v + (1 - beta2) · g²;   r = sqrt(v / (1 - beta2^t)) + eps
//   mu_i = beta1 · (1 - 0.96^(i · momentum_decay) / 2);   M = mu_1 · … · mu_t
//   p -= lr · (1 - mu_t) / (1 - M) · g / r;   p -= lr · mu_t+1 / (1 - M · mu_t+1) · m / r
// PyTorch carries the product M from step to step. Here it has a closed form, so that a step depends on its number alone; where
// beta1 itself is scheduled, M is that of a run which had the present beta1 from the start.
#pragma once
#include <cmath>
#include <limits>

#include "update_rules/lerp.h"
#include "update_rules/rule.h"

namespace athanor::optim {

struct NAdam {
  enum Variant { plain, kVariants };
  enum Scalar { l2, shrink, weight1, beta2, weight2, eps, rate_g, rate_m };

  ATHANOR_RULE static constexpr unsigned state_mask(int) {
    return 1u << NAdamState::exp_avg | 1u << NAdamState::exp_avg_sq;
  }

  ATHANOR_RULE static int variant(const NAdamHyper&) { return plain; }

  // The logarithm of (1 - q/2) · … · (1 - q^t/2): the series of log(1 - x) term by term, each term a geometric sum over i.
  ATHANOR_RULE static double log_product(double log_q, double t) {
    if (log_q == 0) return t * std::log(0.5);
    double sum = 0, half = 0.5;
    for (int k = 1; k <= 60; ++k, half /= 2) {
      const double power = k * log_q;
      sum -= half / k * std::exp(power) * std::expm1(power * t) / std::expm1(power);
    }
    return sum;
  }

  ATHANOR_RULE static void prepare(const NAdamHyper& h, Index step, float* c) {
    const double t = double(step), log_q = h.momentum_decay * std::log(0.96);
    const double mu = h.beta1 * (1 - 0.5 * std::exp(t * log_q));
    const double next = h.beta1 * (1 - 0.5 * std::exp((t + 1) * log_q));
    const double product = std::pow(h.beta1, t) * std::exp(log_product(log_q, t));
    const double root = std::sqrt(1 - std::pow(h.beta2, t));
    const bool decoupled = h.decoupled_weight_decay != 0;
    c[l2] = decoupled ? 0 : float(h.weight_decay);
    c[shrink] = decoupled ? float(h.lr * h.weight_decay) : 0;
    c[weight1] = float(1 - h.beta1);
    c[beta2] = float(h.beta2);
    c[weight2] = float(1 - h.beta2);
    c[eps] = h.eps > 0 ? std::fmax(float(h.eps * root), std::numeric_limits<float>::min()) : 0;
    c[rate_g] = float(h.lr * (1 - mu) / (1 - product) * root);
    c[rate_m] = float(h.lr * next / (1 - product * next) * root);
  }

  template <class V, int>
  struct Update {
    V l2_, shrink_, beta2_, weight2_, eps_, rate_g_, rate_m_;
    Lerp<V> lerp_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          shrink_(V::broadcast(c[shrink])),
          beta2_(V::broadcast(c[beta2])),
          weight2_(V::broadcast(c[weight2])),
          eps_(V::broadcast(c[eps])),
          rate_g_(V::broadcast(c[rate_g])),
          rate_m_(V::broadcast(c[rate_m])),
          lerp_(c[weight1]) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V p, V g, V (&s)[kMaxState]) const {
      V& m = s[NAdamState::exp_avg];
      V& v = s[NAdamState::exp_avg_sq];
      g = fma(l2_, p, g);
      m = lerp_(m, g);
      v = fma(weight2_ * g, g, beta2_ * v);
      return fnma(shrink_, p, p) - fma(rate_g_, g, rate_m_ * m) / (sqrt(v) + eps_);
    }
  };
};

}  // namespace athanor::optim
