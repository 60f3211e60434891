// Spaces of finitely many points: which were tried, and going through all.
import { cardinality, isActive, valueAt, type FlatSpace, type Params } from "../space/index.js";
import type { TrialRecord } from "../study/record.js";
import { Following } from "../study/follow.js";

/** A key that two trials share only if all parameters of the space are the same. */
export function keyOf(space: FlatSpace, params: Params): string {
  return space.parameters.map(({ name }) => params[name] ?? "").join(";");
}

/** Keys of trials that were tried or are being tried. */
export interface TakenKeys {
  readonly size: number;
  has(key: string): boolean;
}

/** The keys of a history, with how many trials have each. */
export class KeyCounts extends Following {
  private readonly space: FlatSpace;
  private readonly counts = new Map<string, number>();
  /** Grows where a trial was taken back. */
  version = 0;

  constructor(space: FlatSpace) {
    super();
    this.space = space;
  }

  protected add({ params }: TrialRecord): void {
    const key = keyOf(this.space, params);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  protected remove({ params }: TrialRecord): void {
    const key = keyOf(this.space, params);
    const count = this.counts.get(key)! - 1;
    if (count > 0) this.counts.set(key, count);
    else this.counts.delete(key);
    this.version++;
  }

  /** With those of trials that are running. */
  with(pending: readonly TrialRecord[]): TakenKeys {
    const { counts } = this;
    const own = new Set<string>();
    for (const { params } of pending) {
      const key = keyOf(this.space, params);
      if (!counts.has(key)) own.add(key);
    }
    return { size: counts.size + own.size, has: (key) => counts.has(key) || own.has(key) };
  }
}

const counted = new WeakMap<object, WeakMap<FlatSpace, KeyCounts>>();

/** The keys of a request's history as `owner`, a sampler, counts them. */
export function keysOf(owner: object, space: FlatSpace, history: readonly TrialRecord[]): KeyCounts {
  const bySpace = counted.get(owner) ?? new WeakMap<FlatSpace, KeyCounts>();
  counted.set(owner, bySpace);
  let keys = bySpace.get(space);
  if (keys === undefined) bySpace.set(space, (keys = new KeyCounts(space)));
  keys.update(history);
  return keys;
}

/** Internal values to go through, by parameter; those missing have all of their distribution. */
export type Levels = ReadonlyMap<string, readonly number[]>;

/** All points in the order of an odometer: the last parameter changes fastest. */
export function* points(space: FlatSpace, levels: Levels = new Map()): Generator<Params, void> {
  const { parameters } = space;
  function* from(i: number, params: Params): Generator<Params, void> {
    const parameter = parameters[i];
    if (parameter === undefined) {
      yield params;
      return;
    }
    if (!isActive(parameter, params)) {
      yield* from(i + 1, params);
      return;
    }
    const { name, distribution } = parameter;
    const given = levels.get(name);
    const count = given?.length ?? cardinality(distribution);
    for (let k = 0; k < count; k++) {
      yield* from(i + 1, { ...params, [name]: given?.[k] ?? valueAt(distribution, k) });
    }
  }
  yield* from(0, {});
}
