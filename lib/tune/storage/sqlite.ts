// A storage in one SQLite file, for processes of one machine. WAL with full synchronisation: what was written stays, whatever is
// pulled out. SQLite's own way of waiting for a lock is unfair (a waiter that sleeps long is overtaken for seconds); here everyone
// asks again after a short time that does not grow. Writes of one process that come together share a transaction.
// Long because every operation of a storage is here.
/* eslint-disable @typescript-eslint/require-await -- storages answer with promises, failures included */
import type BetterSqlite3 from "better-sqlite3";
import { StorageError } from "../../errors.js";
import { optional } from "../../guidance/optional.js";
import type { Json, Params } from "../space/index.js";
import { isEnded } from "../study/record.js";
import { leaseLost, lostTooOften } from "./lease.js";
import { mergeReports } from "./merge.js";
import { isBusy, isSqlite, prepare, type OpenOptions, type Statements } from "./sqlite-schema.js";
import { packReports, read, studyOf, trialOf, unpackReports, write, type TrialRow } from "./sql.js";
import type { Changes, Claim, ClaimRequest, Enqueued, Outcome, Report, Storage, StudyRecord, StudySpec, Ticket } from "./storage.js"; // prettier-ignore

interface Write {
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

type Row = TrialRow & { readonly reports: Buffer | null; readonly lease_until: number };

/** Milliseconds after which a lock that another process holds is an error. */
const patience = 30_000;

/** Keeps studies in an SQLite file. */
export class SqliteStorage implements Storage {
  readonly place: string;
  readonly delay = 100;
  private readonly db: BetterSqlite3.Database;
  private readonly sql: Statements;
  private writes: Write[] = [];
  private writing: Promise<void> | undefined;
  private closed = false;

  /** @internal */
  constructor(place: string, db: BetterSqlite3.Database, sql: Statements) {
    this.place = place;
    this.db = db;
    this.sql = sql;
  }

  /**
   * Opens a file, which is made if it is not there; any number of processes may do that at once.
   *
   * @throws StorageError, UnsupportedError without better-sqlite3.
   */
  static async open(path: string, options: OpenOptions = {}): Promise<SqliteStorage> {
    const { default: Database } = await optional(
      "tune",
      "a study in a file",
      ["better-sqlite3"],
      () => import("better-sqlite3"),
    );
    const { db, sql } = await prepare(Database, path, options, patience);
    return new SqliteStorage(path, db, sql);
  }

  create(name: string, spec: StudySpec, attributes: Readonly<Record<string, Json>>) {
    return this.write(() => {
      const { changes } = this.sql.create.run(name, write(spec), write(attributes), Date.now());
      return { ...studyOf(this.sql.find.get(name)!), made: changes > 0 };
    });
  }

  async find(name: string): Promise<StudyRecord | undefined> {
    const row = this.reading(() => this.sql.find.get(name));
    return row && studyOf(row);
  }

  async list() {
    return this.reading(() => this.sql.list.all());
  }

  remove(study: number) {
    return this.write(() => {
      for (const statement of this.sql.remove) statement.run(study);
    });
  }

  annotate(study: number, attributes: Readonly<Record<string, Json>>) {
    return this.write(() => {
      const before = read(this.study(study).attributes) as Record<string, Json>;
      this.sql.annotate.run(write({ ...before, ...attributes }), study);
    });
  }

  enqueue(study: number, trials: readonly Enqueued[]) {
    return this.write(() => {
      for (const { fixed, attributes } of trials) this.sql.enqueue.run(study, write(fixed), write(attributes));
      this.sql.reopen.run(study);
    });
  }

  async enqueued(study: number) {
    return this.reading(() => this.sql.enqueued.all(study)).map(({ fixed, attributes }) => ({
      fixed: read(fixed) as Params,
      attributes: read(attributes) as Record<string, Json>,
    }));
  }

  claim(study: number, request: ClaimRequest): Promise<Claim> {
    return this.write((): Claim => {
      const at = this.study(study);
      const now = this.sql.now.get()!.now;
      for (const row of this.sql.open.all(study) as Row[]) {
        const isLost = row.state === "running" && row.lease_until < now;
        if (row.state !== "waiting" && !isLost) continue;
        const losses = row.losses + (isLost ? 1 : 0);
        if (isLost && losses > request.losses) {
          this.sql.lose.run(losses, study, row.number);
          this.end({ study, number: row.number }, lostTooOften(losses));
          continue;
        }
        return this.give(study, row.number, losses, request);
      }
      const { next_number: next, exhausted } = at;
      const draining = request.draining === true;
      if (exhausted === 1 || draining || (request.budget !== null && next >= request.budget)) {
        const isOpen = this.sql.oldest.get(study) !== undefined;
        return isOpen && !draining ? { kind: "wait" } : { kind: "done", exhausted: exhausted === 1 };
      }
      if (!this.mayBegin(study, next)) return { kind: "wait" };
      const queued = this.sql.first.get(study);
      if (queued !== undefined) this.sql.dequeue.run(queued.id);
      const { number } = this.sql.number.get(study)!;
      this.sql.insert.run(study, number, queued?.fixed ?? null, queued?.attributes ?? "{}");
      return this.give(study, number, 0, request);
    });
  }

  sampled(ticket: Ticket, params: Params, seen: number) {
    return this.write(() => {
      this.held(ticket);
      const revision = this.touch(ticket);
      this.sql.sampled.run(write(params), seen, revision, ticket.study, ticket.number);
    });
  }

  report(ticket: Ticket, report: Report) {
    return this.write(() => {
      this.apply(this.held(ticket), ticket, report);
      this.touch(ticket);
    });
  }

  beat(tickets: readonly Ticket[], lease: number) {
    return this.write(() =>
      tickets.filter(({ study, number, fence }) => this.sql.beat.run(lease, study, number, fence).changes === 0),
    );
  }

  finish(ticket: Ticket, outcome: Outcome, report: Report) {
    return this.write(() => {
      const row = this.row(ticket);
      if (row?.fence === ticket.fence && isEnded(row.state)) return;
      this.apply(this.held(ticket), ticket, report);
      this.end(ticket, outcome);
    });
  }

  release(ticket: Ticket, { retry, report = {} }: { readonly retry: boolean; readonly report?: Report }) {
    return this.write(() => {
      const row = this.held(ticket);
      if (retry) this.sql.retry.run(ticket.study, ticket.number);
      else this.apply(row, ticket, report);
      this.sql.release.run(ticket.study, ticket.number);
      this.touch(ticket);
    });
  }

  exhaust(ticket: Ticket) {
    return this.write(() => {
      this.held(ticket);
      const { study, number } = ticket;
      this.sql.exhaust.run(study);
      if (this.study(study).next_number === number + 1) {
        this.sql.take.run(study, number);
        this.sql.back.run(study);
      } else
        this.end(ticket, { state: "failed", error: { name: "Exhausted", message: "there was nothing left to try" } });
    });
  }

  async changes(study: number, since: number): Promise<Changes> {
    return this.reading(() => {
      const { revision, next_number: count } = this.study(study);
      if (revision === since) return { revision, count, trials: [] };
      const rows = this.sql.changed.all(study, since) as Row[];
      return { revision, count, trials: rows.map((row) => trialOf(row, unpackReports(row.reports))) };
    });
  }

  async wait(study: number, since: number, ms: number) {
    const until = performance.now() + ms;
    for (let pause = 2; ; pause = Math.min(25, pause * 1.5)) {
      if (this.closed || (this.sql.revision.get(study)?.revision ?? Infinity) > since) return;
      const left = until - performance.now();
      if (left <= 0) return;
      await sleep(Math.min(left, pause));
    }
  }

  async close() {
    while (this.writing !== undefined) await this.writing;
    this.closed = true;
    this.db.close();
  }

  // One transaction for all writes that are waiting; each checks before it writes, so that a refusal leaves nothing behind.
  private write<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.writes.push({ run, resolve, reject });
      this.writing ??= this.drain();
    });
  }

  private async drain(): Promise<void> {
    await Promise.resolve();
    while (this.writes.length > 0) {
      let batch: Write[] = [];
      try {
        await this.begin();
        batch = this.writes;
        this.writes = [];
        const settle = batch.map(({ run, resolve, reject }) => {
          try {
            const value = run();
            return () => resolve(value as never);
          } catch (thrown) {
            if (isSqlite(thrown)) throw thrown;
            return () => reject(thrown);
          }
        });
        this.sql.commit.run();
        for (const each of settle) each();
      } catch (thrown) {
        if (this.db.open && this.db.inTransaction) this.db.exec("ROLLBACK");
        if (batch.length === 0) [batch, this.writes] = [this.writes, []];
        const error = this.failed(thrown);
        for (const { reject } of batch) reject(error);
      }
    }
    this.writing = undefined; // at once: a write that comes from now on begins anew
  }

  private async begin(): Promise<void> {
    const until = performance.now() + patience;
    for (let tries = 0; ; tries++) {
      try {
        this.sql.begin.run();
        return;
      } catch (thrown) {
        if (!isBusy(thrown) || performance.now() > until) throw thrown;
        // The first tries stay on the thread: the lock is held for a fraction of a millisecond.
        if (tries % 8 < 4) Atomics.wait(napping, 0, 0, 0.1 + 0.2 * Math.random());
        else await sleep(1);
      }
    }
  }

  private reading<T>(run: () => T): T {
    try {
      return this.db.transaction(run).deferred();
    } catch (thrown) {
      throw isSqlite(thrown) ? this.failed(thrown) : thrown;
    }
  }

  private failed(thrown: unknown): unknown {
    if (!isSqlite(thrown) && this.db.open) return thrown;
    const why = isBusy(thrown)
      ? `another process has held its lock for ${patience / 1000} s; end that process, or copy the file`
      : this.db.open
        ? (thrown as Error).message
        : "it is closed";
    return new StorageError(`tune: ${this.place}: ${why}`, { cause: thrown });
  }

  private study(id: number) {
    const row = this.sql.study.get(id);
    if (row === undefined) throw new StorageError("tune: the study was removed from its storage in the meantime");
    return row;
  }

  private row({ study, number }: Pick<Ticket, "study" | "number">): Row | undefined {
    return this.sql.trial.get(study, number) as Row | undefined;
  }

  private held(ticket: Ticket): Row {
    const row = this.row(ticket);
    if (row?.fence !== ticket.fence || row.state !== "running") throw leaseLost(ticket, row?.fence);
    return row;
  }

  private mayBegin(study: number, next: number): boolean {
    const { mode, lag } = this.sql.order.get(study)!;
    if (mode === "free") return true;
    const { first, unsampled } = this.sql.front.get(study)!;
    return unsampled === 0 && (first === null || first > next - lag);
  }

  private give(study: number, number: number, losses: number, { worker, lease }: ClaimRequest): Claim {
    const revision = this.sql.touch.get(study)!.revision;
    const { fence } = this.sql.give.get({ worker, lease, losses, revision, now: Date.now(), study, number })!;
    const row = this.row({ study, number })!;
    return { kind: "trial", ticket: { study, number, fence }, trial: trialOf(row, unpackReports(row.reports)) };
  }

  private apply(row: Row, { study, number }: Ticket, { reports = [], attributes, params, suggested }: Report): void {
    if (reports.length > 0) {
      this.sql.reports.run(packReports(mergeReports(unpackReports(row.reports), reports)), study, number);
    }
    if (attributes !== undefined) {
      this.sql.attributes.run(write({ ...(read(row.attributes) as object), ...attributes }), study, number);
    }
    if (params !== undefined) this.sql.params.run(write(params), study, number);
    if (suggested !== undefined) this.sql.suggested.run(write(suggested), study, number);
  }

  private end({ study, number }: Pick<Ticket, "study" | "number">, outcome: Outcome): void {
    const { state, values, constraints, error } = outcome;
    const text = (value: unknown) => (value === undefined ? null : write(value));
    const revision = this.sql.touch.get(study)!.revision;
    this.sql.end.run({ state, vals: text(values), constraints: text(constraints), error: text(error), now: Date.now(), revision, study, number }); // prettier-ignore
  }

  private touch({ study, number }: Pick<Ticket, "study" | "number">): number {
    const { revision } = this.sql.touch.get(study)!;
    this.sql.mark.run(revision, study, number);
    return revision;
  }
}

const napping = new Int32Array(new SharedArrayBuffer(4));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
