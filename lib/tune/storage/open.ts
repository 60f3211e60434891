// From what the user wrote to a storage.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import { MemoryStorage } from "./memory.js";
import type { Storage } from "./storage.js";

/**
 * Opens a storage: memory for undefined, PostgreSQL for an address, SQLite for a path.
 *
 * @throws StorageError, UnsupportedError where its library is missing.
 */
// eslint-disable-next-line @typescript-eslint/require-await
export async function openStorage(
  place: string | undefined,
  _options: { readonly existing?: boolean } = {},
): Promise<Storage> {
  // prettier-ignore
  if (place === undefined) return new MemoryStorage();
  if (typeof place !== "string" || place === "") {
    throw new ArgumentError(`tune: storage: expected a path, an address or a storage, got ${got(place)}`);
  }
  throw new ArgumentError(`tune: storage: ${place}: not yet`);
}
