// A storage in PostgreSQL, for workers on many machines. Writers of a study queue for its row in the order in which they come, so
// that none starves. A database that goes away is waited for: every operation may be sent again.
import { StorageError } from "../../errors.js";
import { optional } from "../../guidance/optional.js";
import type { Json, Params } from "../space/index.js";
import { leaseLost, lostTooOften } from "./lease.js";
import { mergeReports } from "./merge.js";
import { PostgresClient } from "./postgres-client.js";
import { beat } from "./postgres-schema.js";
import { enqueuedOf, packReports, studyOf, trialOf, unpackReports, write, type StudyRow, type TrialRow } from "./sql.js"; // prettier-ignore
import type { Changes, Claim, ClaimRequest, Enqueued, Outcome, Report, Storage, StudyRecord, StudySpec, Ticket } from "./storage.js"; // prettier-ignore
import type { Intermediate } from "../study/record.js";

type Row = TrialRow & { readonly reports: string | Buffer | null };
type Claimed = { readonly kind: "gone" } | { readonly kind: "wait" } | { readonly kind: "done"; readonly exhausted: boolean } | { readonly kind: "trial"; readonly trial: Row }; // prettier-ignore

/** Options of {@link PostgresStorage.open}. */
export interface PostgresOptions {
  /** Connections at a time. Default 4. */
  readonly connections?: number;
  /** Seconds for which a database that does not answer is asked again. Default 300. */
  readonly patience?: number;
  /** The same while the storage is opened. Default 15. */
  readonly openPatience?: number;
}

/** Keeps studies in PostgreSQL, in the schema `athanor`. */
export class PostgresStorage implements Storage {
  readonly place: string;
  readonly delay = 100;
  private readonly client: PostgresClient;
  /** What this worker's trials have reported, by ticket: nobody else writes them. */
  private readonly reported = new Map<string, readonly Intermediate[]>();

  /** @internal */
  constructor(client: PostgresClient) {
    this.place = client.place;
    this.client = client;
  }

  /**
   * Connects to a database, and makes its tables if they are not there; any number of processes may do that at once.
   *
   * @throws StorageError, UnsupportedError without pg.
   */
  static async open(address: string, options: PostgresOptions = {}): Promise<PostgresStorage> {
    const { default: pg } = await optional("tune", "a study in PostgreSQL", ["pg"], () => import("pg"));
    const { connections = 4, patience = 300, openPatience = 15 } = options;
    const int8 = 20;
    const pool = new pg.Pool({
      connectionString: address,
      max: connections,
      types: { getTypeParser: (oid: number, format?: string) => (oid === int8 ? Number : (pg.types.getTypeParser as Parser)(oid, format)) }, // prettier-ignore
      connectionTimeoutMillis: 10_000,
    });
    pool.on("error", () => undefined); // of a connection that is not in use: the next query opens another
    const client = new PostgresClient(withoutPassword(address), pool, patience);
    try {
      await client.migrate(openPatience);
    } catch (thrown) {
      await pool.end();
      throw thrown;
    }
    return new PostgresStorage(client);
  }

  async create(name: string, spec: StudySpec, attributes: Readonly<Record<string, Json>>) {
    const rows = await this.client.query(
      "INSERT INTO athanor.studies (name, spec, attributes, created, mode, lag) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id",
      [name, write(spec), write(attributes), Date.now(), spec.mode, spec.lag],
    );
    return { ...(await this.find(name))!, made: rows.length > 0 };
  }

  async find(name: string): Promise<StudyRecord | undefined> {
    const [row] = await this.client.query<StudyRow>("SELECT id, name, spec, attributes, created FROM athanor.studies WHERE name = $1", [name]); // prettier-ignore
    return row && studyOf(row);
  }

  async list() {
    return this.client.query<{ name: string; trials: number; created: number }>("SELECT name, next_number AS trials, created FROM athanor.studies ORDER BY id", []); // prettier-ignore
  }

  async remove(study: number) {
    await this.client.query("DELETE FROM athanor.studies WHERE id = $1", [study]);
  }

  async annotate(study: number, attributes: Readonly<Record<string, Json>>) {
    await this.client.query("UPDATE athanor.studies SET attributes = (attributes::jsonb || $1::jsonb)::text WHERE id = $2", [write(attributes), study]); // prettier-ignore
  }

  async enqueue(study: number, trials: readonly Enqueued[]) {
    const [fixed, attributes] = [trials.map((each) => write(each.fixed)), trials.map((each) => write(each.attributes))];
    await this.client.query(
      `WITH opened AS (UPDATE athanor.studies SET exhausted = false, revision = revision + 1 WHERE id = $1 RETURNING id)
       INSERT INTO athanor.queue (study, fixed, attributes, parent) SELECT $1, f, a, p FROM opened, unnest($2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY AS given (f, a, p, i) ORDER BY i`,
      [study, fixed, attributes, trials.map(({ parent = null }) => parent)],
    );
  }

  async enqueued(study: number) {
    const rows = await this.client.query<{ fixed: string; attributes: string; parent: number | null }>("SELECT fixed, attributes, parent FROM athanor.queue WHERE study = $1 ORDER BY id", [study]); // prettier-ignore
    return rows.map(enqueuedOf);
  }

  async claim(study: number, { worker, lease, budget, losses, draining = false }: ClaimRequest): Promise<Claim> {
    const verdict = write(lostTooOften(0).error).replace("stopped 0 times", "stopped $losses times");
    const most = budget ?? Number.MAX_SAFE_INTEGER;
    const claimed = (await this.client.command({ study, claim: worker, lease, budget: most, losses, draining, verdict })) as Claimed; // prettier-ignore
    if (claimed.kind === "gone") throw gone();
    if (claimed.kind !== "trial") return claimed;
    const trial = trialOf(claimed.trial, reportsOf(claimed.trial));
    const ticket = { study, number: trial.number, fence: trial.fence };
    this.reported.set(keyOf(ticket), trial.intermediate);
    return { kind: "trial", ticket, trial };
  }

  async sampled(ticket: Ticket, params: Params, seen: number, parent?: number) {
    await this.change(ticket, "sampled", { params: write(params), seen, ...(parent === undefined ? {} : { parent }) });
  }

  async report(ticket: Ticket, report: Report) {
    await this.change(ticket, "report", {}, report);
  }

  async beat(tickets: readonly Ticket[], lease: number) {
    if (tickets.length === 0) return [];
    const columns = (["study", "number", "fence"] as const).map((key) => tickets.map((ticket) => ticket[key]));
    const renewed = new Set((await this.client.query<Ticket>(beat, [lease, ...columns])).map(keyOf));
    return tickets.filter((ticket) => !renewed.has(keyOf(ticket)));
  }

  async finish(ticket: Ticket, { state, values, constraints, error }: Outcome, report: Report) {
    const patch = {
      state,
      ...(values === undefined ? {} : { vals: write(values) }),
      ...(constraints === undefined ? {} : { constraints: write(constraints) }),
      ...(error === undefined ? {} : { error: write(error) }),
    };
    await this.change(ticket, "finish", patch, report);
    this.reported.delete(keyOf(ticket));
  }

  async release(ticket: Ticket, { retry, report = {} }: { readonly retry: boolean; readonly report?: Report }) {
    await this.change(ticket, retry ? "retry" : "release", { state: "waiting" }, retry ? {} : report);
    this.reported.delete(keyOf(ticket));
  }

  async exhaust(ticket: Ticket) {
    const error = write({ name: "Exhausted", message: "there was nothing left to try" });
    await this.change(ticket, "exhaust", { state: "failed", error });
  }

  async changes(study: number, since: number): Promise<Changes> {
    const rows = await this.client.query<Row & { at: number; count: number }>(
      "SELECT s.revision AS at, s.next_number AS count, t.* FROM athanor.studies s LEFT JOIN athanor.trials t ON t.study + 0 = $1 AND t.revision > $2 WHERE s.id = $1",
      [study, since],
    );
    const [first] = rows;
    if (first === undefined) throw gone();
    const trials = rows.filter(({ number }) => number !== null).map((row) => trialOf(row, reportsOf(row)));
    return { revision: first.at, count: first.count, trials: trials.sort((a, b) => a.number - b.number) };
  }

  async settled() {}

  async wait(study: number, since: number, ms: number) {
    const until = performance.now() + ms;
    for (let pause = 5; ; pause = Math.min(50, pause * 1.5)) {
      const [row] = await this.client.query<{ revision: number }>("SELECT revision FROM athanor.studies WHERE id = $1", [study]); // prettier-ignore
      const left = until - performance.now();
      if (row === undefined || row.revision > since || left <= 0) return;
      await sleep(Math.min(left, pause));
    }
  }

  async close() {
    await this.client.close();
  }

  private async change(
    ticket: Ticket,
    what: string,
    patch: Record<string, unknown>,
    report: Report = {},
  ): Promise<void> {
    const { reports = [], attributes, params, suggested } = report;
    const { study, number, fence } = ticket;
    const key = keyOf(ticket);
    const before = this.reported.get(key) ?? [];
    const merged = reports.length === 0 ? undefined : mergeReports(before, reports);
    const whole = {
      ...patch,
      ...(attributes === undefined ? {} : { attributes: write(attributes) }),
      ...(params === undefined ? {} : { params: write(params) }),
      ...(suggested === undefined ? {} : { suggested: write(suggested) }),
    };
    const packed = merged && packReports(merged).toString("hex");
    const said = (await this.client.command({ study, number, fence, change: what, patch: whole, packed })) as string;
    if (said === "gone") throw gone();
    if (said !== "ok") {
      this.reported.delete(key);
      throw leaseLost(ticket, Number(said));
    }
    if (merged !== undefined) this.reported.set(key, merged);
  }
}

type Parser = (oid: number, format?: string) => (text: string) => unknown;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const keyOf = ({ study, number, fence }: Ticket): string => `${study}/${number}/${fence}`;
const gone = (): StorageError => new StorageError("tune: the study was removed from its storage in the meantime");

// Bytes come as they are in a row, and as \x… in JSON.
const reportsOf = ({ reports }: Row): Intermediate[] =>
  unpackReports(typeof reports === "string" ? Buffer.from(reports.slice(2), "hex") : reports);
const withoutPassword = (address: string): string => address.replace(/(:\/\/[^:/@]*):[^@/]*@/, "$1@");
