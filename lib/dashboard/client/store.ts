// The study as the page has it: trials by number, kept up with what the server says, and lists made of them once a change.
import type { Distribution } from "../../tune/space/distribution.js";
import { frontOf } from "../../tune/study/finished.js";
import { toUnit } from "../../tune/space/distribution.js";
import type { TrialState } from "../../tune/study/record.js";
import type { ListedParameter, Row, Snapshot, StudyHead, Update } from "../message.js";
import { short } from "./theme.js";

/** A trial. */
export interface Trial {
  readonly number: number;
  readonly state: TrialState;
  /** Internal values, in the order of the parameters; null for those that it does not have. */
  readonly params: readonly (number | null)[];
  readonly values: readonly number[];
  readonly feasible: boolean;
  readonly started: number | null;
  readonly ended: number | null;
  readonly lastStep: number | null;
  readonly lastValue: number | null;
  readonly worker: string | null;
}

/** A complete trial that holds its constraints, with its place among them: 0 the best, 1 the worst. */
export interface Ranked {
  readonly trial: Trial;
  readonly value: number;
  readonly share: number;
}

/** A study. */
export class Store {
  head: StudyHead;
  revision: number;
  /** Counts changes. */
  version = 0;
  private trials: Trial[] = [];
  private kept = new Map<string, unknown>();

  constructor(snapshot: Snapshot) {
    this.head = snapshot.head;
    this.revision = snapshot.revision;
    this.take(snapshot);
  }

  /** Takes in what changed. */
  take({ rows, count, revision, head }: Update & { readonly head?: StudyHead }): void {
    if (head !== undefined) this.head = head;
    for (const row of rows) this.trials[row[0]] = trialOf(row);
    this.trials.length = count;
    this.revision = revision;
    this.version++;
    this.kept = new Map();
  }

  /** All trials, by number. */
  get all(): readonly Trial[] {
    return this.once("all", () => this.trials.filter((trial) => trial !== undefined));
  }

  get(number: number): Trial | undefined {
    return this.trials[number];
  }

  /** Complete trials that hold their constraints, by number. */
  get feasible(): readonly Trial[] {
    return this.once("feasible", () => this.all.filter(({ feasible }) => feasible));
  }

  /** Those from the best to the worst by one of the values. */
  ranked(k: number): readonly Ranked[] {
    return this.once(`ranked ${k}`, () => {
      const sign = this.head.directions[k] === "minimize" ? 1 : -1;
      const sorted = [...this.feasible].sort((a, b) => sign * (a.values[k]! - b.values[k]!));
      return sorted.map((trial, i) => ({ trial, value: trial.values[k]!, share: sorted.length === 1 ? 0 : i / (sorted.length - 1) })); // prettier-ignore
    });
  }

  /** Trials that no other dominates. */
  get front(): readonly Trial[] {
    return this.once("front", () => frontOf(this.feasible.map((trial) => ({ ...trial, constraints: [] })), this.head.directions).map(({ number }) => this.trials[number]!)); // prettier-ignore
  }

  /** How many trials are in each state. */
  get counts(): ReadonlyMap<TrialState, number> {
    return this.once("counts", () => {
      const counts = new Map<TrialState, number>();
      for (const { state } of this.all) counts.set(state, (counts.get(state) ?? 0) + 1);
      return counts;
    });
  }

  /** Parameters that can differ between trials, with their place in the rows. */
  get varied(): readonly (ListedParameter & { readonly at: number })[] {
    return this.head.parameters.flatMap((parameter, at) => {
      const { distribution: d } = parameter;
      return (d.kind === "choice" ? d.choices.length > 1 : d.low < d.high) ? [{ ...parameter, at }] : [];
    });
  }

  private once<T>(key: string, make: () => T): T {
    if (!this.kept.has(key)) this.kept.set(key, make());
    return this.kept.get(key) as T;
  }
}

function trialOf([number, state, params, values, feasible, started, ended, lastStep, lastValue, worker]: Row): Trial {
  return { number, state, params, values: values ?? [], feasible: feasible === 1, started, ended, lastStep, lastValue, worker }; // prettier-ignore
}

/** Whether a parameter's axis is logarithmic. */
export const isLog = (d: Distribution): boolean => d.kind === "logUniform" || (d.kind === "int" && d.log);

/** A value of a parameter as text. */
export function textOf(distribution: Distribution, value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (distribution.kind !== "choice") return short(value);
  const choice = distribution.choices[value];
  return typeof choice === "string" ? choice : JSON.stringify(choice);
}

export { toUnit };
