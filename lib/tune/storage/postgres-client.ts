// A pool of connections to PostgreSQL for a study. A database that goes away is waited for: every operation may be sent again.
import type Pg from "pg";
import { StorageError } from "../../errors.js";
import { functions, migrations } from "./postgres-schema.js";
import { schemaVersion } from "./sql.js";

/** A command for `athanor.many` in the database. */
interface Command {
  readonly given: { readonly study: number } & Readonly<Record<string, unknown>>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Sends queries, and commands that come together as one. */
export class PostgresClient {
  readonly place: string;
  private readonly pool: Pg.Pool;
  private readonly patience: number;
  private commands: Command[] = [];
  private sending: Promise<void> | undefined;

  /** `place` without a password; `patience` in seconds. */
  constructor(place: string, pool: Pg.Pool, patience: number) {
    this.place = place;
    this.pool = pool;
    this.patience = patience;
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  /** Answers a command, in one transaction with those that come together with it. */
  command(given: Command["given"]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.commands.push({ given, resolve, reject });
      this.sending ??= this.send();
    });
  }

  // What comes together is one transaction: the lock on the study is taken, and the disk waited for, once. One study at a time, so that no
  // two wait for each other.
  private async send(): Promise<void> {
    await Promise.resolve();
    while (this.commands.length > 0) {
      const { study } = this.commands[0]!.given;
      const batch = this.commands.filter(({ given }) => given.study === study);
      this.commands = this.commands.filter(({ given }) => given.study !== study);
      try {
        const [row] = await this.query<{ answers: unknown[] }>("SELECT athanor.many($1) AS answers", [JSON.stringify(batch.map(({ given }) => given))]); // prettier-ignore
        batch.forEach(({ resolve }, i) => resolve(row!.answers[i]));
      } catch (thrown) {
        for (const { reject } of batch) reject(thrown);
      }
    }
    this.sending = undefined;
  }

  /** The rows of a query. */
  async query<R extends object>(text: string, values: readonly unknown[]): Promise<R[]> {
    const { rows } = await this.insist(this.patience, () => this.pool.query<R>({ name: nameOf(text), text, values: [...values] })); // prettier-ignore
    return rows;
  }

  /**
   * Makes the tables, once, by whichever process comes first; the others wait for its lock. A database that is away, as one that
   * starts anew, is asked again for some seconds: fewer than in mid-study, since its address may be wrong.
   */
  async migrate(seconds: number): Promise<void> {
    await this.insist(seconds, () => this.tryMigrate());
  }

  private async insist<T>(seconds: number, run: () => Promise<T>): Promise<T> {
    const until = performance.now() + seconds * 1000;
    for (let pause = 20; ; pause = Math.min(1000, pause * 2)) {
      try {
        return await run();
      } catch (thrown) {
        if (!isAway(thrown) || performance.now() > until) throw this.failed(thrown);
        await sleep(pause);
      }
    }
  }

  private async tryMigrate(): Promise<void> {
    const text = `SELECT version FROM athanor.version`;
    const known = await this.pool.query<{ version: number }>(text).then(({ rows }) => rows[0]?.version, (thrown: unknown) => {
      if (isAway(thrown)) throw thrown;
      return undefined;
    }); // prettier-ignore
    if (known === schemaVersion) return;
    const client = await this.pool.connect();
    try {
      await client.query("BEGIN");
      await client.query("SELECT pg_advisory_xact_lock(hashtext('athanor.schema'))");
      await client.query("CREATE SCHEMA IF NOT EXISTS athanor");
      await client.query("CREATE TABLE IF NOT EXISTS athanor.version (version integer NOT NULL)");
      const { rows } = await client.query<{ version: number }>(text);
      const from = rows[0]?.version ?? 0;
      if (from > schemaVersion) {
        throw new StorageError(
          `tune: ${this.place}: its tables are of version ${from}, this athanor knows versions up to ${schemaVersion}; use the newer one`,
        );
      }
      for (const step of migrations.slice(from)) await client.query(step);
      await client.query(functions);
      await client.query("DELETE FROM athanor.version");
      await client.query(`INSERT INTO athanor.version VALUES (${schemaVersion})`);
      await client.query("COMMIT");
    } catch (thrown) {
      await client.query("ROLLBACK").catch(() => undefined);
      throw thrown;
    } finally {
      client.release();
    }
  }

  private failed(thrown: unknown): StorageError {
    if (thrown instanceof StorageError) return thrown;
    const { message, code } = thrown as { message?: string; code?: string };
    const why = message === undefined || message === "" ? (code ?? String(thrown)) : message;
    const said = isAway(thrown) ? `the database does not answer (${why}); start it, or correct the address` : why;
    return new StorageError(`tune: ${this.place}: ${said}`, { cause: thrown });
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// The database has gone, is going or is coming; the command may be sent again.
function isAway(thrown: unknown): boolean {
  const { code = "", message = "" } = thrown as { code?: string; message?: string };
  const codes = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOENT", "57P01", "57P02", "57P03", "53300"];
  return (
    codes.includes(code) || code.startsWith("08") || /terminated|timeout exceeded|Client has encountered/.test(message)
  );
}

const names = new Map<string, string>();

// Statements are prepared once a connection, under a name.
function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) names.set(text, (name = `athanor_${names.size}`));
  return name;
}
