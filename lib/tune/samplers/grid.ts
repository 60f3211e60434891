// All combinations, one after the other.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions, nearestName } from "../../errors.js";
import { got } from "../../names/got.js";
import { Draws } from "../random/philox.js";
import { cardinality, fromUnit, internalValue, type FlatSpace, type Json, type Params } from "../space/index.js";
import { keysOf, keyOf, points } from "./distinct.js";
import type { SampleRequest, Sampler } from "./sampler.js";

/** Options of {@link grid}. */
export interface GridOptions {
  /** Values to try, by the name of the parameter ("lr", "settings.sgd.momentum"). Default all of a finite range. */
  readonly values?: Readonly<Record<string, readonly Json[]>>;
  /** How many values to take from a range of real numbers without `values`, evenly spaced on its scale. Default none: an error. */
  readonly points?: number;
  /** In a random order, by the seed of the study. Default false: the last parameter changes fastest. */
  readonly shuffle?: boolean;
}

/**
 * Tries every combination once, of conditional sub-spaces those of the chosen branch, and ends the study then. What was tried
 * before (in a study that goes on, by an enqueued trial) is left out.
 *
 * @throws ArgumentError from the study for names that the space lacks, values outside their distribution, and a range of real numbers
 *   without `values` or `points`.
 * @example
 * const study = await tune(
 *   { lr: tune.logUniform(1e-4, 1e-1), layers: tune.int(1, 3) },
 *   (_, { params }) => Math.abs(Math.log10(params.lr) + 2) + params.layers,
 *   { sampler: tune.grid({ values: { lr: [1e-4, 1e-3, 1e-2] } }) },
 * );
 * study.trials.length; // 9
 */
export function grid(options: GridOptions = {}): Sampler {
  checkOptions("tune.grid", options, ["values", "points", "shuffle"]);
  const { values = {}, points: perRange, shuffle = false } = options;
  if (typeof values !== "object" || values === null || !Object.values(values).every(Array.isArray)) {
    throw new ArgumentError(
      `tune.grid: values must be lists by name, such as { lr: [1e-4, 1e-3] }, got ${got(values)}`,
    );
  }
  if (perRange !== undefined) requireCount("tune.grid", "points", perRange);
  let cached: Points | undefined;
  return {
    name: "grid",
    settings: { ...options },
    sample({ space, seed, history, pending, fixed }: SampleRequest): Params | undefined {
      if (cached?.space !== space || cached.seed !== seed) {
        const all = allPoints(space, { values, perRange });
        const order = shuffle ? new Draws(seed, 0, "grid").order(all.length).map((i) => all[i]!) : all;
        cached = {
          space,
          seed,
          first: 0,
          version: 0,
          all: order.map((params) => ({ params, key: keyOf(space, params) })),
        };
      }
      const keys = keysOf(cached, space, history);
      const taken = keys.with(pending);
      const agrees = (params: Params): boolean =>
        fixed === undefined || Object.entries(fixed).every(([name, value]) => params[name] === value);
      const done = keys.with([]);
      if (cached.version !== keys.version) Object.assign(cached, { first: 0, version: keys.version });
      while (cached.first < cached.all.length && done.has(cached.all[cached.first]!.key)) cached.first++;
      for (let i = cached.first; i < cached.all.length; i++) {
        const { params, key } = cached.all[i]!;
        if (agrees(params) && !taken.has(key)) return params;
      }
      return undefined;
    },
  };
}

/** All points of a space in their order; all before `first` were tried. */
interface Points {
  readonly space: FlatSpace;
  readonly seed: number;
  readonly all: readonly Point[];
  first: number;
  version: number;
}

interface Point {
  readonly params: Params;
  readonly key: string;
}

const mostPoints = 1_000_000;

function allPoints(
  space: FlatSpace,
  { values, perRange }: { values: NonNullable<GridOptions["values"]>; perRange: number | undefined },
): Params[] {
  const known = space.parameters.map(({ name }) => name);
  for (const name of Object.keys(values)) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    throw new ArgumentError(
      `tune.grid: unknown parameter "${name}"${near === undefined ? `; known: ${known.join(", ")}` : `, did you mean "${near}"?`}`,
    );
  }
  const levels = new Map<string, readonly number[]>();
  for (const { name, distribution } of space.parameters) {
    const given = values[name];
    if (given !== undefined) {
      if (!Array.isArray(given) || given.length === 0) {
        throw new ArgumentError(`tune.grid: "${name}": expected a list of values to try, got ${got(given)}`);
      }
      const internal = given.map((value) => internalValue("tune.grid", name, distribution, value));
      levels.set(name, [...new Set(internal)]);
    } else if (cardinality(distribution) === Infinity) {
      if (perRange === undefined) {
        throw new ArgumentError(
          `tune.grid: "${name}" is a range of real numbers, which has no end; give values: { "${name}": [ … ] } or points: 5`,
        );
      }
      const at = (k: number): number => (perRange === 1 ? 0.5 : k / (perRange - 1));
      levels.set(
        name,
        Array.from({ length: perRange }, (_, k) => fromUnit(distribution, at(k))),
      );
    }
  }
  const all: Params[] = [];
  for (const params of points(space, levels)) {
    if (all.push(params) > mostPoints) {
      throw new ArgumentError(
        `tune.grid: more than ${mostPoints} combinations; list fewer values, or let tune.tpe() choose among them`,
      );
    }
  }
  return all;
}
