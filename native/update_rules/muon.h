// Muon (torch.optim.Muon; Jordan et al. 2024): the momentum of a matrix made orthogonal by Newton and Schulz's iteration; tensors of
// more axes are matrices of their first axis by the rest. Vectors, and groups with `adam_w`, go by AdamW with hyper-parameters of their own.
//   b += (1 - momentum) · (g - b);   u = nesterov ? g + momentum · (b - g) : b;   X = u / max(‖u‖, ns_eps)
//   ns_steps times:  A = X Xᵀ;  X = a X + (b A + c A A) X
//   p = p · (1 - lr · weight_decay) - lr · adjust · X;   adjust = sqrt(max(1, rows / columns)), with match_rms 0.2 · sqrt(max(rows, columns))
// The iteration is in f32 (PyTorch's is in bf16); optim/matrix.cc has it.
#pragma once
#include <algorithm>
#include <cmath>

#include "update_rules/adamw.h"
#include "update_rules/lerp.h"
#include "update_rules/passes.h"

namespace athanor::optim {

struct Muon {
  enum Variant { by_adamw, plain, nesterov, kVariants };
  enum Scalar { weight = 7, shrink, rate, match, steps, least, ns_a, ns_b, ns_c };  // 0 to 6 are those of Adam

  static_assert(ns_c < kMaxScalars);

  static constexpr unsigned kMoments = 1u << MuonState::exp_avg | 1u << MuonState::exp_avg_sq;

  static constexpr unsigned state_mask(int variant) {
    return variant == by_adamw ? kMoments : 1u << MuonState::momentum_buffer;
  }

  static int variant(const MuonHyper& h, bool matrix) {
    if (!matrix || h.adam_w != 0) return by_adamw;
    return h.nesterov != 0 ? nesterov : plain;
  }

  static void prepare(const MuonHyper& h, Index step, float* c) {
    AdamWHyper adam;
    adam.lr = h.adam_lr, adam.weight_decay = h.adam_weight_decay;
    adam.beta1 = h.beta1, adam.beta2 = h.beta2, adam.eps = h.eps;
    AdamW::prepare(adam, step, c);
    c[weight] = float(1 - h.momentum);
    c[shrink] = float(h.lr * h.weight_decay);
    c[rate] = float(h.lr);
    c[match] = float(h.match_rms);
    c[steps] = float(h.ns_steps);
    c[least] = float(h.ns_eps);
    c[ns_a] = float(h.ns_a);
    c[ns_b] = float(h.ns_b);
    c[ns_c] = float(h.ns_c);
  }

  static void fit(int variant, const Extents& x, float* c) {
    if (variant == by_adamw) return;
    const double rows = double(x.outer), columns = double(x.count()) / std::max(1.0, rows);
    c[rate] = float(double(c[rate]) * (c[match] != 0 ? 0.2 * std::sqrt(std::max(rows, columns))
                                                     : std::sqrt(std::max(1.0, rows / columns))));
  }

  static constexpr Traffic traffic(int variant, int pass) {
    if (variant == by_adamw) {
      if (pass > 0) return {};
      return {.grad = true, .param = true, .update = true, .reads = kMoments, .writes = kMoments};
    }
    const unsigned own = state_mask(variant);
    if (pass == 0) return {.grad = true, .reads = own, .writes = own, .sums = 1, .leaves = true};
    if (pass == 1) return {.param = true, .update = true, .takes = true};
    return {};
  }

  static void after(int, int, Index, const double*, float*) {}

  template <class V, int kVariant, int kPass>
  struct Pass {
    Lerp<V> lerp_, ahead_;
    V shrink_, rate_;

    explicit Pass(const float* c)
        : lerp_(c[weight]), ahead_(1 - c[weight]), shrink_(V::broadcast(c[shrink])), rate_(V::broadcast(c[rate])) {}

    [[gnu::always_inline]] void operator()(Elements<V>& e) const {
      if constexpr (kPass == 0) {
        V& buffer = e.s[MuonState::momentum_buffer];
        buffer = lerp_(buffer, e.g);
        e.t = kVariant == nesterov ? ahead_(e.g, buffer) : buffer;
        e.sums[0] = fma(e.t, e.t, e.sums[0]);
      } else {
        e.p = fnma(rate_, e.t, fnma(shrink_, e.p, e.p));
      }
    }
  };

  // The one pass of AdamW, on slots of other numbers.
  template <class V, int kPass>
  struct Pass<V, by_adamw, kPass> {
    Adam::Update<V, Adam::plain> update_;

    explicit Pass(const float* c) : update_(c) {}

    [[gnu::always_inline]] void operator()(Elements<V>& e) const {
      V s[kMaxState];
      s[AdamState::exp_avg] = e.s[MuonState::exp_avg];
      s[AdamState::exp_avg_sq] = e.s[MuonState::exp_avg_sq];
      e.p = update_(e.p, e.g, s);
      e.s[MuonState::exp_avg] = s[AdamState::exp_avg];
      e.s[MuonState::exp_avg_sq] = s[AdamState::exp_avg_sq];
    }
  };
};

}  // namespace athanor::optim
