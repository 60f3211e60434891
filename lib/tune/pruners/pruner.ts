// What decides whether a trial goes on.
import type { Direction, Intermediate, TrialRecord } from "../study/record.js";

/** What a pruner is asked when a trial has reported. */
export interface PruneRequest {
  readonly number: number;
  /** Of the study. */
  readonly seed: number;
  /** Of the values that are reported. */
  readonly direction: Direction;
  /** Reports of this trial so far, by step; the last one is what the decision is about. More may come to the same list. */
  readonly reports: readonly Intermediate[];
  /**
   * Other trials that this decision may see: in the deterministic order those whose results its sampler saw, by number; else all as far
   * as they are known, those that have ended by number, then those that run.
   */
  readonly history: readonly TrialRecord[];
}

/** Decides, by its request alone. NaN counts as worse than any number. */
export interface Pruner {
  readonly name: string;
  /** What it is made of beside its name, as plain data; kept with the study. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Whether the trial is to end here. */
  prune(request: PruneRequest): boolean;
}
