// AdamW (torch.optim.AdamW; Loshchilov & Hutter 2019): Adam with the decay taken off the parameter itself, p *= 1 - lr · weight_decay.
#pragma once
#include <cstring>

#include "optim/rules/adam.h"

namespace athanor::optim {

struct AdamW : Adam {
  static int variant(const AdamWHyper& h) { return h.amsgrad != 0 ? amsgrad : plain; }

  static void prepare(const AdamWHyper& h, Index step, float* c) {
    AdamHyper same;
    static_assert(sizeof same == sizeof h);  // the rows of the two rules are in the same order
    std::memcpy(&same, &h, sizeof h);
    Adam::prepare(same, step, c);
    c[l2] = 0;
    c[decay] = float(1 - h.lr * h.weight_decay);
  }
};

}  // namespace athanor::optim
