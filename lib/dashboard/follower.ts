// One study as the server knows it: its trials, kept up with the storage by revision, and what is computed of them.
import { importance, type Importance } from "../tune/analysis/index.js";
import { externalValue, type Distribution } from "../tune/space/index.js";
import type { Storage, StoredTrial, StudyRecord } from "../tune/storage/storage.js";
import { finished, isFeasible, type FinishedTrial } from "../tune/study/finished.js";
import type { Curve, ListedParameter, Row, Snapshot, StudyHead, Update } from "./message.js";

/** More trials than these are thinned out evenly before the forest of importance is grown. */
const mostForImportance = 2000;
/** Milliseconds for which the importance of a study that goes on counts. */
const freshFor = 10_000;
const mostReports = 2000;

interface Computed {
  readonly revision: number;
  readonly at: number;
  readonly shares: Promise<readonly Importance[]>;
}

/** Follows a study. */
export class Follower {
  revision = 0;
  private readonly storage: Storage;
  private readonly record: StudyRecord;
  private readonly trials: (StoredTrial | undefined)[] = [];
  private readonly parameters: ListedParameter[];
  private refreshing: Promise<void> | undefined;
  private readonly computed = new Map<number, Computed>();

  constructor(storage: Storage, record: StudyRecord) {
    this.storage = storage;
    this.record = record;
    this.parameters = [...record.spec.space.parameters];
  }

  /** Reads what has changed; calls that come together share one question. */
  refresh(): Promise<void> {
    this.refreshing ??= this.read().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  /** All that the page needs at first. */
  snapshot(): Snapshot {
    return { ...this.since(-1), head: this.head() };
  }

  /** Trials that changed after a revision. */
  since(revision: number): Update {
    const rows = this.trials.flatMap((trial) => (trial === undefined || trial.revision <= revision ? [] : [this.row(trial)])); // prettier-ignore
    return { revision: this.revision, count: this.trials.length, rows };
  }

  /** How many parameters are known: trials that ask for their own make them more. */
  get width(): number {
    return this.parameters.length;
  }

  head(): StudyHead {
    const { name, created, spec } = this.record;
    const { directions, labels, sampler, pruner, seed, mode } = spec;
    return { name, created, directions, labels, sampler: sampler.name, pruner: pruner.name, seed, mode, parameters: this.parameters.map(({ name: each, distribution }) => ({ name: each, distribution })) }; // prettier-ignore
  }

  /** One trial with all that is kept of it, in the user's form. */
  trial(number: number): FinishedTrial | undefined {
    const trial = this.trials[number];
    return trial && finished(this.record.spec.space, trial);
  }

  /** What trials reported; long curves are thinned. */
  curves(numbers: readonly number[]): Curve[] {
    return numbers.flatMap((number) => {
      const { intermediate = [] } = this.trials[number] ?? {};
      if (intermediate.length === 0) return [];
      const every = Math.ceil(intermediate.length / mostReports);
      const kept = intermediate.filter((_, i) => i % every === 0 || i === intermediate.length - 1);
      const finite = (value: number) => (Number.isFinite(value) ? value : null);
      return [{ number, steps: kept.map(({ step }) => step), values: kept.map(({ value }) => finite(value)) }];
    });
  }

  /** Importance of parameters for an objective, by fANOVA. @throws ArgumentError where there are too few trials. */
  importance(objective: number): Promise<readonly Importance[]> {
    const before = this.computed.get(objective);
    const isFresh = before && (before.revision === this.revision || performance.now() - before.at < freshFor);
    if (isFresh) return before.shares;
    const { space, directions } = this.record.spec;
    const complete = this.trials.filter((trial) => trial?.state === "complete") as StoredTrial[];
    const every = Math.max(1, complete.length / mostForImportance);
    const records = complete.filter((_, i) => Math.floor(i / every) !== Math.floor((i - 1) / every));
    const shares = importance({ space, directions, records }, { objective });
    this.computed.set(objective, { revision: this.revision, at: performance.now(), shares });
    shares.catch(() => this.computed.delete(objective));
    return shares;
  }

  private async read(): Promise<void> {
    const { revision, count, trials } = await this.storage.changes(this.record.id, this.revision);
    for (const trial of trials) {
      this.trials[trial.number] = trial;
      for (const [name, distribution] of Object.entries(trial.suggested ?? {})) this.know(name, distribution);
    }
    this.trials.length = count;
    this.revision = revision;
  }

  // Trials may ask for one name with several ranges: the page shows what holds all of them.
  private know(name: string, distribution: Distribution): void {
    const at = this.parameters.findIndex((parameter) => parameter.name === name);
    if (at < 0) this.parameters.push({ name, distribution });
    else this.parameters[at] = { ...this.parameters[at]!, distribution: joined(this.parameters[at]!.distribution, distribution) }; // prettier-ignore
  }

  private row(trial: StoredTrial): Row {
    const { number, state, params, values, constraints = [], intermediate, started, ended, worker } = trial;
    const last = intermediate.at(-1);
    const finite = (value: number) => (Number.isFinite(value) ? value : null);
    return [
      number,
      state,
      this.parameters.map(({ name, distribution }) => this.coordinate(trial, name, distribution, params[name])),
      values?.every(Number.isFinite) === true ? values : null,
      values !== undefined && isFeasible({ state, values, constraints }) ? 1 : 0,
      started ?? null,
      ended ?? null,
      last?.step ?? null,
      last === undefined ? null : finite(last.value),
      worker ?? null,
    ];
  }

  // The index of a choice that a trial asked for is one of its own list.
  private coordinate({ suggested }: StoredTrial, name: string, shown: Distribution, value: number | undefined) {
    const own = suggested?.[name];
    if (value === undefined || own?.kind !== "choice" || shown.kind !== "choice") return value ?? null;
    const text = JSON.stringify(externalValue(own, value));
    return shown.choices.findIndex((choice) => JSON.stringify(choice) === text);
  }
}

function joined(a: Distribution, b: Distribution): Distribution {
  if (a.kind === "choice" && b.kind === "choice") {
    const known = new Set(a.choices.map((choice) => JSON.stringify(choice)));
    const more = b.choices.filter((choice) => !known.has(JSON.stringify(choice)));
    return more.length === 0 ? a : { kind: "choice", choices: [...a.choices, ...more] };
  }
  if (a.kind === "choice" || b.kind === "choice") return a;
  return { ...a, low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}
