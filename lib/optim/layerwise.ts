// Optimizers that look at a tensor as a whole: the lengths of parameter and update (LAMB, LARS), the means of rows and columns (Adafactor).
import type { ScheduleLike } from "../schedule/index.js";
import { define, type CommonOptions, type Optimizer, type OptimizerOptions } from "./optimizer.js";
import type { AdamHypers } from "./adam.js";
import type { SgdHypers } from "./rules.js";

/** Hyper-parameters of {@link lamb}. */
export interface LambHypers extends Omit<AdamHypers, "amsgrad"> {
  /** Scale each update to the length of its tensor. Default true; a group of biases and norms may say false. */
  readonly adaptive?: boolean | undefined;
}

/** Hyper-parameters of {@link lars}. */
export interface LarsHypers extends SgdHypers {
  /** Length of a step beside that of its tensor, for lr 1. Default 1e-3. */
  readonly trust?: ScheduleLike | undefined;
  /** Added to the length of the gradient. Default 1e-8. */
  readonly eps?: ScheduleLike | undefined;
  /** Scale each gradient by the length of its tensor. Default true; a group of biases and norms may say false. */
  readonly adaptive?: boolean | undefined;
}

/** Hyper-parameters of {@link adafactor}. */
export interface AdafactorHypers extends CommonOptions {
  /** The second moment's decay at step t is 1 − t^beta2Decay. Default −0.8. */
  readonly beta2Decay?: ScheduleLike | undefined;
  /** Its square is the least second moment. Default 2^−23. */
  readonly eps1?: ScheduleLike | undefined;
  /** Least root mean square of a tensor, which its steps are scaled by. Default 1e-3. */
  readonly eps2?: ScheduleLike | undefined;
  /** Largest root mean square of an update; larger ones are scaled down. Default 1. */
  readonly d?: ScheduleLike | undefined;
}

/**
 * LAMB (You et al., 2020): Adam with decoupled decay whose update of each tensor is made as long as the tensor, for large batches.
 * Default lr 1e-3, betas [0.9, 0.999], eps 1e-6, weightDecay 0.01. A rank's part of a tensor is refused, and so is a device other than
 * the CPU.
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * optim.lamb({ lr: 2e-3, groups: [{ match: /bias$/, weightDecay: 0, adaptive: false }] }).rule; // "lamb"
 */
export function lamb(options: OptimizerOptions<LambHypers> = {}): Optimizer {
  return define({ name: "lamb", rule: "lamb" }, options);
}

/**
 * LARS (You et al., 2017): SGD with momentum whose gradient of each tensor is scaled by the tensor's length over the gradient's, for large
 * batches. The rate stands outside of the momentum, as in torch.optim.SGD. Default lr 1, momentum 0.9. Limits as {@link lamb}.
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * optim.lars({ lr: 4, weightDecay: 1e-4, groups: [{ match: /bias$/, weightDecay: 0, adaptive: false }] }).rule; // "lars"
 */
export function lars(options: OptimizerOptions<LarsHypers> = {}): Optimizer {
  return define({ name: "lars", rule: "lars", defaults: { momentum: 0.9 } }, options);
}

/**
 * Adafactor (Shazeer and Stern, 2018): Adam's second moment of a matrix kept as the means of its rows and columns, so that a state takes
 * next to no memory; there is no first moment. As torch.optim.Adafactor. Default lr 0.01. Limits as {@link lamb}.
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * optim.adafactor({ lr: 1e-2, d: 1 }).rule; // "adafactor"
 */
export function adafactor(options: OptimizerOptions<AdafactorHypers> = {}): Optimizer {
  return define({ name: "adafactor", rule: "adafactor" }, options);
}
