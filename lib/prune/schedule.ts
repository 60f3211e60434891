// How much is pruned when: pure functions of the step. Step t counts the training steps taken; masks change between steps, at
// those that `next` names.
import { requireCount, requireWithin } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";

/** Masks that grow while the model is trained. */
export interface PruningSchedule {
  readonly kind: "oneShot" | "linear" | "cubic" | "iterative";
  /** Steps before the first mask. */
  readonly start: number;
  /** The step at which `amount` is reached. */
  readonly end: number;
  /** Steps that the run has to take: `end`, and for rounds of fine-tuning the last of them. */
  readonly length: number;
  /** The share pruned once `step` steps are taken, on the way to `amount`. */
  at(step: number, amount: number): number;
  /** The first step after `step` at which masks change; Infinity when there is none. */
  next(step: number): number;
}

/** Rounds of training, pruning and going back to earlier weights; see {@link lottery}. */
export interface LotterySchedule {
  readonly kind: "lottery";
  readonly rounds: number;
  readonly rewindTo: number;
  /** The share pruned after so many of the rounds. */
  after(round: number, amount: number): number;
}

/** Options of {@link oneShot}. */
export interface OneShotOptions {
  /** Steps taken before. Default 0. */
  readonly at?: number | undefined;
}

/** Options of {@link linear} and {@link cubic}. */
export interface GradualOptions {
  /** Steps from the first to the last change of the masks. */
  readonly steps: number;
  /** Steps before the first. Default 0. */
  readonly start?: number | undefined;
  /** Steps between two changes; one more stands at the end. Default a twentieth of `steps`. */
  readonly every?: number | undefined;
  /** The share pruned at the start. Default 0. */
  readonly initial?: number | undefined;
}

/** Options of {@link iterative}. */
export interface IterativeOptions {
  readonly rounds: number;
  /** Training steps of a round, after its pruning. */
  readonly steps: number;
}

/** Options of {@link lottery}. */
export interface LotteryOptions {
  readonly rounds: number;
  /** The training step whose weights each round starts from. Default 0, the weights of the start. */
  readonly rewindTo?: number | undefined;
}

/**
 * All at once, before training or after so many steps of it. The default.
 *
 * @example
 * prune.oneShot().at(0, 0.9); // 0.9
 */
export function oneShot(options: OneShotOptions = {}): PruningSchedule {
  const where = "prune.oneShot";
  checkOptions(where, options, ["at"]);
  const { at = 0 } = options;
  requireCount(where, "at", at, 0);
  return {
    kind: "oneShot",
    start: at,
    end: at,
    length: at,
    at: (step, amount) => (step < at ? 0 : amount),
    next: (step) => (step < at ? at : Infinity),
  };
}

/**
 * Evenly more at every change.
 *
 * @throws ArgumentError
 * @example
 * prune.linear({ steps: 100, every: 10 }).at(50, 0.8); // 0.4
 */
export function linear(options: GradualOptions): PruningSchedule {
  return gradual("linear", options, (u) => u);
}

/**
 * Fast at first, while much is redundant, slower towards the end: a − (a − initial) (1 − u)³ with u the share of `steps` that
 * has passed (Zhu and Gupta 2017).
 *
 * @throws ArgumentError
 * @example
 * prune.cubic({ steps: 100, every: 10 }).at(50, 0.8); // 0.7
 */
export function cubic(options: GradualOptions): PruningSchedule {
  return gradual("cubic", options, (u) => 1 - (1 - u) ** 3);
}

/**
 * Rounds of pruning and fine-tuning in one run: each takes the same share of what is left, so that 1 − (1 − a)^(r / rounds) is
 * pruned in round r (Han et al. 2015), and `steps` training steps follow.
 *
 * @throws ArgumentError
 * @example
 * prune.iterative({ rounds: 2, steps: 100 }).at(50, 0.75); // 0.5
 */
export function iterative(options: IterativeOptions): PruningSchedule {
  const where = "prune.iterative";
  requireObject(where, options, "{ rounds: 5, steps: 500 }");
  checkOptions(where, options, ["rounds", "steps"]);
  const { rounds, steps } = options;
  requireCount(where, "rounds", rounds);
  requireCount(where, "steps", steps);
  const end = (rounds - 1) * steps;
  return {
    kind: "iterative",
    start: 0,
    end,
    length: rounds * steps,
    at: (step, amount) => shareAfter(Math.min(rounds, Math.floor(step / steps) + 1), rounds, amount),
    next: (step) => (step < end ? (Math.floor(step / steps) + 1) * steps : Infinity),
  };
}

/**
 * The lottery ticket's rounds (Frankle and Carbin 2019; rewinding, Frankle et al. 2020): train, prune, put what is left back to
 * its weights at step `rewindTo`, and go on from that step; the last round only trains. Each round takes the same share of what
 * is left. Every round is a run of the whole recipe in `during`, the same learning rates and the same samples.
 *
 * @throws ArgumentError
 * @example
 * prune.lottery({ rounds: 2, rewindTo: 100 }).after(1, 0.75); // 0.5
 */
export function lottery(options: LotteryOptions): LotterySchedule {
  const where = "prune.lottery";
  requireObject(where, options, "{ rounds: 5, rewindTo: 100 }");
  checkOptions(where, options, ["rounds", "rewindTo"]);
  const { rounds, rewindTo = 0 } = options;
  requireCount(where, "rounds", rounds);
  requireCount(where, "rewindTo", rewindTo, 0);
  return { kind: "lottery", rounds, rewindTo, after: (round, amount) => shareAfter(round, rounds, amount) };
}

function gradual(kind: "linear" | "cubic", options: GradualOptions, shape: (u: number) => number): PruningSchedule {
  const where = `prune.${kind}`;
  requireObject(where, options, "{ steps: 2000 }");
  checkOptions(where, options, ["steps", "start", "every", "initial"]);
  const { steps, start = 0, initial = 0 } = options;
  requireCount(where, "steps", steps);
  requireCount(where, "start", start, 0);
  const every = options.every ?? Math.max(1, Math.round(steps / 20));
  requireCount(where, "every", every);
  requireWithin(where, "initial", initial, 0, 1);
  const end = start + steps;
  // The masks stand still between two changes: what counts is the last change before the step.
  const changed = (step: number) => (step >= end ? steps : Math.floor((step - start) / every) * every);
  return {
    kind,
    start,
    end,
    length: end,
    at: (step, amount) => {
      if (step < start) return 0;
      const first = Math.min(initial, amount);
      return first + (amount - first) * shape(changed(step) / steps);
    },
    next: (step) => {
      if (step < start) return start;
      return step < end ? Math.min(end, start + changed(step) + every) : Infinity;
    },
  };
}

const shareAfter = (round: number, rounds: number, amount: number): number => 1 - (1 - amount) ** (round / rounds);

function requireObject(where: string, options: unknown, example: string): void {
  if (typeof options === "object" && options !== null) return;
  throw new ArgumentError(`${where}: expected an object such as ${example}, got ${String(options)}`);
}
