// The optimizers but for the kin of Adam (adam.ts): one factory a name that people look for. Semantics and defaults are those of torch.optim of PyTorch 2.13.
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

/** Hyper-parameters of {@link adadelta}. */
export interface AdadeltaHypers extends CommonOptions {
  /** Decay of both means. Default 0.9. */
  readonly rho?: ScheduleLike | undefined;
  /** Added below both roots. Default 1e-6. */
  readonly eps?: ScheduleLike | undefined;
}

/** Hyper-parameters of {@link asgd}. */
export interface AsgdHypers extends CommonOptions {
  /** Decay of the weights, and with `alpha` of the rate. Default 1e-4. */
  readonly lambd?: ScheduleLike | undefined;
  /** Power of the decay of the rate. Default 0.75. */
  readonly alpha?: ScheduleLike | undefined;
  /** Step at which averaging begins. Default 1e6. */
  readonly t0?: ScheduleLike | undefined;
}

/** Hyper-parameters of {@link rprop}. */
export interface RpropHypers extends Omit<CommonOptions, "lr" | "weightDecay"> {
  /** First size of a step; a number. Default 0.01. */
  readonly lr?: number | undefined;
  /** Multiplies the size where the gradient changed its sign. Default 0.5. */
  readonly etaMinus?: ScheduleLike | undefined;
  /** Multiplies the size where it did not. Default 1.2. */
  readonly etaPlus?: ScheduleLike | undefined;
  /** Smallest size. Default 1e-6. */
  readonly minStep?: ScheduleLike | undefined;
  /** Largest size. Default 50. */
  readonly maxStep?: ScheduleLike | undefined;
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

/**
 * Adadelta (Zeiler, 2012). As torch.optim.Adadelta. Default lr 1.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function adadelta(options: OptimizerOptions<AdadeltaHypers> = {}): Optimizer {
  return define({ name: "adadelta", rule: "adadelta" }, options);
}

/**
 * Averaged stochastic gradient descent (Polyak and Juditsky, 1992). As torch.optim.ASGD, but for a rate that changes over the
 * run, which counts at once and not a step later. The averages are the states named `<parameter>.ax` of `stateDict()`.
 * Default lr 0.01.
 *
 * @throws ArgumentError for unknown options and values out of range.
 */
export function asgd(options: OptimizerOptions<AsgdHypers> = {}): Optimizer {
  return define({ name: "asgd", rule: "asgd" }, options);
}

/**
 * Resilient propagation (Riedmiller and Braun, 1993): by the signs of the gradient alone, for full batches. As
 * torch.optim.Rprop. Default lr 0.01.
 *
 * @throws ArgumentError for unknown options and values out of range; a schedule for `lr`, which is only where sizes start from.
 * @example
 * optim.rprop({ etaPlus: 1.1, maxStep: 1 }).rule; // "rprop"
 */
export function rprop(options: OptimizerOptions<RpropHypers> = {}): Optimizer {
  return define({ name: "rprop", rule: "rprop" }, options);
}
