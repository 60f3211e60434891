// Optimizers that spare a search: for a schedule (Schedule-Free), for a rate (Prodigy).
import { ArgumentError } from "../errors.js";
import type { ScheduleLike } from "../schedule/index.js";
import { define, type CommonOptions, type Optimizer, type OptimizerOptions } from "./optimizer.js";

interface ScheduleFreeHypers extends Omit<CommonOptions, "lr"> {
  /** Learning rate, one number for the whole run. */
  readonly lr?: number | undefined;
  /** Steps over which the rate rises from 0; a number. Default 0. */
  readonly warmupSteps?: number | undefined;
}

/** Hyper-parameters of {@link scheduleFreeSgd}. */
export interface ScheduleFreeSgdHypers extends ScheduleFreeHypers {
  /** Where the gradient is taken: 0 at the fast sequence, 1 at its mean; a number in (0, 1). Default 0.9. */
  readonly momentum?: number | undefined;
}

/** Hyper-parameters of {@link scheduleFreeAdamW}. */
export interface ScheduleFreeAdamWHypers extends ScheduleFreeHypers {
  /** Where the gradient is taken, as the momentum of {@link scheduleFreeSgd}, and the decay of the squared gradient. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, ScheduleLike] | undefined;
  readonly beta1?: number | undefined;
  readonly beta2?: ScheduleLike | undefined;
  /** Added to the root. Default 1e-8. */
  readonly eps?: ScheduleLike | undefined;
}

/** Hyper-parameters of {@link prodigy}. */
export interface ProdigyHypers extends CommonOptions {
  /** Decay of the means of gradient and squared gradient: beta1 and beta2 in one. Default [0.9, 0.999]. */
  readonly betas?: readonly [ScheduleLike, ScheduleLike] | undefined;
  readonly beta1?: ScheduleLike | undefined;
  readonly beta2?: ScheduleLike | undefined;
  /** Decay of the sums behind the estimate. Default 0, which means √beta2. */
  readonly beta3?: ScheduleLike | undefined;
  /** Added to the root, in units of the estimate. Default 1e-8. */
  readonly eps?: ScheduleLike | undefined;
  /** First estimate of the distance to the solution. Default 1e-6. */
  readonly d0?: number | undefined;
  /** Multiplies the estimate: below 1 for smaller steps. Default 1. */
  readonly dCoef?: ScheduleLike | undefined;
  /** How much the estimate may grow in a step. Default 1e30. */
  readonly growthRate?: ScheduleLike | undefined;
  /** Correct the means for their start from 0, as Adam does. Default false. */
  readonly biasCorrection?: boolean | undefined;
  /** Leave the rate out of the denominator of the estimate, for schedules with a warmup. Default false. */
  readonly safeguardWarmup?: boolean | undefined;
  /** Take the decay off the weights, as AdamW does. Default true. */
  readonly decouple?: boolean | undefined;
}

/** Options of {@link prodigy}: the rate is that of all parameters, so that groups have none. */
export type ProdigyOptions = Omit<OptimizerOptions<ProdigyHypers>, "groups"> & {
  readonly groups?: OptimizerOptions<Omit<ProdigyHypers, "lr">>["groups"];
};

/**
 * Schedule-Free SGD (Defazio et al., 2024), as schedulefree.SGDScheduleFree: no schedule, and no need to know when the run ends. While it
 * trains, parameters are where the next gradient is taken; `train.fit` validates and ends with the mean of the fast sequence, which is
 * p + (1 − 1 / momentum) (z − p), z being the state of that name. Default lr 1, momentum 0.9.
 *
 * @throws ArgumentError for unknown options and values out of range, and for a schedule of `lr`, `momentum` or `warmupSteps`.
 * @example
 * optim.scheduleFreeSgd({ lr: 1, warmupSteps: 100 }).rule; // "schedule_free_sgd"
 */
export function scheduleFreeSgd(options: OptimizerOptions<ScheduleFreeSgdHypers> = {}): Optimizer {
  return steady("scheduleFreeSgd", define({ name: "scheduleFreeSgd", rule: "schedule_free_sgd" }, options), [
    "lr",
    "momentum",
    "warmupSteps",
  ]);
}

/**
 * Schedule-Free AdamW (Defazio et al., 2024), as schedulefree.AdamWScheduleFree; see {@link scheduleFreeSgd} for what parameters hold.
 * Default lr 2.5e-3, betas [0.9, 0.999].
 *
 * @throws ArgumentError for unknown options and values out of range, and for a schedule of `lr`, `beta1` or `warmupSteps`.
 * @example
 * optim.scheduleFreeAdamW({ lr: 2.5e-3, weightDecay: 0.05, warmupSteps: 1000 }).rule; // "schedule_free_adamw"
 */
export function scheduleFreeAdamW(options: OptimizerOptions<ScheduleFreeAdamWHypers> = {}): Optimizer {
  return steady("scheduleFreeAdamW", define({ name: "scheduleFreeAdamW", rule: "schedule_free_adamw" }, options), [
    "lr",
    "beta1",
    "warmupSteps",
  ]);
}

/**
 * Prodigy (Mishchenko and Defazio, 2024), as prodigyopt.Prodigy: Adam whose rate is `lr` times an estimate of the distance to the solution,
 * made from all parameters together. `lr` stays 1, or a schedule that falls from 1. Default betas [0.9, 0.999], d0 1e-6. Ranks that hold
 * only some of the parameters are refused, and so is a device other than the CPU.
 *
 * @throws ArgumentError for unknown options and values out of range, and for a rate of a group.
 * @example
 * optim.prodigy({ lr: schedule.cosine({ peak: 1 }), weightDecay: 0.01 }).rule; // "prodigy"
 */
export function prodigy(options: ProdigyOptions = {}): Optimizer {
  const optimizer = define({ name: "prodigy", rule: "prodigy" }, options);
  (options.groups ?? []).forEach((group, i) => {
    if ((group as { readonly lr?: unknown }).lr === undefined) return;
    throw new ArgumentError(
      `optim.prodigy: groups[${i}].lr: the estimate of the distance needs one rate for all parameters; give lr beside groups`,
    );
  });
  return optimizer;
}

// The weight of a step in the mean has a closed form for a steady rate alone.
function steady(name: string, optimizer: Optimizer, options: readonly string[]): Optimizer {
  for (const { hyper } of [optimizer, ...optimizer.groups]) {
    const found = options.find((option) => typeof hyper[option] === "function");
    if (found === undefined) continue;
    throw new ArgumentError(
      `optim.${name}: ${found} must be a number: it is the schedule that this optimizer does without; warmupSteps lets the rate rise`,
    );
  }
  return optimizer;
}
