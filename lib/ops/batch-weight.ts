// How the losses of batches add up to the loss of a data set. A mean over the rows of a batch weighs as many as it has rows, which
// needs no note; a mean over some of them (ignored labels) weighs as many as were counted, and sums are added.
import type { Tensor } from "../tensor/tensor.js";

/** What a mean was divided by, f32 []; or that it is a sum. */
export type OwnWeight = Tensor | "sum";

/** The weight of a loss; or of a part of it, f32 [], beside which the rest is a mean over rows. */
export type BatchWeight = OwnWeight | { readonly part: Tensor; readonly weight: OwnWeight };

const weights = new WeakMap<Tensor, BatchWeight>();

/** Notes how the loss of a batch adds up; gives the loss back. */
export function weighted(loss: Tensor, weight: BatchWeight | undefined): Tensor {
  if (weight !== undefined) weights.set(loss, weight);
  return loss;
}

/** What was noted; undefined for a mean over rows, and for a loss that was computed from others. */
export const weightOf = (loss: Tensor): BatchWeight | undefined => weights.get(loss);
