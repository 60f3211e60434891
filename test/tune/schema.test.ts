// The tables: those of an older version are brought to this one, and no statement reads through all trials of a study.
import { afterAll, describe, expect, it } from "vitest";
import Database from "better-sqlite3";
import pg from "pg";
import { StorageError } from "../../lib/errors.js";
import { migrations as ofPostgres } from "../../lib/tune/storage/postgres-schema.js";
import { PostgresStorage } from "../../lib/tune/storage/postgres.js";
import { schemaVersion } from "../../lib/tune/storage/sql.js";
import { migrations as ofSqlite, prepare } from "../../lib/tune/storage/sqlite-schema.js";
import { SqliteStorage } from "../../lib/tune/storage/sqlite.js";
import type { Storage, StudySpec } from "../../lib/tune/storage/storage.js";
import { cleanUp, freshFile, postgres } from "./storages.js";

afterAll(cleanUp);

const ask = { worker: "w", lease: 60, budget: 9, losses: 3 };
const spec = JSON.stringify({ mode: "free", lag: 1, past: [] });

/** A study of the first version with one trial done and one enqueued goes on. */
async function goesOn(storage: Storage): Promise<void> {
  const study = (await storage.find("old"))!;
  const { trials } = await storage.changes(study.id, 0);
  expect(trials).toMatchObject([{ number: 0, state: "complete", values: [2], params: { x: 1 } }]);
  expect(trials[0]).not.toHaveProperty("parent");
  const claim = await storage.claim(study.id, ask);
  expect(claim).toMatchObject({ kind: "trial", trial: { number: 1, fixed: { x: 3 } } });
  if (claim.kind === "trial") await storage.sampled(claim.ticket, { x: 3 }, 1, 0);
  expect((await storage.changes(study.id, 1)).trials.at(-1)).toMatchObject({ parent: 0, params: { x: 3 } });
  await storage.close();
}

const fill = (prefix: string): string => `
  INSERT INTO ${prefix}trials (study, number, state, params, vals, attributes, revision, ended_at) VALUES (1, 0, 'complete', '{"x":1}', '[2]', '{}', 1, 1);
  INSERT INTO ${prefix}queue (study, fixed, attributes) VALUES (1, '{"x":3}', '{}');`;

describe("SQLite", () => {
  it("a file of the first version is brought to this one", async () => {
    const path = freshFile();
    const db = new Database(path);
    db.exec(ofSqlite[0]!);
    db.prepare("INSERT INTO athanor_studies (id, name, spec, attributes, created, next_number, revision) VALUES (1, 'old', ?, '{}', 5, 1, 1)").run(spec); // prettier-ignore
    db.exec(fill("athanor_"));
    db.pragma("user_version = 1");
    db.close();
    await goesOn(await SqliteStorage.open(path));
    await goesOnAgain(path);
  });
  const goesOnAgain = async (path: string): Promise<void> => {
    const storage = await SqliteStorage.open(path);
    expect((await storage.list()).map(({ name }) => name)).toEqual(["old"]);
    await storage.close();
  };

  it("a file of a newer version is refused with a sentence", async () => {
    const path = freshFile();
    await (await SqliteStorage.open(path)).close();
    const db = new Database(path);
    db.pragma(`user_version = ${schemaVersion + 1}`);
    db.close();
    await expect(SqliteStorage.open(path)).rejects.toThrow(StorageError);
    await expect(SqliteStorage.open(path)).rejects.toThrow(`tables are of version ${schemaVersion + 1}`);
  });

  it("no statement goes through all trials of a study", async () => {
    const { db, sql } = await prepare(Database, freshFile(), {}, 1000);
    const { remove: _, ...others } = sql;
    for (const [name, statement] of Object.entries(others)) {
      const { source } = statement as unknown as { readonly source: string };
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${source.replace(/@\w+/g, "1").replaceAll("?", "1")}`).all() as { readonly detail: string }[]; // prettier-ignore
      const all = plan.filter(({ detail }) => /SCAN athanor_trials|athanor_trials USING PRIMARY KEY \(study=\?\)/.test(detail)); // prettier-ignore
      expect(all, name).toEqual([]);
    }
    db.close();
  });
});

describe.skipIf(postgres === undefined)("PostgreSQL", () => {
  const emptyDatabase = async (name: string, use: (address: string, client: pg.Client) => Promise<void>) => {
    const admin = new pg.Client(postgres);
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    const address = postgres!.replace(/\/[^/]*$/, `/${name}`);
    const client = new pg.Client(address);
    await client.connect();
    try {
      await use(address, client);
    } finally {
      await client.end();
      await admin.query(`DROP DATABASE ${name}`);
      await admin.end();
    }
  };

  it("a database of the first version is brought to this one", () =>
    emptyDatabase(`old_${process.pid}`, async (address, client) => {
      await client.query("CREATE SCHEMA athanor; CREATE TABLE athanor.version (version integer NOT NULL); INSERT INTO athanor.version VALUES (1)"); // prettier-ignore
      await client.query(ofPostgres[0]!);
      await client.query("INSERT INTO athanor.studies (name, spec, attributes, created, mode, lag, next_number, revision) VALUES ('old', $1, '{}', 5, 'free', 1, 1, 1)", [spec]); // prettier-ignore
      await client.query(fill("athanor."));
      await goesOn(await PostgresStorage.open(address));
    }));

  // Plans of an empty table are kept while it fills.
  it("no operation goes through all trials of a study, on tables that were empty when they were first asked", () =>
    emptyDatabase(`fresh_${process.pid}`, async (address, client) => {
      const trials = 300;
      const storage = await PostgresStorage.open(address, { connections: 1 });
      const study = await storage.create("plans", JSON.parse(spec) as StudySpec, {});
      let seen = 0;
      for (let i = 0; i < trials; i++) {
        const claim = await storage.claim(study.id, { ...ask, budget: null });
        if (claim.kind !== "trial") throw new Error(claim.kind);
        await storage.sampled(claim.ticket, { x: i }, seen);
        await storage.report(claim.ticket, { reports: [{ step: 0, value: i }] });
        await storage.beat([claim.ticket], 60);
        await storage.finish(claim.ticket, { state: "complete", values: [i] }, {});
        seen = (await storage.changes(study.id, seen)).revision;
      }
      await storage.close(); // which hands in its statistics
      const read = async (): Promise<{ rows: number; asked: number }> => {
        const { rows } = await client.query<{ rows: string; asked: string }>("SELECT seq_tup_read + idx_tup_fetch AS rows, seq_scan + idx_scan AS asked FROM pg_stat_user_tables WHERE relname = 'trials'"); // prettier-ignore
        return { rows: Number(rows[0]!.rows), asked: Number(rows[0]!.asked) };
      };
      let said = await read();
      while (said.asked < trials) said = await read();
      expect(said.rows / trials).toBeLessThan(40); // of each of its versions once or twice; through all it were some 2,000
    }));
});
