// What the server of the dashboard tells its page: plain data, trials as rows in a fixed order so that 10,000 of them are about a megabyte.
import type { Distribution } from "../tune/space/index.js";
import type { Direction, TrialState } from "../tune/study/record.js";

/** A study in the list. */
export interface ListedStudy {
  readonly name: string;
  readonly trials: number;
  /** Milliseconds since 1970. */
  readonly created: number;
}

/** One parameter: of the space, or asked for by trials themselves. */
export interface ListedParameter {
  readonly name: string;
  readonly distribution: Distribution;
}

/** All that the page needs to know of a study beside its trials. */
export interface StudyHead {
  readonly name: string;
  readonly created: number;
  readonly directions: readonly Direction[];
  readonly labels: readonly string[];
  readonly sampler: string;
  readonly pruner: string;
  readonly seed: number;
  readonly mode: string;
  readonly parameters: readonly ListedParameter[];
}

/**
 * A trial: number, state, parameters in the order of the head (internal values, null where it has none), values, whether its
 * constraints hold, when it began and ended, the last step and value that it reported, and its worker.
 */
export type Row = readonly [
  number: number,
  state: TrialState,
  params: readonly (number | null)[],
  values: readonly number[] | null,
  feasible: 0 | 1,
  started: number | null,
  ended: number | null,
  lastStep: number | null,
  lastValue: number | null,
  worker: string | null,
];

/** Trials that changed. A number may be taken back: those from `count` on are no more. */
export interface Update {
  readonly revision: number;
  readonly count: number;
  readonly rows: readonly Row[];
}

/** A study as it stands. */
export interface Snapshot extends Update {
  readonly head: StudyHead;
}

/** What a trial reported. */
export interface Curve {
  readonly number: number;
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
}
