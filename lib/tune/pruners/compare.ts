// Which of two values is better; NaN is worse than any number, and than nothing at all it is no better.
import { requireCount } from "../../guidance/arguments.js";
import type { Direction, Intermediate, TrialRecord } from "../study/record.js";

/** As a loss: the smaller the better; NaN is Infinity. */
export const lossOf = (value: number, direction: Direction): number =>
  Number.isNaN(value) ? Infinity : direction === "minimize" ? value : -value;

/** Reports as losses. */
export const lossesOf = (reports: readonly Intermediate[], direction: Direction): number[] =>
  reports.map(({ value }) => lossOf(value, direction));

/** The best report as a loss; Infinity without any. */
export function bestLossOf(
  reports: readonly Intermediate[],
  direction: Direction,
  from = 0,
  to = reports.length,
): number {
  let best = Infinity;
  for (let i = from; i < to; i++) best = Math.min(best, lossOf(reports[i]!.value, direction));
  return best;
}

/** Whether a trial came to its end with a value. */
export const isCompleted = ({ state }: TrialRecord): boolean => state === "complete" || state === "infinite";

/** When a pruner begins to decide. */
export interface Schedule {
  /** Trials that have to be complete before. Default 5. */
  readonly startupTrials?: number;
  /** Steps of a trial before its first decision. Default 0. */
  readonly warmupSteps?: number;
  /** Decides only at `warmupSteps`, `warmupSteps + interval`, … Default 1, at every report. */
  readonly interval?: number;
}

/** Whether a report is the first at or after one of the steps at which decisions are made. */
export function isDue(reports: readonly Intermediate[], { warmupSteps = 0, interval = 1 }: Schedule): boolean {
  const step = reports.at(-1)!.step;
  if (step < warmupSteps) return false;
  const due = Math.floor((step - warmupSteps) / interval) * interval + warmupSteps;
  const before = reports.at(-2)?.step ?? -Infinity;
  return before < due;
}

/** @throws ArgumentError */
export function checkSchedule(where: string, { startupTrials = 5, warmupSteps = 0, interval = 1 }: Schedule): void {
  requireCount(where, "startupTrials", startupTrials, 0);
  requireCount(where, "warmupSteps", warmupSteps, 0);
  requireCount(where, "interval", interval, 1);
}
