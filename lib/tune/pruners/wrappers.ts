// Pruners by simple rules of their own.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { bestLossOf, checkSchedule, isDue, type Schedule } from "./compare.js";
import type { Pruner } from "./pruner.js";

/**
 * Lets a trial go on while it gets better: what `pruner` says counts only where none of the last `patience` + 1 reports is
 * better, by more than `minDelta`, than the best before them. Without a pruner such a trial ends.
 *
 * @throws ArgumentError
 * @example
 * tune.patient(3, tune.median());
 */
export function patient(patience: number, pruner?: Pruner, options: { readonly minDelta?: number } = {}): Pruner {
  const where = "tune.patient";
  checkOptions(where, options, ["minDelta"]);
  requireCount(where, "patience", patience, 0);
  const { minDelta = 0 } = options;
  if (typeof minDelta !== "number" || !(minDelta >= 0)) {
    throw new ArgumentError(`${where}: minDelta: expected a number from 0 on, got ${got(minDelta)}`);
  }
  if (pruner !== undefined && typeof pruner?.prune !== "function") {
    throw new ArgumentError(`${where}: expected a pruner second, such as tune.median(), got ${got(pruner)}`);
  }
  return {
    name: "patient",
    settings: { patience, minDelta, pruner: pruner && { name: pruner.name, settings: pruner.settings } },
    prune(request) {
      const { reports, direction } = request;
      if (reports.length <= patience + 1) return false;
      const cut = reports.length - patience - 1;
      const [before, after] = [bestLossOf(reports, direction, 0, cut), bestLossOf(reports, direction, cut)];
      return before + minDelta < after && (pruner?.prune(request) ?? true);
    },
  };
}

/** Options of {@link threshold}. */
export interface ThresholdOptions extends Omit<Schedule, "startupTrials"> {
  /** Reports below end the trial. Default none. */
  readonly lower?: number;
  /** Reports above end the trial. Default none. */
  readonly upper?: number;
}

/**
 * Ends a trial that reports a value outside of bounds, or NaN.
 *
 * @throws ArgumentError without a bound.
 * @example
 * tune.threshold({ upper: 10 });
 */
export function threshold(options: ThresholdOptions): Pruner {
  const where = "tune.threshold";
  checkOptions(where, options, ["lower", "upper", "warmupSteps", "interval"]);
  checkSchedule(where, options);
  const { lower = -Infinity, upper = Infinity } = options;
  const isBound = (value: unknown) => typeof value === "number" && !Number.isNaN(value);
  const isUsable = isBound(lower) && isBound(upper) && lower <= upper && (lower > -Infinity || upper < Infinity);
  if (!isUsable) {
    throw new ArgumentError(
      `${where}: expected lower, upper or both, the lower first, got ${got(lower)} and ${got(upper)}; write tune.threshold({ upper: 10 })`,
    );
  }
  return {
    name: "threshold",
    settings: { ...options },
    prune({ reports }) {
      const { value } = reports.at(-1)!;
      return isDue(reports, options) && !(value >= lower && value <= upper);
    },
  };
}
