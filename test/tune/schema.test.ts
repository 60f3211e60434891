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
import type { Storage } from "../../lib/tune/storage/storage.js";
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
  it("a database of the first version is brought to this one", async () => {
    const name = `old_${process.pid}`;
    const admin = new pg.Client(postgres);
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    const address = postgres!.replace(/\/[^/]*$/, `/${name}`);
    const client = new pg.Client(address);
    await client.connect();
    try {
      await client.query("CREATE SCHEMA athanor; CREATE TABLE athanor.version (version integer NOT NULL); INSERT INTO athanor.version VALUES (1)"); // prettier-ignore
      await client.query(ofPostgres[0]!);
      await client.query("INSERT INTO athanor.studies (name, spec, attributes, created, mode, lag, next_number, revision) VALUES ('old', $1, '{}', 5, 'free', 1, 1, 1)", [spec]); // prettier-ignore
      await client.query(fill("athanor."));
      await goesOn(await PostgresStorage.open(address));
    } finally {
      await client.end();
      await admin.query(`DROP DATABASE ${name}`);
      await admin.end();
    }
  });
});
