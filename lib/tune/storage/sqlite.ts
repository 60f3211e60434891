// A storage in one SQLite file, for processes of one machine. What was answered stays, whatever is pulled out: see SqliteWriter.
// Long because every operation of a storage is here.
/* eslint-disable @typescript-eslint/require-await -- storages answer with promises, failures included */
import type BetterSqlite3 from "better-sqlite3";
import { StorageError } from "../../errors.js";
import { optional } from "../../guidance/optional.js";
import type { Json, Params } from "../space/index.js";
import { isEnded } from "../study/record.js";
import { leaseLost, lostTooOften } from "./lease.js";
import { mergeReports } from "./merge.js";
import { newRow, rowOf, type HeldRow, type Queued, type Said } from "./sqlite-rows.js";
import { prepare, type OpenOptions, type Statements } from "./sqlite-schema.js";
import { patience, SqliteWriter } from "./sqlite-writer.js";
import { enqueuedOf, packReports, read, studyOf, trialOf, unpackReports, write, type TrialRow } from "./sql.js";
import type { Changes, Claim, ClaimRequest, Enqueued, Failure, Outcome, Report, Storage, StudyRecord, StudySpec, Ticket } from "./storage.js"; // prettier-ignore

/** A change of a trial takes some 16 KiB of the log; whichever process makes the last of so many shortens it. */
const revisionsOfLog = 1024;

/** Keeps studies in an SQLite file. */
export class SqliteStorage implements Storage {
  readonly place: string;
  readonly delay = 100;
  private readonly db: BetterSqlite3.Database;
  private readonly sql: Statements;
  private readonly writer: SqliteWriter;
  /** What is fixed when a study is made. */
  private readonly orders = new Map<number, { readonly mode: string; readonly lag: number }>();
  private closed = false;

  /** @internal */
  constructor(place: string, db: BetterSqlite3.Database, sql: Statements, log: string | undefined) {
    this.place = place;
    this.db = db;
    this.sql = sql;
    this.writer = new SqliteWriter(place, db, sql, log);
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
    const { db, sql, log } = await prepare(Database, path, options, patience);
    return new SqliteStorage(path, db, sql, log);
  }

  create(name: string, spec: StudySpec, attributes: Readonly<Record<string, Json>>) {
    return this.writer.write(() => {
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
    return this.writer.write(() => {
      for (const statement of this.sql.remove) statement.run(study);
    });
  }

  annotate(study: number, attributes: Readonly<Record<string, Json>>) {
    return this.writer.write(() => {
      const before = read(this.study(study).attributes) as Record<string, Json>;
      this.sql.annotate.run(write({ ...before, ...attributes }), study);
    });
  }

  enqueue(study: number, trials: readonly Enqueued[]) {
    return this.writer.write(() => {
      for (const { fixed, attributes, parent = null } of trials)
        this.sql.enqueue.run(study, write(fixed), write(attributes), parent);
      this.sql.reopen.run(study);
    });
  }

  async enqueued(study: number) {
    return this.reading(() => this.sql.enqueued.all(study)).map(enqueuedOf);
  }

  claim(study: number, request: ClaimRequest): Promise<Claim> {
    return this.writer.commit((): Claim => {
      const at = this.study(study);
      for (const row of this.sql.open.all(study)) {
        const isLost = row.state === "running";
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
      return this.begin(study, request, queued);
    });
  }

  sampled(ticket: Ticket, params: Params, seen: number, parent?: number) {
    return this.writer.commit(() => {
      this.held(ticket);
      const revision = this.next(ticket.study);
      this.sql.sampled.run({ params: write(params), seen, revision, parent: parent ?? null, ...placeOf(ticket) });
    });
  }

  report(ticket: Ticket, report: Report) {
    return this.writer.commit(() => {
      this.apply(this.held(ticket), ticket, report, this.next(ticket.study));
    });
  }

  beat(tickets: readonly Ticket[], lease: number) {
    return this.writer.commit(() =>
      tickets.filter(({ study, number, fence }) => this.sql.beat.run(lease, study, number, fence).changes === 0),
    );
  }

  finish(ticket: Ticket, outcome: Outcome, report: Report) {
    return this.writer.commit(() => {
      const held = this.sql.held.get(ticket.study, ticket.number);
      if (held?.fence === ticket.fence && isEnded(held.state)) return;
      this.end(ticket, outcome, saidBy(report, this.held(ticket, held)));
    });
  }

  release(ticket: Ticket, { retry, report = {} }: { readonly retry: boolean; readonly report?: Report }) {
    return this.writer.commit(() => {
      const held = this.held(ticket);
      const revision = this.next(ticket.study);
      if (retry) this.sql.retry.run(ticket.study, ticket.number);
      this.apply(held, ticket, retry ? {} : report, revision);
      this.sql.release.run(ticket.study, ticket.number);
    });
  }

  exhaust(ticket: Ticket) {
    return this.writer.commit(() => {
      this.held(ticket);
      const { study, number } = ticket;
      this.sql.exhaust.run(study);
      if (this.study(study).next_number === number + 1) {
        this.sql.take.run(study, number);
        this.sql.back.run(study);
      } else this.end(ticket, { state: "failed", error: nothingLeft });
    });
  }

  async changes(study: number, since: number): Promise<Changes> {
    return this.reading(() => {
      const { revision, next_number: count } = this.study(study);
      if (revision === since) return { revision, count, trials: [] };
      const rows = this.sql.changed.all(study, since).map(rowOf);
      const trials = rows.map((row) => trialOf(row, unpackReports(row.reports)));
      return { revision, count, trials: trials.sort((a, b) => a.number - b.number) };
    });
  }

  settled() {
    return this.writer.settled();
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
    await this.writer.close();
    this.closed = true;
    this.db.close();
  }

  private reading<T>(run: () => T): T {
    try {
      return this.db.transaction(run).deferred();
    } catch (thrown) {
      throw this.writer.failed(thrown);
    }
  }

  private study(id: number) {
    const row = this.sql.study.get(id);
    if (row === undefined) throw new StorageError("tune: the study was removed from its storage in the meantime");
    return row;
  }

  private held(ticket: Ticket, row = this.sql.held.get(ticket.study, ticket.number)): HeldRow {
    if (row?.fence !== ticket.fence || row.state !== "running") throw leaseLost(ticket, row?.fence);
    return row;
  }

  private mayBegin(study: number, next: number): boolean {
    const order = this.orders.get(study) ?? this.sql.order.get(study)!;
    this.orders.set(study, order);
    if (order.mode === "free") return true;
    const { first, unsampled } = this.sql.front.get(study)!;
    return unsampled === 0 && (first === null || first > next - order.lag);
  }

  private begin(study: number, { worker, lease }: ClaimRequest, queued: Queued | undefined): Claim {
    const { fixed = null, attributes = "{}", parent = null } = queued ?? {};
    const { number, revision } = this.sql.number.get(study)!;
    this.watchLog(revision);
    const row: TrialRow = { ...newRow, number, fixed, attributes, parent, worker, revision, started: Date.now() };
    this.sql.insert.run({ study, number, fixed, attributes, parent, worker, revision, started: row.started!, lease });
    return { kind: "trial", ticket: { study, number, fence: row.fence }, trial: trialOf(row, []) };
  }

  private give(study: number, number: number, losses: number, { worker, lease }: ClaimRequest): Claim {
    const revision = this.next(study);
    const { fence } = this.sql.give.get({ worker, lease, losses, revision, now: Date.now(), study, number })!;
    const row = this.sql.trial.get(study, number)!;
    return { kind: "trial", ticket: { study, number, fence }, trial: trialOf(row, unpackReports(row.reports)) };
  }

  private apply(held: HeldRow, ticket: Ticket, report: Report, revision: number): void {
    this.sql.apply.run({ ...saidBy(report, held), revision, ...placeOf(ticket) });
  }

  private end(place: Place, { state, values, constraints, error }: Outcome, said = nothingSaid): void {
    const revision = this.next(place.study);
    const [vals, bounds, why] = [textOf(values), textOf(constraints), textOf(error)];
    this.sql.end.run({ state, vals, constraints: bounds, error: why, now: Date.now(), revision, ...said, ...placeOf(place) }); // prettier-ignore
  }

  private next(study: number): number {
    const { revision } = this.sql.touch.get(study)!;
    this.watchLog(revision);
    return revision;
  }

  private watchLog(revision: number): void {
    if (revision % revisionsOfLog === 0) this.writer.shorten();
  }
}

type Place = Pick<Ticket, "study" | "number">;

const nothingSaid: Said = { reports: null, attributes: null, params: null, suggested: null };

function saidBy({ reports = [], attributes, params, suggested }: Report, held: HeldRow): Said {
  return {
    reports: reports.length > 0 ? packReports(mergeReports(unpackReports(held.reports), reports)) : null,
    attributes: attributes === undefined ? null : write({ ...(read(held.attributes) as object), ...attributes }),
    params: textOf(params),
    suggested: textOf(suggested),
  };
}

const nothingLeft: Failure = { name: "Exhausted", message: "there was nothing left to try" };

const placeOf = ({ study, number }: Place): Place => ({ study, number });
const textOf = (value: unknown): string | null => (value === undefined ? null : write(value));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
