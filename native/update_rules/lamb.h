// LAMB (You et al. 2020, algorithm 2): Adam's update u, decay included, made as long as the tensor itself.
//   m, v as in Adam, both corrected for their bias;   u = m / (sqrt(v) + eps) + weight_decay · p
//   p -= lr · ‖p‖ / ‖u‖ · u;   the ratio is 1 where a norm is 0, and where `adaptive` is off
// The first pass leaves m and v and sums up both norms, the second makes u again rather than keep it: one stream less.
#pragma once
#include <cmath>
#include <limits>

#include "update_rules/lerp.h"
#include "update_rules/passes.h"
#include "update_rules/rule.h"

namespace athanor::optim {

struct Lamb {
  enum Variant { plain, kVariants };
  enum Scalar { weight1, beta2, weight2, eps, scale, decay, lr, adaptive, rate };

  ATHANOR_RULE static constexpr unsigned state_mask(int) {
    return 1u << LambState::exp_avg | 1u << LambState::exp_avg_sq;
  }

  ATHANOR_RULE static int variant(const LambHyper&, bool) { return plain; }

  ATHANOR_RULE static void prepare(const LambHyper& h, Index step, float* c) {
    const double root = std::sqrt(1 - std::pow(h.beta2, double(step)));
    c[weight1] = float(1 - h.beta1);
    c[beta2] = float(h.beta2);
    c[weight2] = float(1 - h.beta2);
    c[eps] = h.eps > 0 ? std::fmax(float(h.eps * root), std::numeric_limits<float>::min()) : 0;
    c[scale] = float(root / (1 - std::pow(h.beta1, double(step))));
    c[decay] = float(h.weight_decay);
    c[lr] = float(h.lr);
    c[adaptive] = float(h.adaptive);
  }

  ATHANOR_RULE static constexpr Traffic traffic(int, int pass) {
    constexpr unsigned moments = state_mask(plain);
    if (pass == 0) return {.grad = true, .param = true, .reads = moments, .writes = moments, .sums = 2};
    if (pass == 1) return {.param = true, .update = true, .reads = moments};
    return {};
  }

  ATHANOR_RULE static void after(int, int, Index, const double* sums, float* c) {
    const double p = std::sqrt(sums[0]), u = std::sqrt(sums[1]);
    const bool one = c[adaptive] == 0 || p == 0 || u == 0;
    c[rate] = float(double(c[lr]) * (one ? 1 : p / u));
  }

  template <class V, int, int kPass>
  struct Pass {
    Lerp<V> lerp_;
    V beta2_, weight2_, eps_, scale_, decay_, rate_;

    ATHANOR_RULE explicit Pass(const float* c)
        : lerp_(c[weight1]),
          beta2_(V::broadcast(c[beta2])),
          weight2_(V::broadcast(c[weight2])),
          eps_(V::broadcast(c[eps])),
          scale_(V::broadcast(c[scale])),
          decay_(V::broadcast(c[decay])),
          rate_(V::broadcast(c[rate])) {}

    [[gnu::always_inline]] ATHANOR_RULE void operator()(Elements<V>& e) const {
      V& m = e.s[LambState::exp_avg];
      V& v = e.s[LambState::exp_avg_sq];
      if constexpr (kPass == 0) {
        m = lerp_(m, e.g);
        v = fma(weight2_ * e.g, e.g, beta2_ * v);
      }
      const V u = fma(decay_, e.p, scale_ * m / (sqrt(v) + eps_));
      if constexpr (kPass == 0) {
        e.sums[0] = fma(e.p, e.p, e.sums[0]);
        e.sums[1] = fma(u, u, e.sums[1]);
      } else {
        e.p = fnma(rate_, u, e.p);
      }
    }
  };
};

}  // namespace athanor::optim
