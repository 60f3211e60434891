// A storage in the memory of the process: the reference for the others.
/* eslint-disable @typescript-eslint/require-await -- storages answer with promises, failures included */
import { StorageError } from "../../errors.js";
import type { Json, Params } from "../space/index.js";
import { isEnded } from "../study/record.js";
import { leaseLost, lostTooOften } from "./lease.js";
import { mergeReports } from "./merge.js";
import type { Claim, ClaimRequest, Enqueued, Outcome, Report, Storage, StoredTrial, StudyRecord, StudySpec, Ticket } from "./storage.js"; // prettier-ignore

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Entry = Mutable<StoredTrial> & { leaseUntil: number };

interface Study {
  record: StudyRecord;
  readonly trials: Entry[];
  /** Numbers of trials that have not ended. */
  readonly open: Set<number>;
  readonly queue: Enqueued[];
  revision: number;
  exhausted: boolean;
  /** The number of the trial that changed, by revision. */
  readonly log: number[];
  readonly wakes: Set<() => void>;
}

/** Keeps studies in memory, for this process alone. */
export class MemoryStorage implements Storage {
  readonly place = "memory";
  readonly delay = 0;
  private readonly studies = new Map<number, Study>();
  private nextId = 1;

  async create(name: string, spec: StudySpec, attributes: Readonly<Record<string, Json>>) {
    const found = this.named(name);
    if (found) return { ...found.record, made: false };
    const record: StudyRecord = { id: this.nextId++, name, spec, created: Date.now(), attributes };
    this.studies.set(record.id, { record, trials: [], open: new Set(), queue: [], revision: 0, exhausted: false, log: [], wakes: new Set() }); // prettier-ignore
    return { ...record, made: true };
  }

  async find(name: string) {
    return this.named(name)?.record;
  }

  async list() {
    return [...this.studies.values()].map(({ record: { name, created }, trials }) => ({ name, created, trials: trials.length })); // prettier-ignore
  }

  async remove(study: number) {
    this.studies.delete(study);
  }

  async annotate(study: number, attributes: Readonly<Record<string, Json>>) {
    const at = this.study(study);
    at.record = { ...at.record, attributes: { ...at.record.attributes, ...attributes } };
  }

  async enqueue(study: number, trials: readonly Enqueued[]) {
    const at = this.study(study);
    at.queue.push(...trials);
    at.exhausted = false;
    this.wake(at);
  }

  async enqueued(study: number) {
    return [...this.study(study).queue];
  }

  async claim(study: number, request: ClaimRequest): Promise<Claim> {
    const at = this.study(study);
    for (const number of [...at.open].sort((a, b) => a - b)) {
      const entry = at.trials[number]!;
      const isLost = entry.state === "running" && entry.leaseUntil < performance.now();
      if (entry.state !== "waiting" && !isLost) continue;
      if (isLost) entry.losses++;
      if (isLost && entry.losses > request.losses) {
        this.end(at, entry, lostTooOften(entry.losses));
        continue;
      }
      return this.give(at, entry, request);
    }
    const next = at.trials.length;
    const isSpent = at.exhausted || request.draining === true || (request.budget !== null && next >= request.budget);
    if (isSpent) return at.open.size === 0 || request.draining === true ? { kind: "done", exhausted: at.exhausted } : { kind: "wait" }; // prettier-ignore
    if (!mayBegin(at, next)) return { kind: "wait" };
    const { fixed, attributes = {}, parent } = at.queue.shift() ?? {};
    const entry: Entry = {
      number: next,
      state: "running",
      params: {},
      intermediate: [],
      attempt: 0,
      losses: 0,
      fence: 0,
      attributes,
      revision: 0,
      leaseUntil: 0,
      ...(fixed === undefined ? {} : { fixed }),
      ...(parent === undefined ? {} : { parent }),
    };
    at.trials.push(entry);
    at.open.add(next);
    return this.give(at, entry, request);
  }

  async sampled(ticket: Ticket, params: Params, seen: number, parent?: number) {
    const [at, entry] = this.held(ticket);
    Object.assign(entry, {
      params,
      seen,
      sampledAt: this.touch(at, entry),
      ...(parent === undefined ? {} : { parent }),
    });
  }

  async report(ticket: Ticket, report: Report) {
    const [at, entry] = this.held(ticket);
    apply(entry, report);
    this.touch(at, entry);
  }

  async beat(tickets: readonly Ticket[], lease: number) {
    return tickets.filter((ticket) => {
      const entry = this.study(ticket.study).trials[ticket.number];
      if (entry?.fence !== ticket.fence || entry.state !== "running") return true;
      entry.leaseUntil = performance.now() + lease * 1000;
      return false;
    });
  }

  async finish(ticket: Ticket, outcome: Outcome, report: Report) {
    const at = this.study(ticket.study);
    const entry = at.trials[ticket.number];
    if (entry?.fence === ticket.fence && isEnded(entry.state)) return;
    this.held(ticket);
    apply(entry!, report);
    this.end(at, entry!, outcome);
  }

  async release(ticket: Ticket, { retry, report = {} }: { retry: boolean; report?: Report }) {
    const [at, entry] = this.held(ticket);
    if (retry) Object.assign(entry, { attempt: entry.attempt + 1, intermediate: [] });
    else apply(entry, report);
    entry.state = "waiting";
    this.touch(at, entry);
  }

  async exhaust(ticket: Ticket) {
    const [at, entry] = this.held(ticket);
    at.exhausted = true;
    if (ticket.number === at.trials.length - 1) {
      at.trials.pop();
      at.open.delete(ticket.number);
      this.wake(at);
    } else {
      this.end(at, entry, { state: "failed", error: { name: "Exhausted", message: "there was nothing left to try" } });
    }
  }

  async changes(study: number, since: number) {
    const at = this.study(study);
    const numbers = [...new Set(at.log.slice(since))].sort((a, b) => a - b);
    const trials = numbers.flatMap((number) => {
      const entry = at.trials[number];
      if (entry === undefined) return [];
      const { leaseUntil: _, ...trial } = entry;
      return [trial];
    });
    return { revision: at.revision, count: at.trials.length, trials };
  }

  async settled() {}

  async wait(study: number, since: number, ms: number) {
    const at = this.study(study);
    if (at.revision > since) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        at.wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      at.wakes.add(wake);
    });
  }

  async close() {
    for (const study of this.studies.values()) this.wake(study);
  }

  private named(name: string): Study | undefined {
    return [...this.studies.values()].find(({ record }) => record.name === name);
  }

  private study(id: number): Study {
    const study = this.studies.get(id);
    if (study === undefined) throw new StorageError(`tune: the study was removed from its storage in the meantime`);
    return study;
  }

  private held(ticket: Ticket): [Study, Entry] {
    const at = this.study(ticket.study);
    const entry = at.trials[ticket.number];
    if (entry?.fence !== ticket.fence || entry.state !== "running") throw leaseLost(ticket, entry?.fence);
    return [at, entry];
  }

  private give(at: Study, entry: Entry, { worker, lease }: ClaimRequest): Claim {
    Object.assign(entry, { state: "running", worker, fence: entry.fence + 1, started: entry.started ?? Date.now(), leaseUntil: performance.now() + lease * 1000 }); // prettier-ignore
    this.touch(at, entry);
    const { leaseUntil: _, ...trial } = entry;
    return { kind: "trial", ticket: { study: at.record.id, number: entry.number, fence: entry.fence }, trial };
  }

  private end(at: Study, entry: Entry, outcome: Outcome): void {
    Object.assign(entry, outcome, { ended: Date.now(), endedAt: this.touch(at, entry) });
    at.open.delete(entry.number);
  }

  private touch(at: Study, entry: Entry): number {
    entry.revision = ++at.revision;
    at.log.push(entry.number);
    this.wake(at);
    return at.revision;
  }

  private wake(at: Study): void {
    for (const wake of [...at.wakes]) wake();
  }
}

// In deterministic mode a trial begins when all that it may see has ended, and all before it have their parameters.
function mayBegin({ record: { spec }, open, trials }: Study, next: number): boolean {
  if (spec.mode === "free") return true;
  for (const number of open) {
    if (number <= next - spec.lag || trials[number]!.sampledAt === undefined) return false;
  }
  return true;
}

function apply(entry: Entry, { reports = [], attributes, params, suggested }: Report): void {
  if (reports.length > 0) entry.intermediate = mergeReports(entry.intermediate, reports);
  if (attributes !== undefined) entry.attributes = { ...entry.attributes, ...attributes };
  if (params !== undefined) entry.params = params;
  if (suggested !== undefined) entry.suggested = suggested;
}
