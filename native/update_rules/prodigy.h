// Prodigy (Mishchenko & Defazio 2024; konstmish/prodigy 1.1): Adam whose rate is lr times an estimate d of the distance from the start to
// the solution. p0 is where the run began; everything else is kept in units of d.
//   k = d · lr · bias,   n = beta3 · n + d / d0 · k · Σ g (p0 - p),   s = beta3 · s + d / d0 · k · g   (safeguard: · d in place of k)
//   m = beta1 · m + d (1 - beta1) g;   v = beta2 · v + d² (1 - beta2) g²
//   d̂ = d_coef · n / Σ |s|;   d = max(d, d̂) while it is d0;   d_max = max(d_max, d̂);   d = min(d_max, d · growth_rate)
//   p = p · (1 - weight_decay · k) - k · m / (sqrt(v) + d · eps)
// The sums are over all parameters. `estimate` [3] is d, d_max and n, the same in every tensor; beta3 of 0 is sqrt(beta2).
#pragma once
#include <algorithm>
#include <cmath>

#include "update_rules/passes.h"
#include "update_rules/rule.h"

namespace athanor::optim {

struct Prodigy {
  enum Variant { plain, kVariants };
  // What begin() and together() make of d takes the place of what they make it from.
  enum Scalar {
    beta1,
    beta2,
    beta3,
    rate,
    l2,
    decay,
    d0,
    coefficient,
    growth,
    first,
    m_rate,  // 1 - beta1, then times d
    v_rate,  // 1 - beta2, then times d²
    s_rate,  // whether the warmup is safe, then d / d0 · k or · d
    floor,   // eps, then times d
    n_rate,
    step,
    kScalars
  };
  static_assert(kScalars <= kMaxScalars);

  static constexpr unsigned kMoments = 1u << ProdigyState::exp_avg | 1u << ProdigyState::exp_avg_sq;
  static constexpr unsigned kSame = kMoments | 1u << ProdigyState::s | 1u << ProdigyState::p0;

  ATHANOR_RULE static constexpr unsigned state_mask(int) { return kSame | 1u << ProdigyState::estimate; }

  ATHANOR_RULE static int variant(const ProdigyHyper&, bool) { return plain; }

  ATHANOR_RULE static void prepare(const ProdigyHyper& h, Index number, float* c) {
    const double t = double(number);
    const double bias = h.bias_correction != 0 ? std::sqrt(1 - std::pow(h.beta2, t)) / (1 - std::pow(h.beta1, t)) : 1;
    c[beta1] = float(h.beta1);
    c[beta2] = float(h.beta2);
    c[beta3] = float(h.beta3 != 0 ? h.beta3 : std::sqrt(h.beta2));
    c[rate] = float(h.lr * bias);
    c[l2] = h.decouple != 0 ? 0 : float(h.weight_decay);
    c[decay] = h.decouple != 0 ? float(h.weight_decay) : 0;
    c[d0] = float(h.d0);
    c[coefficient] = float(h.d_coef);
    c[growth] = float(h.growth_rate);
    c[m_rate] = float(1 - h.beta1);
    c[v_rate] = float(1 - h.beta2);
    c[s_rate] = float(h.safeguard_warmup);
    c[floor] = float(h.eps);
    c[first] = number <= 1 ? 1 : 0;
  }

  // Before the first pass: what the estimate so far makes of the scalars.
  ATHANOR_RULE static void begin(float* estimate, float* c) {
    if (c[first] != 0) estimate[0] = estimate[1] = c[d0], estimate[2] = 0;
    const double d = estimate[0], k = d * double(c[rate]), unit = d / double(c[d0]);
    c[m_rate] = float(d * double(c[m_rate]));
    c[v_rate] = float(d * d * double(c[v_rate]));
    c[n_rate] = float(unit * k);
    c[s_rate] = float(unit * (c[s_rate] != 0 ? d : k));
    c[step] = float(k);
  }

  // After it: the estimate by the sums over all tensors.
  ATHANOR_RULE static void together(const double* sums, float* estimate, float* c) {
    if (sums[1] == 0) {
      c[step] = 0;  // no gradient yet
      return;
    }
    const double n = double(c[beta3]) * double(estimate[2]) + double(c[n_rate]) * sums[0];
    estimate[2] = float(n);
    if (c[rate] > 0) {
      const auto guess = float(double(c[coefficient]) * n / sums[1]);
      if (estimate[0] == c[d0]) estimate[0] = std::max(estimate[0], guess);
      estimate[1] = std::max(estimate[1], guess);
      estimate[0] = std::min(estimate[1], estimate[0] * c[growth]);
    }
    c[floor] = float(double(estimate[0]) * double(c[floor]));
  }

  ATHANOR_RULE static constexpr Traffic traffic(int, int pass) {
    if (pass == 0) return {.grad = true, .param = true, .reads = kSame, .writes = kSame, .sums = 2};
    if (pass == 1) return {.param = true, .update = true, .reads = kMoments};
    return {};
  }

  ATHANOR_RULE static void after(int, int, Index, const double*, float*) {}

  template <class V, int, int kPass>
  struct Pass {
    V beta1_, beta2_, beta3_, l2_, first_, m_rate_, v_rate_, s_rate_, shrink_, step_, floor_;

    ATHANOR_RULE explicit Pass(const float* c)
        : beta1_(V::broadcast(c[beta1])),
          beta2_(V::broadcast(c[beta2])),
          beta3_(V::broadcast(c[beta3])),
          l2_(V::broadcast(c[l2])),
          first_(V::broadcast(c[first])),
          m_rate_(V::broadcast(c[m_rate])),
          v_rate_(V::broadcast(c[v_rate])),
          s_rate_(V::broadcast(c[s_rate])),
          shrink_(V::broadcast(c[decay] * c[step])),
          step_(V::broadcast(c[step])),
          floor_(V::broadcast(c[floor])) {}

    [[gnu::always_inline]] ATHANOR_RULE void operator()(Elements<V>& e) const {
      V& m = e.s[ProdigyState::exp_avg];
      V& v = e.s[ProdigyState::exp_avg_sq];
      if constexpr (kPass == 0) {
        V& s = e.s[ProdigyState::s];
        V& p0 = e.s[ProdigyState::p0];
        p0 = select(first_ > V::zero(), e.p, p0);
        const V g = fma(l2_, e.p, e.g);
        m = fma(m_rate_, g, beta1_ * m);
        v = fma(v_rate_ * g, g, beta2_ * v);
        s = fma(s_rate_, g, beta3_ * s);
        e.sums[0] = fma(g, p0 - e.p, e.sums[0]);
        e.sums[1] = e.sums[1] + max(s, -s);
      } else {
        const V u = select(m == V::zero(), V::zero(), m / (sqrt(v) + floor_));
        e.p = fnma(step_, u, fnma(shrink_, e.p, e.p));
      }
    }
  };
};

}  // namespace athanor::optim
