// The trials of a study as this process knows them, and what of them a decision may see.
import type { Params } from "../space/index.js";
import type { Storage, StoredTrial, StudyRecord } from "../storage/storage.js";
import { isEnded, type TrialRecord } from "./record.js";

/** What a sampler may see. */
export interface Sight {
  readonly history: readonly TrialRecord[];
  readonly pending: readonly TrialRecord[];
  /** The revision that it stands for. */
  readonly seen: number;
}

/** Follows a storage by asking for what changed. */
export class View {
  readonly study: StudyRecord;
  revision = 0;
  /** By number; a trial that was taken back is missing. */
  readonly trials: StoredTrial[] = [];
  private readonly storage: Storage;
  /** All ended trials, by number. */
  private readonly ended: StoredTrial[] = [];
  /** In deterministic order: trials of other studies, and those that the last sampler could see. */
  private readonly prefix: TrialRecord[];
  /** Trials that have not ended, by number. */
  private readonly open = new Map<number, StoredTrial>();
  /** Whether a trial's objective asked for parameters itself. */
  suggests = false;
  private syncing: Promise<void> | undefined;

  constructor(storage: Storage, study: StudyRecord) {
    this.storage = storage;
    this.study = study;
    this.prefix = [...study.spec.past];
  }

  /** Brings the view up to date. */
  async sync(): Promise<void> {
    // A call that comes while another is under way may want what that one does not see any more.
    while (this.syncing !== undefined) await this.syncing;
    this.syncing = this.fetch().finally(() => (this.syncing = undefined));
    await this.syncing;
  }

  private async fetch(): Promise<void> {
    const { revision, count, trials } = await this.storage.changes(this.study.id, this.revision);
    if (revision < this.revision) return;
    for (; this.trials.length > count; this.trials.length--) this.open.delete(this.trials.length - 1);
    for (const trial of trials) this.note(trial);
    this.revision = revision;
  }

  private note(trial: StoredTrial): void {
    const before = this.trials[trial.number];
    if (before !== undefined && before.revision >= trial.revision) return;
    this.trials[trial.number] = trial;
    if (isEnded(trial.state)) this.open.delete(trial.number);
    else this.open.set(trial.number, trial);
    if (trial.suggested !== undefined) this.suggests = true;
    if (!isEnded(trial.state) || (before !== undefined && isEnded(before.state))) return;
    // Trials end nearly in the order of their numbers: the place is near the end.
    let at = this.ended.length;
    while (at > 0 && this.ended[at - 1]!.number > trial.number) at--;
    this.ended.splice(at, 0, trial);
  }

  /** What the sampler of trial `number` may see. */
  sightOf(number: number): Sight {
    const { spec } = this.study;
    const past = spec.past;
    if (spec.mode === "free") {
      const pending = this.openBut(number).filter(isSampled);
      return { history: joined(past, [...this.ended]), pending, seen: this.revision };
    }
    const end = Math.max(0, number - spec.lag + 1);
    const history = this.prefixTo(end);
    // Parameters that an objective asked for itself are known at its end alone: whether it has come would show.
    const { parameters } = spec.space;
    const pending = this.trials.slice(end, number).map(({ number, params, suggested }) => {
      if (suggested === undefined) return unended(number, params);
      const chosen = parameters.flatMap(({ name }) => (params[name] === undefined ? [] : [[name, params[name]]]));
      return unended(number, Object.fromEntries(chosen) as Params);
    });
    return { history, pending, seen: this.revision };
  }

  // Trials up to there have all ended. They are sampled one after the other, so that one list, which grows, will do: a copy for each
  // would be most of what a trial costs from some ten thousand on.
  private prefixTo(end: number): readonly TrialRecord[] {
    const past = this.study.spec.past.length;
    for (let number = this.prefix.length - past; number < end; number++) this.prefix.push(this.trials[number]!);
    return this.prefix.length === past + end ? this.prefix : this.prefix.slice(0, past + end);
  }

  /** How many trials one goes on from whose parent is this. */
  generationOf(parent: number | undefined): number {
    let generation = 0;
    for (let at = parent; at !== undefined && generation <= this.trials.length; at = this.trials[at]?.parent)
      generation++;
    return generation;
  }

  /**
   * What the pruner of trial `number` may see, of the study itself alone, asked at each of its decisions. In deterministic order that is
   * what is known when the trial begins; else what is known at the time.
   */
  peersOf(number: number): () => readonly TrialRecord[] {
    const { mode, lag } = this.study.spec;
    let [peers, revision] = [undefined as readonly TrialRecord[] | undefined, -1];
    return () => {
      if (mode === "deterministic") return (peers ??= this.ended.slice(0, lowerBound(this.ended, number - lag + 1)));
      if (peers !== undefined && revision === this.revision) return peers;
      revision = this.revision;
      return (peers = this.ended.concat(this.openBut(number)));
    };
  }

  private openBut(number: number): StoredTrial[] {
    const others = [...this.open.values()].filter((trial) => trial.number !== number);
    return others.sort((a, b) => a.number - b.number);
  }
}

const joined = (past: readonly TrialRecord[], history: readonly TrialRecord[]): readonly TrialRecord[] =>
  past.length === 0 ? history : [...past, ...history];
const isSampled = ({ sampledAt }: StoredTrial): boolean => sampledAt !== undefined;
const unended = (number: number, params: Params): TrialRecord => ({ number, state: "running", params, intermediate: [] }); // prettier-ignore

function lowerBound(trials: readonly TrialRecord[], number: number): number {
  let [low, high] = [0, trials.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (trials[middle]!.number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
