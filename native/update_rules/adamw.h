// AdamW (torch.optim.AdamW; Loshchilov & Hutter 2019): Adam with the decay taken off the parameter itself, p *= 1 - lr · weight_decay.
#pragma once
#include "update_rules/adam.h"

namespace athanor::optim {

struct AdamW : Adam {
  ATHANOR_RULE static void prepare(const AdamWHyper& h, Index step, float* c) {
    Adam::prepare(h, step, c);
    c[l2] = 0;
    c[decay] = float(1 - h.lr * h.weight_decay);
  }
};

}  // namespace athanor::optim
