// Programs by signature, the ones used last: a program is kept for every shape that comes by, and a service meets any number of them.

/** What a cache holds and frees. */
export interface Disposable {
  dispose(): void;
}

/** Programs that are kept for one function if nothing else is asked for. */
export const defaultPrograms = 32;

/**
 * At most `limit` entries; the one that was not asked for the longest makes room. A run that is under way keeps what it uses in the
 * engine until it ends.
 */
export class ProgramCache<Entry extends Disposable, Key = string> {
  private readonly limit: number;
  private readonly entries = new Map<Key, Entry>(); // in the order of use, the last at the end

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Number of entries. */
  get size(): number {
    return this.entries.size;
  }

  /** The entry of a key, used just now. */
  get(key: Key): Entry | undefined {
    const found = this.entries.get(key);
    if (found === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, found);
    return found;
  }

  /** Adds an entry; what has to make room for it is freed. */
  set(key: Key, entry: Entry): void {
    this.entries.set(key, entry);
    if (this.entries.size <= this.limit) return;
    const [oldest, old] = this.entries.entries().next().value!;
    this.entries.delete(oldest);
    old.dispose();
  }

  /** Frees all. */
  dispose(): void {
    for (const entry of this.entries.values()) entry.dispose();
    this.entries.clear();
  }
}
