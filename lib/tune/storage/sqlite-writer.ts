// Writes of one process to an SQLite file, in transactions that are on the disk before they are answered: **group commit**. SQLite's own
// full synchronisation syncs the log while it holds the lock, so that all processes together make as many commits a second as the disk
// makes syncs. Here the log is synced by its own descriptor, off the event loop and after the lock is free: what was committed
// meanwhile, by whichever process, shares the next sync. A later frame of the log counts only where all before it do, so that
// nothing is lost of which something later was kept (docs/decisions/0016-group-commit.md).
import { open, type FileHandle } from "node:fs/promises";
import type BetterSqlite3 from "better-sqlite3";
import { StorageError } from "../../errors.js";
import { isBusy, isSqlite } from "./sqlite-schema.js";

/** Milliseconds after which a lock that another process holds is an error. */
export const patience = 30_000;

interface Write {
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Transactions {
  readonly begin: { run(): unknown };
  readonly commit: { run(): unknown };
}

/** One queue a connection. */
export class SqliteWriter {
  private readonly place: string;
  private readonly db: BetterSqlite3.Database;
  private readonly sql: Transactions;
  private readonly log: string | undefined;
  private file: FileHandle | undefined;
  private writes: Write[] = [];
  private writing: Promise<void> | undefined;
  /** Commits, and those of them that a sync has covered. */
  private commits = 0;
  private synced = 0;
  private syncing: Promise<void> | undefined;
  private isLogLong = false;

  /** `log` is the path of the write-ahead log; undefined where SQLite syncs each commit itself. */
  constructor(place: string, db: BetterSqlite3.Database, sql: Transactions, log: string | undefined) {
    this.place = place;
    this.db = db;
    this.sql = sql;
    this.log = log;
  }

  /**
   * Runs `run` in a transaction, together with whatever else is waiting; it checks before it writes, so that a refusal leaves
   * nothing behind. It is answered when others can see it; {@link settled} says when it stays.
   */
  commit<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.writes.push({ run, resolve, reject });
      this.writing ??= this.drain();
    });
  }

  /** The same, answered when it stays. */
  async write<T>(run: () => T): Promise<T> {
    const value = await this.commit(run);
    await this.settled();
    return value;
  }

  /** Resolves when all that was committed is on the disk. One sync at a time: what is committed while it runs shares the next. */
  async settled(): Promise<void> {
    const wanted = this.commits;
    while (this.synced < wanted) {
      this.syncing ??= this.sync().finally(() => (this.syncing = undefined));
      await this.syncing;
    }
  }

  /** The log has become long: what is in it is to be brought to the tables after this transaction. */
  shorten(): void {
    this.isLogLong = this.log !== undefined;
  }

  /** Resolves when everything is written and the log is closed. */
  async close(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    await this.settled();
    await this.file?.close();
    this.file = undefined;
  }

  private async drain(): Promise<void> {
    await Promise.resolve();
    while (this.writes.length > 0) {
      try {
        await this.begin();
      } catch (thrown) {
        this.refuse(this.writes.splice(0), thrown);
        continue;
      }
      const batch = this.writes.splice(0);
      try {
        const answers = batch.map((write) => answerOf(write));
        this.sql.commit.run();
        this.commits++;
        for (const give of answers) give();
        if (this.isLogLong) this.checkpoint();
      } catch (thrown) {
        if (this.db.open && this.db.inTransaction) this.db.exec("ROLLBACK");
        this.refuse(batch, thrown);
      }
    }
    this.writing = undefined; // at once: a write that comes from now on begins anew
  }

  private async sync(): Promise<void> {
    const { commits } = this;
    if (this.log !== undefined) {
      try {
        this.file ??= await open(this.log, "r+");
        await this.file.datasync();
      } catch (thrown) {
        throw new StorageError(`tune: ${this.place}: the disk does not take what was written: ${(thrown as Error).message}`, { cause: thrown }); // prettier-ignore
      }
    }
    this.synced = Math.max(this.synced, commits);
  }

  // First without a lock, then what came meanwhile with it, so that the log begins anew: SQLite's own checkpoints never catch up
  // with writers that do not pause, and are tried by each of their commits.
  private checkpoint(): void {
    this.isLogLong = false;
    this.db.pragma("wal_checkpoint(PASSIVE)");
    for (let tries = 0; tries < 64; tries++) {
      const [{ busy }] = this.db.pragma("wal_checkpoint(RESTART)") as [{ readonly busy: number }];
      if (busy === 0) return;
      Atomics.wait(napping, 0, 0, 0.2);
    }
  }

  // Everyone asks again at short times that do not grow: with SQLite's own back-off one that sleeps long is overtaken for seconds.
  private async begin(): Promise<void> {
    const until = performance.now() + patience;
    for (let tries = 0; ; tries++) {
      try {
        this.tryBegin();
        return;
      } catch (thrown) {
        if (!isBusy(thrown) || performance.now() > until) throw thrown;
        // The first tries stay on the thread: the lock is held for a fraction of a millisecond.
        if (tries % 8 < 4) Atomics.wait(napping, 0, 0, 0.1 + 0.2 * Math.random());
        else await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  // Where the lock is held, the library throws: without the stack of a place that nobody reads, which is most of what a try costs.
  private tryBegin(): void {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      this.sql.begin.run();
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  private refuse(batch: readonly Write[], thrown: unknown): void {
    const error = this.failed(thrown);
    for (const { reject } of batch) reject(error);
  }

  /** A failure of SQLite as a sentence; others as they are. */
  failed(thrown: unknown): unknown {
    if (!isSqlite(thrown) && this.db.open) return thrown;
    const why = isBusy(thrown)
      ? `another process has held its lock for ${patience / 1000} s; end that process, or copy the file`
      : this.db.open
        ? (thrown as Error).message
        : "it is closed";
    return new StorageError(`tune: ${this.place}: ${why}`, { cause: thrown });
  }
}

const napping = new Int32Array(new SharedArrayBuffer(4));

/** Runs a write; its answer is given when it is committed. */
function answerOf({ run, resolve, reject }: Write): () => void {
  try {
    const value = run() as never;
    return () => resolve(value);
  } catch (thrown) {
    if (isSqlite(thrown)) throw thrown;
    return () => reject(thrown);
  }
}
