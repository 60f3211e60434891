// Tables and statements of a study in SQLite.
import { existsSync, realpathSync } from "node:fs";
import type BetterSqlite3 from "better-sqlite3";
import { ArgumentError, StorageError } from "../../errors.js";
import { schemaVersion, trialColumns, type StudyRow, type TrialRow } from "./sql.js";
import type { Applied, Begun, End, Given, HeldRow, Queued, Row, Sampled } from "./sqlite-rows.js";

type Db = BetterSqlite3.Database;

/** A prepared statement, by what it takes and what a row of its answer is. */
interface Query<P extends unknown[], R> {
  run(...values: P): { readonly changes: number };
  get(...values: P): R | undefined;
  all(...values: P): R[];
}

/** Each brings the tables from the version before to its own: the first makes them. */
export const migrations: readonly string[] = [
  `CREATE TABLE athanor_studies (
     id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, attributes TEXT NOT NULL, created INTEGER NOT NULL,
     next_number INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT 0, exhausted INTEGER NOT NULL DEFAULT 0);
   CREATE TABLE athanor_trials (
     study INTEGER NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', params TEXT NOT NULL DEFAULT '{}',
     fixed TEXT, suggested TEXT, vals TEXT, constraints TEXT, error TEXT, attributes TEXT NOT NULL,
     attempt INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0, worker TEXT,
     started INTEGER, ended INTEGER, revision INTEGER NOT NULL DEFAULT 0, seen INTEGER, sampled_at INTEGER, ended_at INTEGER,
     lease_until REAL NOT NULL DEFAULT 0, reports BLOB, PRIMARY KEY (study, number)) WITHOUT ROWID;
   CREATE INDEX athanor_open ON athanor_trials (study, number) WHERE ended_at IS NULL;
   CREATE INDEX athanor_changed ON athanor_trials (study, revision);
   CREATE TABLE athanor_queue (
     id INTEGER PRIMARY KEY, study INTEGER NOT NULL, fixed TEXT NOT NULL, attributes TEXT NOT NULL);`,
  // Trials that go on from another's checkpoint. The number of a study that was removed is not given again: its workers may still write.
  `ALTER TABLE athanor_trials ADD COLUMN parent INTEGER;
   ALTER TABLE athanor_queue ADD COLUMN parent INTEGER;
   CREATE TABLE athanor_studies_2 (
     id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, attributes TEXT NOT NULL, created INTEGER NOT NULL,
     next_number INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT 0, exhausted INTEGER NOT NULL DEFAULT 0);
   INSERT INTO athanor_studies_2 (id, name, spec, attributes, created, next_number, revision, exhausted)
     SELECT id, name, spec, attributes, created, next_number, revision, exhausted FROM athanor_studies;
   DROP TABLE athanor_studies;
   ALTER TABLE athanor_studies_2 RENAME TO athanor_studies;`,
  "", // of PostgreSQL alone
];

const clock = "unixepoch('subsec')";

/** All statements, prepared. */
export function statementsOf(db: Db) {
  const one = <P extends unknown[], R>(text: string): Query<P, R> => db.prepare<P, R>(text);
  const trial = `FROM athanor_trials WHERE study = ?`;
  // By name: without statistics SQLite would go through all trials of the study by the primary key.
  const unended = `FROM athanor_trials INDEXED BY athanor_open WHERE study = ? AND ended_at IS NULL`;
  const changed = `FROM athanor_trials INDEXED BY athanor_changed WHERE study = ? AND revision > ?`;
  const said =
    "reports = coalesce(@reports, reports), attributes = coalesce(@attributes, attributes), params = coalesce(@params, params), suggested = coalesce(@suggested, suggested)";
  const change = <P extends unknown[]>(what: string): Query<[...P, number, number], never> => one<[...P, number, number], never>(`UPDATE athanor_trials SET ${what} WHERE study = ? AND number = ?`); // prettier-ignore
  return {
    begin: one<[], never>("BEGIN IMMEDIATE"),
    commit: one<[], never>("COMMIT"),
    create: one<[string, string, string, number], never>("INSERT INTO athanor_studies (name, spec, attributes, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"), // prettier-ignore
    find: one<[string], StudyRow>("SELECT id, name, spec, attributes, created FROM athanor_studies WHERE name = ?"),
    list: one<[], { name: string; trials: number; created: number }>("SELECT name, next_number AS trials, created FROM athanor_studies ORDER BY id"), // prettier-ignore
    remove: ["athanor_trials WHERE study", "athanor_queue WHERE study", "athanor_studies WHERE id"].map((from) => one<[number], never>(`DELETE FROM ${from} = ?`)), // prettier-ignore
    study: one<[number], { attributes: string; next_number: number; revision: number; exhausted: number }>("SELECT attributes, next_number, revision, exhausted FROM athanor_studies WHERE id = ?"), // prettier-ignore
    order: one<[number], { mode: string; lag: number }>("SELECT spec ->> 'mode' AS mode, spec ->> 'lag' AS lag FROM athanor_studies WHERE id = ?"), // prettier-ignore
    annotate: one<[string, number], never>("UPDATE athanor_studies SET attributes = ? WHERE id = ?"),
    enqueue: one<[number, string, string, number | null], never>("INSERT INTO athanor_queue (study, fixed, attributes, parent) VALUES (?, ?, ?, ?)"), // prettier-ignore
    enqueued: one<[number], Queued>("SELECT id, fixed, attributes, parent FROM athanor_queue WHERE study = ? ORDER BY id"), // prettier-ignore
    first: one<[number], Queued>("SELECT id, fixed, attributes, parent FROM athanor_queue WHERE study = ? ORDER BY id LIMIT 1"), // prettier-ignore
    dequeue: one<[number], never>("DELETE FROM athanor_queue WHERE id = ?"),
    reopen: one<[number], never>("UPDATE athanor_studies SET exhausted = 0, revision = revision + 1 WHERE id = ?"),
    exhaust: one<[number], never>("UPDATE athanor_studies SET exhausted = 1, revision = revision + 1 WHERE id = ?"),
    back: one<[number], never>("UPDATE athanor_studies SET next_number = next_number - 1 WHERE id = ?"),
    take: one<[number, number], never>("DELETE FROM athanor_trials WHERE study = ? AND number = ?"),
    number: one<[number], { number: number; revision: number }>("UPDATE athanor_studies SET next_number = next_number + 1, revision = revision + 1 WHERE id = ? RETURNING next_number - 1 AS number, revision"), // prettier-ignore
    insert: one<[Begun], never>(`INSERT INTO athanor_trials (study, number, state, fence, fixed, attributes, parent, worker, revision, started, lease_until) VALUES (@study, @number, 'running', 1, @fixed, @attributes, @parent, @worker, @revision, @started, ${clock} + @lease)`), // prettier-ignore
    open: one<[number], Pick<TrialRow, "number" | "state" | "losses">>(`SELECT number, state, losses ${unended} AND (state = 'waiting' OR lease_until < ${clock}) ORDER BY number`), // prettier-ignore
    oldest: one<[number], { number: number }>(`SELECT number ${unended} LIMIT 1`),
    front: one<[number], { first: number | null; unsampled: number }>(`SELECT min(number) AS first, count(*) - count(sampled_at) AS unsampled ${unended}`), // prettier-ignore
    trial: one<[number, number], Row>(`SELECT ${trialColumns}, reports ${trial} AND number = ?`),
    held: one<[number, number], HeldRow>(`SELECT state, fence, attributes, reports ${trial} AND number = ?`),
    changed: db.prepare<[number, number]>(`SELECT ${trialColumns}, reports ${changed}`).raw() as Query<
      [number, number],
      unknown[]
    >, // in no order: wide rows are slow to sort there
    revision: one<[number], { revision: number }>("SELECT revision FROM athanor_studies WHERE id = ?"),
    touch: one<[number], { revision: number }>("UPDATE athanor_studies SET revision = revision + 1 WHERE id = ? RETURNING revision"), // prettier-ignore
    lose: change<[number]>("losses = ?"),
    sampled: one<[Sampled], never>("UPDATE athanor_trials SET params = @params, seen = @seen, sampled_at = @revision, revision = @revision, parent = coalesce(@parent, parent) WHERE study = @study AND number = @number"), // prettier-ignore
    apply: one<[Applied], never>(`UPDATE athanor_trials SET ${said}, revision = @revision WHERE study = @study AND number = @number`), // prettier-ignore
    retry: change<[]>("attempt = attempt + 1, reports = NULL"),
    release: change<[]>("state = 'waiting'"),
    give: one<[Given], { fence: number }>(`UPDATE athanor_trials SET state = 'running', worker = @worker, fence = fence + 1, losses = @losses, revision = @revision, started = coalesce(started, @now), lease_until = ${clock} + @lease WHERE study = @study AND number = @number RETURNING fence`), // prettier-ignore
    beat: one<[number, number, number, number], never>(`UPDATE athanor_trials SET lease_until = ${clock} + ? WHERE study = ? AND number = ? AND fence = ? AND state = 'running'`), // prettier-ignore
    end: one<[End], never>(`UPDATE athanor_trials SET ${said}, state = @state, vals = @vals, constraints = @constraints, error = @error, ended = @now, ended_at = @revision, revision = @revision WHERE study = @study AND number = @number`), // prettier-ignore
  };
}

export type Statements = ReturnType<typeof statementsOf>;

/** How a file is opened. */
export interface OpenOptions {
  /** It has to be there. Default false. */
  readonly existing?: boolean;
  /** Nothing is written, the file has to be there. Default false. */
  readonly readonly?: boolean;
}
// The writer makes checkpoints; this is for logs that grew long without it.
const checkpointPages = 32_768;

/** Opens a file and brings its tables to this version; asks again while another process has it locked. */
export async function prepare(
  Database: typeof BetterSqlite3,
  path: string,
  { existing = false, readonly = false }: OpenOptions,
  patience: number,
): Promise<{ readonly db: Db; readonly sql: Statements; readonly log: string | undefined }> {
  if ((existing || readonly) && !existsSync(path)) {
    throw new ArgumentError(`tune: ${path}: there is no such file; tune(…, { storage: "${path}" }) makes it`);
  }
  const until = performance.now() + patience;
  for (;;) {
    let db: Db | undefined;
    try {
      db = new Database(path, { timeout: 0, readonly });
      if (readonly) {
        requireTables(db, path);
        return { db, sql: statementsOf(db), log: undefined };
      }
      const hasLog = db.pragma("journal_mode = WAL", { simple: true }) === "wal";
      db.pragma("synchronous = FULL");
      migrate(db, path);
      if (hasLog) db.pragma("synchronous = NORMAL"); // the writer syncs the log
      db.pragma(`wal_autocheckpoint = ${checkpointPages}`);
      return { db, sql: statementsOf(db), log: hasLog ? `${realpathSync(path)}-wal` : undefined };
    } catch (thrown) {
      db?.close();
      if (isBusy(thrown) && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 2 + 8 * Math.random()));
        continue;
      }
      if (thrown instanceof StorageError) throw thrown;
      throw new StorageError(`tune: ${path}: cannot be opened as an SQLite file: ${(thrown as Error).message}`, {
        cause: thrown,
      });
    }
  }
}

const codeOf = (thrown: unknown): string => (thrown as { code?: string } | undefined)?.code ?? "";

/** Whether SQLite itself failed. */
export const isSqlite = (thrown: unknown): boolean => codeOf(thrown).startsWith("SQLITE_");

/** Whether another connection has the lock. */
export const isBusy = (thrown: unknown): boolean => /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(thrown));

// The version of the tables; 0 where there are none.
function versionOf(db: Db, path: string): number {
  const isOurs = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'athanor_studies'").get() !== undefined;
  const version = isOurs ? Number(db.pragma("user_version", { simple: true })) : 0;
  if (version <= schemaVersion) return version;
  throw new StorageError(
    `tune: ${path}: its tables are of version ${version}, this athanor knows versions up to ${schemaVersion}; use the newer one`,
  );
}

function requireTables(db: Db, path: string): void {
  const version = versionOf(db, path);
  if (version === schemaVersion) return;
  const what = version === 0 ? "it has no studies of athanor" : `its tables are of the older version ${version}; tune.load brings them to this one`; // prettier-ignore
  throw new StorageError(`tune: ${path}: ${what}`);
}

function migrate(db: Db, path: string): void {
  if (versionOf(db, path) === schemaVersion) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    const from = versionOf(db, path);
    for (const step of migrations.slice(from)) db.exec(step);
    db.pragma(`user_version = ${schemaVersion}`);
    db.exec("COMMIT");
  } catch (thrown) {
    db.exec("ROLLBACK");
    throw thrown;
  }
}
