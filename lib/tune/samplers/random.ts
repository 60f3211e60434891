// Independent draws.
import { Draws } from "../random/philox.js";
import { fromUnit, isActive, spaceSize, type FlatSpace, type Params } from "../space/index.js";
import { keyOf, keysOf, points, type TakenKeys } from "./distinct.js";
import type { SampleRequest, Sampler } from "./sampler.js";

/** One draw of every active parameter that is not fixed; `attempt` 0, 1, … gives others. */
export function drawParams(
  space: FlatSpace,
  seed: number,
  number: number,
  options: { readonly fixed?: Params | undefined; readonly attempt?: number } = {},
): Params {
  const { fixed = {}, attempt = 0 } = options;
  const params: Record<string, number> = {};
  for (const parameter of space.parameters) {
    if (!isActive(parameter, params)) continue;
    const { name, distribution } = parameter;
    const stream = attempt === 0 ? name : `${name}#${attempt}`;
    params[name] = fixed[name] ?? fromUnit(distribution, new Draws(seed, number, stream).uniform());
  }
  return params;
}

const mostAttempts = 100;

/**
 * Draws every parameter by itself. In a space of finitely many points none comes twice until all were tried.
 *
 * @example
 * const study = await tune({ x: tune.uniform(-1, 1) }, (_, { params }) => params.x ** 2, {
 *   trials: 20, sampler: tune.random(),
 * });
 * console.log(study.best?.value);
 */
export function random(): Sampler {
  const owner = {};
  return {
    name: "random",
    sample({ space, number, seed, history, pending, fixed }: SampleRequest): Params {
      const first = drawParams(space, seed, number, { fixed });
      const size = spaceSize(space);
      if (size === Infinity) return first;
      const taken = keysOf(owner, space, history).with(pending);
      if (taken.size >= size || !taken.has(keyOf(space, first))) return first;
      for (let attempt = 1; attempt < mostAttempts; attempt++) {
        const params = drawParams(space, seed, number, { fixed, attempt });
        if (!taken.has(keyOf(space, params))) return params;
      }
      return unusedPoint(space, taken, new Draws(seed, number, "unused"), fixed) ?? first;
    },
  };
}

/** A point that was not tried: by going through all, from one drawn at random; undefined if `fixed` leaves none. */
export function unusedPoint(space: FlatSpace, taken: TakenKeys, draws: Draws, fixed?: Params): Params | undefined {
  const free: Params[] = [];
  for (const params of points(space)) {
    if (fixed !== undefined && Object.entries(fixed).some(([name, value]) => params[name] !== value)) continue;
    if (!taken.has(keyOf(space, params))) free.push(params);
    if (free.length >= 4096) break;
  }
  return free.length === 0 ? undefined : free[draws.below(free.length)];
}
