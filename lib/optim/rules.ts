// The optimizers: one factory a name that people look for. Semantics and defaults are those of torch.optim of PyTorch 2.13.
import type { ScheduleLike } from "../schedule/index.js";
import { define, type CommonOptions, type Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Hyper-parameters of {@link momentum}. */
export interface MomentumHypers extends CommonOptions {
  /** Share of the last update that goes on. */
  readonly momentum?: ScheduleLike | undefined;
  /** Share of the gradient that is left out of the running one. Default 0. */
  readonly dampening?: ScheduleLike | undefined;
}

/** Hyper-parameters of {@link sgd}. */
export interface SgdHypers extends MomentumHypers {
  /** Look ahead along the momentum. Default false. */
  readonly nesterov?: boolean | undefined;
}

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

/** Hyper-parameters of {@link rmsProp}. */
export interface RmsPropHypers extends CommonOptions {
  /** Decay of the mean of squared gradients. Default 0.99. */
  readonly alpha?: ScheduleLike | undefined;
  /** Added to the root. Default 1e-8. */
  readonly eps?: ScheduleLike | undefined;
  /** Default 0. */
  readonly momentum?: ScheduleLike | undefined;
  /** Take off the squared mean: divide by the deviation. Default false. */
  readonly centered?: boolean | undefined;
}

/** Hyper-parameters of {@link adagrad}. */
export interface AdagradHypers extends CommonOptions {
  /** lr / (1 + (step − 1) lrDecay). Default 0. */
  readonly lrDecay?: ScheduleLike | undefined;
  /** Where the sums of squares start from. Default 0. */
  readonly initialAccumulator?: number | undefined;
  /** Added to the root. Default 1e-10. */
  readonly eps?: ScheduleLike | undefined;
}

/**
 * Stochastic gradient descent, with or without momentum. As torch.optim.SGD. Default lr 1e-3, momentum 0.
 *
 * @throws ArgumentError for unknown options and values out of range.
 * @example
 * optim.sgd({ lr: schedule.step({ initial: 0.1, every: 0.3 }), momentum: 0.9, weightDecay: 5e-4 }).rule; // "sgd"
 */
export function sgd(options: OptimizerOptions<SgdHypers> = {}): Optimizer {
  return define({ name: "sgd", rule: "sgd" }, options);
}

/**
 * Stochastic gradient descent with momentum (Polyak, 1964). Default lr 1e-3, momentum 0.9.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function momentum(options: OptimizerOptions<MomentumHypers> = {}): Optimizer {
  return define({ name: "momentum", rule: "sgd", defaults: { momentum: 0.9 }, fixed: ["nesterov"] }, options);
}

/**
 * Nesterov's accelerated gradient (Sutskever et al., 2013, as torch.optim.SGD has it). Default lr 1e-3, momentum 0.9.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function nesterov(options: OptimizerOptions<Omit<MomentumHypers, "dampening">> = {}): Optimizer {
  const defaults = { momentum: 0.9, nesterov: true };
  return define({ name: "nesterov", rule: "sgd", defaults, fixed: ["nesterov", "dampening"] }, options);
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
 * RMSProp (Hinton, 2012), centered (Graves, 2013) and with momentum as options. As torch.optim.RMSprop. Default lr 0.01.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function rmsProp(options: OptimizerOptions<RmsPropHypers> = {}): Optimizer {
  return define({ name: "rmsProp", rule: "rmsprop" }, options);
}

/**
 * Adagrad (Duchi, Hazan and Singer, 2011). As torch.optim.Adagrad. Default lr 0.01.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function adagrad(options: OptimizerOptions<AdagradHypers> = {}): Optimizer {
  return define({ name: "adagrad", rule: "adagrad" }, options);
}
