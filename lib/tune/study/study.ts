// A study: what a search has come to, and the way to go on with it.
import { ArgumentError } from "../../errors.js";
import { encode, type FlatSpace, type Json } from "../space/index.js";
import type { Enqueued, Storage, StoredTrial, StudyRecord, StudySpec } from "../storage/storage.js";
import { finished, frontOf, isFeasible, type FinishedTrial } from "./finished.js";
import type { DeepPartial, TuneOptions } from "./options.js";
import type { Direction } from "./record.js";
import type { Objective, Stopped } from "./search.js";
import { csvOf } from "./table.js";
import type { TuneRun } from "./tune.js";

/** How {@link Study.resume} goes on: with the search that `tune` makes. @internal */
export type Resume = (study: Study<any>, objective: Objective<any>, options: TuneOptions<any>) => TuneRun<any>; // eslint-disable-line @typescript-eslint/no-explicit-any

/**
 * A study with the trials that it had when it was read: the result of a search, or what {@link load} gives.
 *
 * @example
 * const study = await tune({ x: tune.uniform(-1, 1) }, (_, { params }) => params.x ** 2, { trials: 20 });
 * console.log(study.best?.params.x, study.trials.length);
 * await writeFile("out/trials.csv", study.toCSV());
 */
export class Study<P = Record<string, unknown>> {
  readonly name: string;
  readonly directions: readonly Direction[];
  /** Names of the values. */
  readonly labels: readonly string[];
  readonly spec: StudySpec;
  /** By number. */
  readonly trials: readonly FinishedTrial<P>[];
  /** Why the search ended; undefined for a study that was loaded. */
  readonly stopped: Stopped | undefined;
  readonly created: Date;
  /** The trials with internal values. */
  readonly records: readonly StoredTrial[];
  private readonly record: StudyRecord;
  private readonly storage: Storage;
  private readonly go: Resume;

  /** @internal */
  constructor(parts: {
    record: StudyRecord;
    trials: readonly StoredTrial[];
    storage: Storage;
    stopped: Stopped | undefined;
    go: Resume;
  }) {
    // prettier-ignore
    const { record, storage } = parts;
    this.record = record;
    this.storage = storage;
    this.go = parts.go;
    this.name = record.name;
    this.spec = record.spec;
    this.directions = record.spec.directions;
    this.labels = record.spec.labels;
    this.created = new Date(record.created);
    this.records = parts.trials.filter((trial) => trial !== undefined);
    this.trials = this.records.map((trial) => finished(record.spec.space, trial) as FinishedTrial<P>);
    this.stopped = parts.stopped;
  }

  get space(): FlatSpace {
    return this.spec.space;
  }

  get attributes(): Readonly<Record<string, Json>> {
    return this.record.attributes;
  }

  /** The best trial that is complete and holds its constraints; of several directions the first of the front. */
  get best(): (FinishedTrial<P> & { readonly value: number }) | undefined {
    return this.front[0] as (FinishedTrial<P> & { readonly value: number }) | undefined;
  }

  /** The trials that no other dominates, by number. */
  get front(): readonly FinishedTrial<P>[] {
    return frontOf(this.trials, this.directions);
  }

  /** Complete trials that hold their constraints. */
  get feasible(): readonly FinishedTrial<P>[] {
    return this.trials.filter(isFeasible);
  }

  /** Keeps something about the study. */
  async setAttribute(name: string, value: Json): Promise<void> {
    await this.storage.annotate(this.record.id, { [name]: value });
  }

  /**
   * Parameters to try next, by whichever search goes on with the study; those left out are chosen by the sampler.
   *
   * @throws ArgumentError for parameters that are not of the space.
   */
  async enqueue(...params: readonly DeepPartial<P>[]): Promise<void> {
    await this.storage.enqueue(this.record.id, enqueuedOf("study.enqueue", this.space, params));
  }

  /**
   * A trial to be done next that goes on from the checkpoint of another, with its parameters but for those given: the best trained longer,
   * or with another rate. Its objective finds `trial.parent`; `train.fit(…, { trial })` takes up the checkpoint by itself.
   *
   * @throws ArgumentError for a trial that the study does not have, and for parameters that are not of the space.
   * @example
   * const storage = new tune.MemoryStorage();
   * const study = await tune({ lr: tune.logUniform(1e-3, 1) }, (_, { params }) => params.lr, { trials: 4, storage });
   * await study.fork(study.best!.number, { lr: 0.01 });
   * const more = await study.resume((trial, { params }) => params.lr / (1 + trial.generation), { trials: 5 });
   * console.log(more.trials[4]!.parent);
   */
  async fork(parent: number, params: DeepPartial<P> = {} as DeepPartial<P>): Promise<void> {
    const known = this.records.find(({ number }) => number === parent);
    if (known === undefined) {
      throw new ArgumentError(
        `study.fork: expected the number of a trial, 0 to ${this.records.length - 1}, got ${parent}`,
      );
    }
    const [given] = enqueuedOf("study.fork", this.space, [params]);
    await this.storage.enqueue(this.record.id, [{ ...given!, fixed: { ...known.params, ...given!.fixed }, parent }]);
  }

  /**
   * Goes on with the study, as `tune` does with the same storage and name. Options are those of before, but for `trials` and what
   * belongs to a process.
   *
   * @throws ArgumentError
   */
  resume(objective: Objective<P>, options: TuneOptions<P> = {}): TuneRun<P> {
    return this.go(this, objective, { storage: this.storage, ...options }) as TuneRun<P>;
  }

  /**
   * One row a trial (RFC 4180): number, state, values, constraints, parameters, attributes, how many reports and the last of them, times,
   * error. NaN and Infinity are those words.
   */
  toCSV(): string {
    return csvOf(this as unknown as Study);
  }

  /**
   * The study as plain data, with parameters in the user's form. JSON has no words for numbers that are not finite: they are the strings
   * "NaN", "Infinity" and "-Infinity".
   */
  toJSON(): Record<string, unknown> {
    const { name, directions, labels, attributes, trials, stopped } = this;
    const { space, seed, mode, lag, sampler, pruner } = this.spec;
    return {
      name,
      created: this.created,
      directions,
      labels,
      seed,
      mode,
      lag,
      sampler,
      pruner,
      space,
      attributes,
      stopped,
      trials: trials.map((trial) => named(trial)),
    };
  }
}

// Numbers that JSON would turn into null, as strings.
function named(value: unknown): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(named);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, named(item)]));
}

/** Trials to be done with some parameters given in the user's form. */
export function enqueuedOf(where: string, space: FlatSpace, list: readonly unknown[]): Enqueued[] {
  if (!Array.isArray(list)) throw new ArgumentError(`${where}: expected a list of parameters, such as [{ lr: 0.1 }]`);
  return list.map((given: Record<string, Json>) => {
    // Without a space, parameters are what the objective asks for.
    if (space.parameters.length === 0) return { fixed: {}, attributes: { suggest: given } };
    return { fixed: encode(where, space, given), attributes: {} };
  });
}
