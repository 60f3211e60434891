// Spaces of finitely many points: which were tried, and going through all.
import { cardinality, isActive, valueAt, type FlatSpace, type Params } from "../space/index.js";
import type { TrialRecord } from "../study/record.js";

/** A key that two trials share only if all parameters of the space are the same. */
export function keyOf(space: FlatSpace, params: Params): string {
  return space.parameters.map(({ name }) => params[name] ?? "").join(";");
}

/** Keys of all trials so far. */
export function distinctKeys(space: FlatSpace, ...lists: readonly (readonly TrialRecord[])[]): Set<string> {
  const keys = new Set<string>();
  for (const list of lists) for (const { params } of list) keys.add(keyOf(space, params));
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
