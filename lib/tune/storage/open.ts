// From what the user wrote to a storage.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import { MemoryStorage } from "./memory.js";
import { PostgresStorage } from "./postgres.js";
import { SqliteStorage } from "./sqlite.js";
import type { OpenOptions } from "./sqlite-schema.js";
import type { Storage } from "./storage.js";

/**
 * Opens a storage: memory for undefined, PostgreSQL for an address, SQLite for a path. With `existing` a file has to be there, with `readonly` it is not written either.
 *
 * @throws StorageError, UnsupportedError where its library is missing.
 */
export async function openStorage(place: string | undefined, options: OpenOptions = {}): Promise<Storage> {
  if (place === undefined) return new MemoryStorage();
  if (typeof place !== "string" || place === "") {
    throw new ArgumentError(`tune: storage: expected a path, an address or a storage, got ${got(place)}`);
  }
  const scheme = /^([a-z][a-z0-9+]+):\/\//.exec(place)?.[1];
  if (scheme === "postgres" || scheme === "postgresql") return PostgresStorage.open(place);
  if (scheme !== undefined && scheme !== "sqlite") {
    throw new ArgumentError(
      `tune: storage: expected the path of an SQLite file or a postgres:// address, got ${got(place)}`,
    );
  }
  return SqliteStorage.open(scheme === "sqlite" ? place.replace(/^sqlite:\/\/\/?/, "") : place, options);
}
