// Adam and its kin. Semantics and defaults are those of torch.optim of PyTorch 2.13, of Lion and AdEMAMix those of their papers.
import type { ScheduleLike } from "../schedule/index.js";
import { define, type CommonOptions, type Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Hyper-parameters of {@link adam} and {@link adamW}. */
export interface AdamHypers extends CommonOptions {
  /** Decay of the means of gradient and squared gradient: beta1 and beta2 in one. Default [0.9, 0.999]. */
  readonly betas?: readonly [ScheduleLike, ScheduleLike] | undefined;
  readonly beta1?: ScheduleLike | undefined;
  readonly beta2?: ScheduleLike | undefined;
  /** Added to the root. Default 1e-8. */
  readonly eps?: ScheduleLike | undefined;
  /** Divide by the largest mean so far. Default false. */
  readonly amsgrad?: boolean | undefined;
}

/** Hyper-parameters of {@link radam}. */
export interface RadamHypers extends Omit<AdamHypers, "amsgrad"> {
  /** Take the decay off the weights, as AdamW does, instead of adding it to the gradient. Default false. */
  readonly decoupledWeightDecay?: boolean | undefined;
}

/** Hyper-parameters of {@link nadam}. */
export interface NadamHypers extends RadamHypers {
  /** Decay of the momentum schedule. Default 4e-3. */
  readonly momentumDecay?: ScheduleLike | undefined;
}

/** Hyper-parameters of {@link adamax}. */
export type AdamaxHypers = Omit<AdamHypers, "amsgrad">;

/** Hyper-parameters of {@link lion}. */
export type LionHypers = Omit<AdamHypers, "amsgrad" | "eps">;

/** Hyper-parameters of {@link ademamix}. */
export interface AdemamixHypers extends Omit<AdamHypers, "amsgrad"> {
  /** Decay of the slow mean. Default 0.9999. */
  readonly beta3?: ScheduleLike | undefined;
  /** Weight of the slow mean. Default 5. */
  readonly alpha?: ScheduleLike | undefined;
}

/**
 * Adam (Kingma and Ba, 2015), with AMSGrad (Reddi et al., 2018) as an option. As torch.optim.Adam. Default lr 1e-3.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function adam(options: OptimizerOptions<AdamHypers> = {}): Optimizer {
  return define({ name: "adam", rule: "adam" }, options);
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, 2019). As torch.optim.AdamW. Default lr 1e-3, weightDecay 0.01.
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * const optimizer = optim.adamW({
 *   lr: schedule.cosine({ peak: 1e-3, warmup: 0.05 }),
 *   clipNorm: 1,
 *   groups: [{ match: /bias$/, weightDecay: 0 }],
 * });
 */
export function adamW(options: OptimizerOptions<AdamHypers> = {}): Optimizer {
  return define({ name: "adamW", rule: "adamw" }, options);
}

/**
 * Adam with Nesterov's momentum (Dozat, 2016). As torch.optim.NAdam. Default lr 2e-3.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function nadam(options: OptimizerOptions<NadamHypers> = {}): Optimizer {
  return define({ name: "nadam", rule: "nadam" }, options);
}

/**
 * Adam with a rectified rate in its first steps, in place of a warmup (Liu et al., 2020). As torch.optim.RAdam. Default lr 1e-3.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function radam(options: OptimizerOptions<RadamHypers> = {}): Optimizer {
  return define({ name: "radam", rule: "radam" }, options);
}

/**
 * Adam by the largest gradient instead of the mean square (Kingma and Ba, 2015). As torch.optim.Adamax. Default lr 2e-3.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function adamax(options: OptimizerOptions<AdamaxHypers> = {}): Optimizer {
  return define({ name: "adamax", rule: "adamax" }, options);
}

/**
 * Lion (Chen et al., 2023): steps by the sign of a momentum, half of Adam's states; decay is decoupled. It wants about a tenth
 * of AdamW's rate and ten times its decay. Default lr 1e-4, betas [0.9, 0.99].
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * optim.lion({ lr: 1e-4, weightDecay: 0.1 }).rule; // "lion"
 */
export function lion(options: OptimizerOptions<LionHypers> = {}): Optimizer {
  return define({ name: "lion", rule: "lion" }, options);
}

/**
 * Adam with a second, slow mean of the gradient (Pagliardini et al., 2024); decay is decoupled. Default lr 1e-3, alpha 5,
 * beta3 0.9999. For a short run or an unsteady start let both rise, as the paper does.
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * optim.ademamix({ alpha: schedule.linear({ initial: 0, final: 5 }), weightDecay: 0.1 }).rule; // "ademamix"
 */
export function ademamix(options: OptimizerOptions<AdemamixHypers> = {}): Optimizer {
  return define({ name: "ademamix", rule: "ademamix" }, options);
}
