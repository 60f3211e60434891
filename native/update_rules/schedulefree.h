// Schedule-Free SGD and AdamW (Defazio et al. 2024; facebookresearch/schedule_free): the gradient is taken at y, between the fast
// sequence z and its weighted mean x, so that no schedule has to fall. The parameter holds y; x = y + (1 - 1 / beta) · (z - y) is what is
// to be evaluated and kept.
//   u = g, or AdamW's g / (sqrt(v / (1 - beta2^t)) + eps);   u += weight_decay · y
//   y += c · (z - y) + lr · (beta · (1 - c) - 1) · u;   z -= lr · u;   c = lr_t² / Σ lr_i², over a linear warmup of warmup_steps
// The rate is one number, so that c has a closed form and a step depends on its number alone.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "update_rules/lerp.h"
#include "update_rules/rule.h"

namespace athanor::optim {

// The rate of step t beside the full one, and the weight of its z in the mean.
struct ScheduleFree {
  double warm, share;

  ATHANOR_RULE ScheduleFree(double warmup_steps, Index step) {
    const double w = warmup_steps < 1 ? 1 : warmup_steps, t = double(step), up = t < w ? t : w;
    warm = up / w;
    const double rise = up * (up + 1) * (2 * up + 1) / (6 * w * w), flat = t > w ? t - w : 0;
    share = warm * warm / (rise + flat);
  }
};

struct ScheduleFreeSgd {
  enum Variant { plain, kVariants };
  enum Scalar { l2, share, lr, pull, first };

  ATHANOR_RULE static constexpr unsigned state_mask(int) { return 1u << ScheduleFreeSgdState::z; }

  ATHANOR_RULE static int variant(const ScheduleFreeSgdHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const ScheduleFreeSgdHyper& h, Index step, float* c) {
    const ScheduleFree now(h.warmup_steps, step);
    c[l2] = float(h.weight_decay);
    c[share] = float(now.share);
    c[lr] = float(h.lr * now.warm);
    c[pull] = float(h.lr * now.warm * (h.momentum * (1 - now.share) - 1));
    c[first] = step <= 1 ? 1 : 0;
  }

  template <class V, int>
  struct Update {
    V l2_, lr_, pull_, first_;
    Lerp<V> lerp_;

    ATHANOR_RULE explicit Update(const float* c)
        : l2_(V::broadcast(c[l2])),
          lr_(V::broadcast(c[lr])),
          pull_(V::broadcast(c[pull])),
          first_(V::broadcast(c[first])),
          lerp_(c[share]) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V y, V g, V (&s)[kMaxState]) const {
      V& z = s[ScheduleFreeSgdState::z];
      z = select(first_ > V::zero(), y, z);
      const V u = fma(l2_, y, g);
      y = fma(pull_, u, lerp_(y, z));
      z = fnma(lr_, u, z);
      return y;
    }
  };
};

struct ScheduleFreeAdamW {
  enum Variant { plain, kVariants };
  enum Scalar { decay, share, lr, pull, first, beta2, weight2, eps, scale };

  ATHANOR_RULE static constexpr unsigned state_mask(int) {
    return 1u << ScheduleFreeAdamWState::z | 1u << ScheduleFreeAdamWState::exp_avg_sq;
  }

  ATHANOR_RULE static int variant(const ScheduleFreeAdamWHyper&) { return plain; }

  ATHANOR_RULE static void prepare(const ScheduleFreeAdamWHyper& h, Index step, float* c) {
    const ScheduleFree now(h.warmup_steps, step);
    const double root = std::sqrt(1 - std::pow(h.beta2, double(step)));
    c[decay] = float(h.weight_decay);
    c[share] = float(now.share);
    c[lr] = float(h.lr * now.warm);
    c[pull] = float(h.lr * now.warm * (h.beta1 * (1 - now.share) - 1));
    c[first] = step <= 1 ? 1 : 0;
    c[beta2] = float(h.beta2);
    c[weight2] = float(1 - h.beta2);
    c[eps] = h.eps > 0 ? std::fmax(float(h.eps * root), std::numeric_limits<float>::min()) : 0;
    c[scale] = float(root);
  }

  template <class V, int>
  struct Update {
    V decay_, lr_, pull_, first_, beta2_, weight2_, eps_, scale_;
    Lerp<V> lerp_;

    ATHANOR_RULE explicit Update(const float* c)
        : decay_(V::broadcast(c[decay])),
          lr_(V::broadcast(c[lr])),
          pull_(V::broadcast(c[pull])),
          first_(V::broadcast(c[first])),
          beta2_(V::broadcast(c[beta2])),
          weight2_(V::broadcast(c[weight2])),
          eps_(V::broadcast(c[eps])),
          scale_(V::broadcast(c[scale])),
          lerp_(c[share]) {}

    [[gnu::always_inline]] ATHANOR_RULE V operator()(V y, V g, V (&s)[kMaxState]) const {
      V& z = s[ScheduleFreeAdamWState::z];
      V& v = s[ScheduleFreeAdamWState::exp_avg_sq];
      z = select(first_ > V::zero(), y, z);
      v = fma(weight2_ * g, g, beta2_ * v);
      const V u = fma(decay_, y, scale_ * g / (sqrt(v) + eps_));
      y = fma(pull_, u, lerp_(y, z));
      z = fnma(lr_, u, z);
      return y;
    }
  };
};

}  // namespace athanor::optim
