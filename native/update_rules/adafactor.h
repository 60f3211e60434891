// Adafactor (torch.optim.Adafactor; Shazeer & Stern 2018): the second moment of a matrix as the outer product of its row and column
// means, R and C; that of a vector whole, as v.
//   w = t^beta2_decay;   R += w · (mean of g² along a row - R);   C likewise;   V = R Cᵀ / max(mean R, eps1)
//   u = g / sqrt(max(V, eps1²));   rate = min(lr, 1 / sqrt(t)) · max(eps2, rms p) / max(1, rms u / d)
//   p = p · (1 - lr · weight_decay) - rate · u
// Three passes: the sums of g² and p², the sum of u², the update. A root mean square is that of the elements which no mask hides, so
// that a model whose hidden rows are cut off goes on with the same steps.
#pragma once
#include <algorithm>
#include <cmath>

#include "update_rules/lerp.h"
#include "update_rules/passes.h"
#include "update_rules/rule.h"

namespace athanor::optim {

struct Adafactor {
  enum Variant { vector, matrix, kVariants };
  enum Scalar { weight, least, floor, shrink, rho, eps2, threshold, rate };

  ATHANOR_RULE static constexpr unsigned state_mask(int variant) {
    return variant == matrix ? 1u << AdafactorState::row_var | 1u << AdafactorState::col_var
                             : 1u << AdafactorState::variance;
  }

  ATHANOR_RULE static int variant(const AdafactorHyper&, bool is_matrix) { return is_matrix ? matrix : vector; }

  ATHANOR_RULE static void prepare(const AdafactorHyper& h, Index step, float* c) {
    c[weight] = float(std::pow(double(step), h.beta2_decay));
    c[least] = float(h.eps1);
    c[floor] = float(h.eps1 * h.eps1);
    c[shrink] = float(h.lr * h.weight_decay);
    c[rho] = float(std::min(h.lr, 1 / std::sqrt(double(step))));
    c[eps2] = float(h.eps2);
    c[threshold] = float(h.d);
  }

  ATHANOR_RULE static Factors factors(const float* c) { return {c[weight], c[least]}; }

  ATHANOR_RULE static constexpr Traffic traffic(int variant, int pass) {
    constexpr unsigned own = 1u << AdafactorState::variance;
    const bool factored = variant == matrix;
    if (pass == 0 && factored) return {.grad = true, .param = true, .sums = 2, .squares = true};
    if (pass == 0) return {.grad = true, .param = true, .reads = own, .writes = own, .sums = 2};
    const unsigned reads = factored ? 0 : own;
    if (pass == 1) return {.grad = true, .reads = reads, .sums = 2, .factored = factored};
    return {.grad = true, .param = true, .update = true, .reads = reads, .factored = factored};
  }

  ATHANOR_RULE static void after(int, int pass, Index, const double* sums, float* c) {
    const double rms = sums[1] == 0 ? 0 : std::sqrt(sums[0] / sums[1]);
    if (pass == 0) {
      c[rate] = float(double(c[rho]) * std::max(double(c[eps2]), rms));
    } else if (const double over = rms / double(c[threshold]); !(over <= 1)) {  // NaN stays NaN
      c[rate] = float(double(c[rate]) / over);
    }
  }

  template <class V, int kVariant, int kPass>
  struct Pass {
    Lerp<V> lerp_;
    V floor_, shrink_, rate_;

    ATHANOR_RULE explicit Pass(const float* c)
        : lerp_(c[weight]),
          floor_(V::broadcast(c[floor])),
          shrink_(V::broadcast(c[shrink])),
          rate_(V::broadcast(c[rate])) {}

    [[gnu::always_inline]] ATHANOR_RULE void operator()(Elements<V>& e) const {
      V& v = e.s[AdafactorState::variance];
      if constexpr (kPass < 2) e.sums[1] = e.sums[1] + V::broadcast(1);
      if constexpr (kPass == 0) {
        e.sums[0] = fma(e.p, e.p, e.sums[0]);
        if constexpr (kVariant == vector) v = lerp_(v, e.g * e.g);
      } else {
        const V variance = kVariant == matrix ? e.row * e.column : v;
        const V u = e.g / sqrt(max(floor_, variance));  // NaN stays NaN: the second operand where either is
        if constexpr (kPass == 1)
          e.sums[0] = fma(u, u, e.sums[0]);
        else
          e.p = fnma(rate_, u, fnma(shrink_, e.p, e.p));
      }
    }
  };
};

}  // namespace athanor::optim
