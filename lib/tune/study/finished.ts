// A trial as the user reads it: with the values of choices, and dates.
import { decode, externalValue, type FlatSpace, type Json } from "../space/index.js";
import type { Failure, StoredTrial } from "../storage/storage.js";
import type { Direction, Intermediate, TrialState } from "./record.js";

/** A trial of a study. */
export interface FinishedTrial<P = Record<string, unknown>> {
  /** From 0 on, without gaps. */
  readonly number: number;
  readonly state: TrialState;
  /** Empty while the sampler has not chosen them. */
  readonly params: P;
  /** The first of `values`; undefined for trials without. */
  readonly value: number | undefined;
  /** One for each direction; empty for trials that have not ended, failed or were pruned. */
  readonly values: readonly number[];
  readonly intermediate: readonly Intermediate[];
  readonly constraints: readonly number[];
  readonly attributes: Readonly<Record<string, Json>>;
  /** Why it failed. */
  readonly error: Failure | undefined;
  readonly attempt: number;
  readonly worker: string | undefined;
  readonly started: Date | undefined;
  readonly ended: Date | undefined;
  /** The trial whose checkpoint it went on from. */
  readonly parent: number | undefined;
  /** From its first beginning to its end. */
  readonly seconds: number | undefined;
}

/** A stored trial in the user's form. */
export function finished(space: FlatSpace, trial: StoredTrial): FinishedTrial {
  const { number, state, values = [], intermediate, constraints = [], attributes, error, attempt, worker } = trial;
  const params = decode(space, trial.params);
  for (const [name, distribution] of Object.entries(trial.suggested ?? {})) {
    const value = trial.params[name];
    if (value !== undefined) params[name] = externalValue(distribution, value);
  }
  const { started, ended } = trial;
  return {
    number,
    state,
    params: trial.sampledAt === undefined && Object.keys(trial.params).length === 0 ? {} : params,
    value: values[0],
    values,
    intermediate,
    constraints,
    attributes,
    error,
    attempt,
    worker,
    parent: trial.parent,
    started: started === undefined ? undefined : new Date(started),
    ended: ended === undefined ? undefined : new Date(ended),
    seconds: started === undefined || ended === undefined ? undefined : Math.max(0, ended - started) / 1000,
  };
}

type Judged = Pick<FinishedTrial, "state" | "values" | "constraints">;

/** Whether a trial has finite values and holds its constraints. */
export const isFeasible = ({ state, constraints }: Judged): boolean =>
  state === "complete" && constraints.every((value) => value <= 0);

/** Whether `a` is at least as good as `b` in every value, and better in one. */
export function dominates(a: readonly number[], b: readonly number[], directions: readonly Direction[]): boolean {
  let better = false;
  for (const [i, direction] of directions.entries()) {
    const difference = direction === "minimize" ? b[i]! - a[i]! : a[i]! - b[i]!;
    if (difference < 0) return false;
    if (difference > 0) better = true;
  }
  return better;
}

/** The trials that no other dominates, by number: of one direction the best, the earliest where several are. */
export function frontOf<T extends Judged>(trials: readonly T[], directions: readonly Direction[]): T[] {
  const feasible = trials.filter(isFeasible);
  if (directions.length > 1) {
    // Whatever dominates a trial is not behind it in the order of the first value, ties by the others.
    const sign = directions.map((direction) => (direction === "minimize" ? 1 : -1));
    const sorted = [...feasible].sort((a, b) => {
      for (const [i, s] of sign.entries()) if (a.values[i] !== b.values[i]) return s * (a.values[i]! - b.values[i]!);
      return 0;
    });
    const front: T[] = [];
    for (const trial of sorted) {
      if (!front.some((other) => dominates(other.values, trial.values, directions))) front.push(trial);
    }
    const kept = new Set(front);
    return feasible.filter((trial) => kept.has(trial));
  }
  let best: T | undefined;
  for (const trial of feasible)
    if (best === undefined || dominates(trial.values, best.values, directions)) best = trial;
  return best === undefined ? [] : [best];
}
