// The storages that tests run over, each fresh: memory, a file, and PostgreSQL where there is one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Storage } from "../../lib/tune/storage/storage.js";
import { MemoryStorage } from "../../lib/tune/storage/memory.js";
import { PostgresStorage } from "../../lib/tune/storage/postgres.js";
import { SqliteStorage } from "../../lib/tune/storage/sqlite.js";
// @ts-expect-error a script without types
import { startPostgres } from "../../scripts/postgres.mjs";

interface Server {
  readonly address: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  remove(): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), "athanor-tune-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

let files = 0;
export const freshFile = (): string => join(folder, `study-${process.pid}-${files++}.db`);

/** A server of this test's own, which it may stop; undefined where PostgreSQL is not installed. */
export const ownPostgres = (): Promise<Server | undefined> => (startPostgres as () => Promise<Server | undefined>)();

let own: Server | undefined;
const given = process.env.ATHANOR_POSTGRES;
if (given === undefined) own = await ownPostgres();

/** The address of a database, if there is one: that of ATHANOR_POSTGRES, or one started for this test. */
export const postgres: string | undefined = given ?? own?.address;
if (postgres === undefined)
  console.warn("PostgreSQL is not installed: its tests are left out (apt-get install postgresql)");

/** To be called after all tests of a file. */
export const cleanUp = async (): Promise<void> => {
  await own?.remove();
};

/** Places by kind; the same place opened twice is the same storage, seen by another worker. */
export const kinds: readonly {
  readonly kind: string;
  readonly open: (place: string) => Promise<Storage> | Storage;
  readonly fresh: () => string;
}[] = [
  // prettier-ignore
  { kind: "memory", fresh: () => `memory-${files++}`, open: (place) => memories.get(place) ?? remember(place) },
  { kind: "sqlite", fresh: freshFile, open: (place) => SqliteStorage.open(place) },
  ...(postgres === undefined ? [] : [{ kind: "postgres", fresh: () => postgres, open: (place: string) => PostgresStorage.open(place) }]), // prettier-ignore
];

const memories = new Map<string, Storage>();
function remember(place: string): Storage {
  const storage = new MemoryStorage();
  memories.set(place, storage);
  return storage;
}
