// A trial as everyone but its own worker sees it: plain data.
import type { Params } from "../space/index.js";

/** Which way a value is to go. */
export type Direction = "minimize" | "maximize";

/**
 * How a trial stands.
 * - `waiting`: enqueued, not begun; `running`.
 * - `complete`: has values, all finite.
 * - `infinite`: the objective gave Infinity or −Infinity: `values` has them; to be taken for worse than any finite value.
 * - `pruned`: given up; the last entry of `intermediate` says how far it came.
 * - `failed`: threw, or gave NaN; has no values.
 */
export type TrialState = "waiting" | "running" | "complete" | "infinite" | "pruned" | "failed";

/** What a trial reported at a step: `value` may be NaN or infinite. */
export interface Intermediate {
  readonly step: number;
  readonly value: number;
}

/** A trial. */
export interface TrialRecord {
  /** From 0 on, without gaps. */
  readonly number: number;
  readonly state: TrialState;
  /** Internal values; of a trial that is waiting only those that were fixed. */
  readonly params: Params;
  /** One for each direction. */
  readonly values?: readonly number[];
  /** In order of steps, each step once. */
  readonly intermediate: readonly Intermediate[];
  /** Constraints: at most 0 where they hold; finite. */
  readonly constraints?: readonly number[];
}

/** Whether a trial has come to its end. */
export const isEnded = (state: TrialState): boolean => state !== "waiting" && state !== "running";
