// When to stop: a metric that has not improved for a while. The rules are those of Keras 3.6 (keras.callbacks.EarlyStopping), check
// by check; test/golden/data/early-stopping.json holds what Keras itself does. Ours are the cooldown, which Keras does not have, and the
// least patience of 1, which in Keras is the same as 0. Newer versions of Keras (3.15) take a first NaN for the best, on which nothing
// then improves; here it is no improvement, as before.
import { requireCount, requireFinite, requireFlag } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { monitored, type Monitors } from "./monitors.js";

/**
 * Options of early stopping. A "check" is one value of the monitored metric: a validation, or an epoch for "loss".
 *
 * A check improves if it is better than the best so far by more than `minDelta`; an equal value does not, NaN does not, and the
 * first one that counts is the best until another improves on it, whatever it is. A run never stops at its first check nor at one
 * that improves. These are the rules of Keras' `EarlyStopping`, counted in checks. Lightning's are the same but for NaN and
 * infinity, which end a run at once there and count as no improvement here.
 */
export interface EarlyStoppingOptions<Monitor extends string = string> {
  /** The metric: "loss" of training, "val.loss", or "val." and the name of a metric. */
  readonly monitor: Monitor;
  /** Which way is better. Default what the metric says; "min" for a loss. */
  readonly mode?: "min" | "max" | undefined;
  /** Checks without improvement before the run ends. Default 5. */
  readonly patience?: number | undefined;
  /** Least change that counts as an improvement. Default 0. */
  readonly minDelta?: number | undefined;
  /** Checks without improvement, after one that improved, which do not count against patience. Default 0. */
  readonly cooldown?: number | undefined;
  /** Patience runs on at improvements that do not beat this value by more than `minDelta`. Default none. */
  readonly baseline?: number | undefined;
  /** A value worse than this ends the run at once (`stopped: "diverged"`), from the first check on. Default none. */
  readonly divergence?: number | undefined;
  /** Checks at the start that count for nothing: they use up no patience and are never the best. Default 0. */
  readonly startFrom?: number | undefined;
  /** Go back to the weights of the best check at the end, however the run ends; before the first that counts there are none. Default true. */
  readonly restoreBest?: boolean | undefined;
}

const options = [
  "monitor",
  "mode",
  "patience",
  "minDelta",
  "cooldown",
  "baseline",
  "divergence",
  "startFrom",
  "restoreBest",
];

/** What {@link EarlyStopping} has come to: the best score, values taken in, checks without improvement, checks of rest left. */
export type EarlyStoppingState = Readonly<Record<"best" | "checks" | "waited" | "resting", number>>;

/** Watches one metric over a run. */
export class EarlyStopping {
  readonly monitor: string;
  readonly restoreBest: boolean;
  private readonly sign: 1 | -1;
  private readonly patience: number;
  private readonly minDelta: number;
  private readonly cooldown: number;
  private readonly baseline: number | undefined;
  private readonly divergence: number | undefined;
  private readonly startFrom: number;
  private best: number;
  private checks = 0;
  private waited = 0;
  private resting = 0;

  /** @throws ArgumentError for unknown options, metrics and values out of range. */
  constructor(where: string, given: EarlyStoppingOptions, monitors: Monitors) {
    if (typeof given !== "object" || given === null) {
      throw new ArgumentError(
        `${where}: expected an object such as { monitor: "val.loss", patience: 3 }, got ${got(given)}`,
      );
    }
    checkOptions(where, given, options);
    const { monitor, mode } = monitored(where, given, monitors);
    this.monitor = monitor;
    this.sign = mode === "max" ? 1 : -1;
    this.best = this.sign * -Infinity;
    this.patience = requireCount(where, "patience", given.patience ?? 5, 1);
    this.cooldown = requireCount(where, "cooldown", given.cooldown ?? 0, 0);
    this.startFrom = requireCount(where, "startFrom", given.startFrom ?? 0, 0);
    this.minDelta = requireFinite(where, "minDelta", given.minDelta ?? 0);
    if (this.minDelta < 0) throw new ArgumentError(`${where}: minDelta must not be below 0, got ${this.minDelta}`);
    this.baseline = given.baseline === undefined ? undefined : requireFinite(where, "baseline", given.baseline);
    this.divergence = given.divergence === undefined ? undefined : requireFinite(where, "divergence", given.divergence);
    this.restoreBest = given.restoreBest ?? true;
    requireFlag(where, "restoreBest", this.restoreBest);
  }

  /** Its options, defaults filled in. */
  describe(): Readonly<Record<string, number | string | boolean | undefined>> {
    const { monitor, sign, patience, minDelta, cooldown, baseline, divergence, startFrom, restoreBest } = this;
    return {
      monitor,
      mode: sign === 1 ? "max" : "min",
      patience,
      minDelta,
      cooldown,
      baseline,
      divergence,
      startFrom,
      restoreBest,
    };
  }

  /** What it has come to. */
  state(): EarlyStoppingState {
    const { best, checks, waited, resting } = this;
    return { best, checks, waited, resting };
  }

  /** Goes on from there. */
  restore({ best, checks, waited, resting }: EarlyStoppingState): void {
    Object.assign(this, { best, checks, waited, resting });
  }

  /** Takes in a value: whether it is the best so far, and whether the run is to stop. NaN never is an improvement. */
  observe(value: number): { isBest: boolean; stop: boolean } {
    this.checks += 1;
    if (this.checks <= this.startFrom) return { isBest: false, stop: false };
    const isFirst = this.checks === this.startFrom + 1;
    const isImproved = this.beats(value, this.best);
    if (!isImproved) {
      if (this.resting > 0) this.resting -= 1;
      else this.waited += 1;
      return { isBest: isFirst, stop: this.waited >= this.patience && this.checks > 1 };
    }
    this.best = value;
    if (this.baseline === undefined || this.beats(value, this.baseline)) {
      this.waited = 0;
      this.resting = this.cooldown;
    } else {
      this.waited += 1;
    }
    return { isBest: true, stop: false };
  }

  /** Whether a value is so bad that the run is lost. */
  hasDiverged(value: number): boolean {
    return this.divergence !== undefined && this.sign * value < this.sign * this.divergence;
  }

  private beats(value: number, other: number): boolean {
    return this.sign * value - this.minDelta > this.sign * other;
  }
}
