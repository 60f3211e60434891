// Parameters that an objective asks for itself: the sampler chooses those that trials had before, ahead of the trial.
import { Following, keptOf } from "./follow.js";
import type { Sampler, SampleRequest } from "../samplers/sampler.js";
import type { Distribution, FlatSpace } from "../space/index.js";
import type { StoredTrial } from "../storage/storage.js";
import type { TrialRecord } from "./record.js";

/** Values by name. */
export type Foreseen = ReadonlyMap<string, { readonly distribution: Distribution; readonly value: number }>;

interface Known {
  readonly distribution: Distribution;
  readonly text: string;
  /** Trials that had it with this distribution since it was first so. */
  readonly count: number;
}

interface Group {
  readonly names: readonly string[];
  readonly space: FlatSpace;
  readonly trials: TrialsWith;
}

/** Trials of a history that have certain parameters. */
class TrialsWith extends Following {
  readonly found: TrialRecord[] = [];
  private readonly names: readonly string[];

  constructor(names: readonly string[]) {
    super();
    this.names = names;
  }
  protected add(record: TrialRecord): void {
    if (this.has(record)) this.found.push(record);
  }
  protected remove(record: TrialRecord): void {
    if (this.has(record)) this.found.splice(this.found.indexOf(record), 1);
  }
  has({ params }: TrialRecord): boolean {
    return this.names.every((name) => params[name] !== undefined);
  }
}

/**
 * What the objective of a trial may ask for, from the trials that it may see: those parameters that all of them have are chosen
 * together (the intersection search space of define-by-run interfaces), each other by itself. `request.space` is the space
 * that the study has beside.
 */
export class Foresight extends Following {
  private readonly sampler: Sampler;
  private known = new Map<string, Known>();
  private asked = 0;
  private groups: readonly Group[] = [];

  constructor(sampler: Sampler) {
    super();
    this.sampler = sampler;
  }

  protected add(record: TrialRecord): void {
    const suggested = (record as StoredTrial).suggested;
    if (suggested === undefined) return;
    this.asked++;
    for (const [name, distribution] of Object.entries(suggested)) {
      const before = this.known.get(name);
      const text = before?.distribution === distribution ? before.text : JSON.stringify(distribution);
      this.known.set(name, { distribution, text, count: before?.text === text ? before.count + 1 : 1 });
    }
  }

  // What it had done to the counts depends on those before it: they are counted anew, which a study in order does not need.
  protected remove(): void {
    const { records } = this;
    this.known = new Map();
    this.asked = 0;
    this.records = [];
    records.length = 0;
  }

  override update(history: readonly TrialRecord[]): void {
    if (keptOf(this.records, history) < this.records.length) this.remove();
    super.update(history);
  }

  async foresee(request: SampleRequest): Promise<Foreseen> {
    this.update(request.history);
    const values = new Map<string, { distribution: Distribution; value: number }>();
    for (const { space, trials } of this.grouped()) {
      trials.update(request.history);
      const { fixed: _, ...rest } = request;
      const pending = request.pending.filter((trial) => trials.has(trial));
      const params = await this.sampler.sample({ ...rest, space, history: [...trials.found], pending });
      for (const { name, distribution } of space.parameters) {
        const value = params?.[name];
        if (value !== undefined) values.set(name, { distribution, value });
      }
    }
    return values;
  }

  // The same groups as long as names and distributions are the same, so that samplers find their spaces again.
  private grouped(): readonly Group[] {
    const names = [...this.known.keys()];
    const together = names.filter((name) => this.known.get(name)!.count === this.asked);
    const wanted = [together, ...names.filter((name) => !together.includes(name)).map((name) => [name])];
    this.groups = wanted
      .filter((group) => group.length > 0)
      .map((group) => this.groups.find((known) => this.isSame(known, group)) ?? this.make(group));
    return this.groups;
  }

  private isSame({ names, space }: Group, group: readonly string[]): boolean {
    const hasSame = (name: string, i: number): boolean =>
      name === group[i] && JSON.stringify(space.parameters[i]!.distribution) === this.known.get(name)!.text;
    return names.length === group.length && names.every(hasSame);
  }

  private make(names: readonly string[]): Group {
    const parameters = names.map((name) => ({ name, path: [name], distribution: this.known.get(name)!.distribution, conditions: [] })); // prettier-ignore
    return { names, space: { parameters }, trials: new TrialsWith(names) };
  }
}
