// A space as samplers, pruners and storages see it: a list of parameters, each after those it depends on, with internal values.
import { ArgumentError, nearestName } from "../../errors.js";
import { got } from "../../names/got.js";
import { cardinality, contains, isDistribution, type Distribution, type Json } from "./distribution.js";
import { isConditional, type Conditional, type Space } from "./space.js";

/** Internal values of a trial's active parameters by name: the number itself, or the index of a choice. */
export type Params = Readonly<Record<string, number>>;

/** Holds when the parameter `on` is active and has one of `values` (internal values). */
export interface Condition {
  readonly on: string;
  readonly values: readonly number[];
}

/** One parameter. */
export interface SpaceParameter {
  /** Its path, joined by dots: "lr", "settings.sgd.momentum". */
  readonly name: string;
  /** Where its value lies in the user's object; the branch of a conditional is not part of it. */
  readonly path: readonly string[];
  readonly distribution: Distribution;
  /** All of these must hold; none for a parameter that is always active. */
  readonly conditions: readonly Condition[];
}

/** A flattened space; every parameter stands after those that its conditions name. */
export interface FlatSpace {
  readonly parameters: readonly SpaceParameter[];
}

interface Scope {
  readonly names: ReadonlyMap<string, SpaceParameter>;
  readonly outer: Scope | undefined;
}

interface Place {
  readonly prefix: readonly string[];
  readonly path: readonly string[];
  readonly conditions: readonly Condition[];
  readonly outer: Scope | undefined;
}

/**
 * Lists the parameters of a space.
 *
 * @throws ArgumentError for entries that are no distribution, names with dots, and conditions on what does not exist.
 */
export function flatten(space: Space): FlatSpace {
  if (typeof space !== "object" || space === null || Array.isArray(space) || isDistribution(space)) {
    throw new ArgumentError(
      `tune: expected a space, an object such as { lr: tune.logUniform(1e-5, 1e-1) }, got ${got(space)}`,
    );
  }
  const parameters: SpaceParameter[] = [];
  collect(space, { prefix: [], path: [], conditions: [], outer: undefined }, parameters);
  return { parameters };
}

function collect(space: Space, place: Place, into: SpaceParameter[]): void {
  const names = new Map<string, SpaceParameter>();
  const scope: Scope = { names, outer: place.outer };
  const later: (() => void)[] = [];
  for (const [key, entry] of Object.entries(space)) {
    const name = [...place.prefix, key].join(".");
    if (key === "" || key.includes(".")) {
      throw new ArgumentError(`tune: "${name}": expected a name without dots; use a group, { a: { b: … } }, for "a.b"`);
    }
    if (isDistribution(entry)) {
      const parameter = { name, path: [...place.path, key], distribution: entry, conditions: place.conditions };
      names.set(key, parameter);
      into.push(parameter);
    } else if (isConditional(entry)) {
      later.push(() => branch(key, entry, place, scope, into));
    } else if (typeof entry === "object" && entry !== null && !Array.isArray(entry)) {
      const inner = { ...place, prefix: [...place.prefix, key], path: [...place.path, key], outer: scope };
      later.push(() => collect(entry as Space, inner, into));
    } else {
      throw new ArgumentError(
        `tune: "${name}": expected a distribution, such as tune.uniform(0, 1), got ${got(entry)}; write tune.choice([…]) for fixed values`,
      );
    }
  }
  for (const run of later) run();
}

function branch(key: string, { on, branches }: Conditional, place: Place, scope: Scope, into: SpaceParameter[]): void {
  const name = [...place.prefix, key].join(".");
  const parent = lookUp(scope, on);
  if (parent === undefined) {
    const near = nearestName(on, namesOf(scope));
    throw new ArgumentError(
      `tune: "${name}": tune.when names "${on}", which is no parameter beside it or further out${near === undefined ? "" : `, did you mean "${near}"?`}`,
    );
  }
  for (const [value, inner] of Object.entries(branches)) {
    const internal = internalOf(name, parent, value);
    const condition = { on: parent.name, values: [internal] };
    collect(
      inner,
      {
        prefix: [...place.prefix, key, value],
        path: [...place.path, key],
        conditions: [...place.conditions, ...missing(parent.conditions, place.conditions), condition],
        outer: scope,
      },
      into,
    );
  }
}

const missing = (conditions: readonly Condition[], known: readonly Condition[]): Condition[] =>
  conditions.filter((condition) => !known.includes(condition));

function lookUp(scope: Scope | undefined, name: string): SpaceParameter | undefined {
  for (; scope !== undefined; scope = scope.outer) {
    const found = scope.names.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function namesOf(scope: Scope | undefined): string[] {
  return scope === undefined ? [] : [...scope.names.keys(), ...namesOf(scope.outer)];
}

// The key of a branch that stands for a value.
const keyOf = (value: Json): string => (typeof value === "object" ? JSON.stringify(value) : String(value));

function internalOf(name: string, { name: on, distribution }: SpaceParameter, value: string): number {
  if (distribution.kind === "choice") {
    const index = distribution.choices.findIndex((candidate) => keyOf(candidate) === value);
    if (index >= 0) return index;
    const known = distribution.choices.map(keyOf);
    const near = nearestName(value, known);
    throw new ArgumentError(
      `tune: "${name}": "${value}" is not a value of "${on}", which has ${known.map((text) => `"${text}"`).join(", ")}${near === undefined ? "" : `; did you mean "${near}"?`}`,
    );
  }
  const number = Number(value);
  if (distribution.kind === "int" && contains(distribution, number)) return number;
  throw new ArgumentError(
    distribution.kind === "int"
      ? `tune: "${name}": ${value} is not a value of "${on}", a whole number from ${distribution.low} to ${distribution.high}`
      : `tune: "${name}": tune.when needs a choice or a whole number to depend on, "${on}" is a range of real numbers`,
  );
}

/** Whether a parameter takes part, given the values of those before it. */
export function isActive(parameter: SpaceParameter, params: Params): boolean {
  return parameter.conditions.every(({ on, values }) => {
    const value = params[on];
    return value !== undefined && values.includes(value);
  });
}

/** The parameters that take part, given their values; values of others do not count. */
export function activeParameters(space: FlatSpace, params: Params): SpaceParameter[] {
  const known: Record<string, number> = {};
  return space.parameters.filter((parameter) => {
    if (!isActive(parameter, known)) return false;
    const value = params[parameter.name];
    if (value !== undefined) known[parameter.name] = value;
    return true;
  });
}

/** Whether every active parameter has a value of its distribution, and no other has one. */
export function isComplete(space: FlatSpace, params: Params): boolean {
  const active = activeParameters(space, params);
  return (
    Object.keys(params).length === active.length &&
    active.every(({ name, distribution }) => params[name] !== undefined && contains(distribution, params[name]))
  );
}

/** How many different trials there are; Infinity with a range of real numbers. */
export function spaceSize(space: FlatSpace): number {
  const parents = new Set(space.parameters.flatMap(({ conditions }) => conditions.map(({ on }) => on)));
  const count = (i: number, known: Record<string, number>): number => {
    for (let free = 1; ; i++) {
      const parameter = space.parameters[i];
      if (parameter === undefined) return free;
      if (!isActive(parameter, known)) continue;
      const values = cardinality(parameter.distribution);
      if (!parents.has(parameter.name)) {
        free *= values;
        if (free === Infinity) return free;
        continue;
      }
      // Only values that a condition names differ in what follows; the others are counted at once.
      const named = namedValues(space, parameter.name);
      let sum = 0;
      for (const value of named) sum += count(i + 1, { ...known, [parameter.name]: value });
      if (values > named.length) sum += (values - named.length) * count(i + 1, { ...known, [parameter.name]: NaN });
      return free * sum;
    }
  };
  return count(0, {});
}

function namedValues(space: FlatSpace, on: string): number[] {
  const values = space.parameters.flatMap(({ conditions }) =>
    conditions.filter((condition) => condition.on === on).flatMap((condition) => condition.values),
  );
  return [...new Set(values)];
}

/** The user's form of internal values: an object like the space, with the values of choices. */
export function decode(space: FlatSpace, params: Params): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const { path, name, distribution } of space.parameters) {
    // Groups and conditionals are objects even where nothing in them is active.
    let at = result;
    for (const key of path.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
    const value = params[name];
    if (value !== undefined) at[path.at(-1)!] = externalValue(distribution, value);
  }
  return result;
}

/** The user's form of one internal value. */
export function externalValue(distribution: Distribution, value: number): Json {
  return distribution.kind === "choice" ? distribution.choices[value]! : value;
}
