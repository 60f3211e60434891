// From the user's form of parameters (enqueued trials, warm starts) to internal values.
import { ArgumentError, nearestName } from "../../errors.js";
import { got } from "../../names/got.js";
import { contains, type Distribution } from "./distribution.js";
import { isActive, type FlatSpace, type Params } from "./flatten.js";

/**
 * The internal value of `value`.
 *
 * @throws ArgumentError for one that the distribution does not have.
 */
export function internalValue(where: string, name: string, distribution: Distribution, value: unknown): number {
  if (distribution.kind === "choice") {
    const text = JSON.stringify(value);
    const index = distribution.choices.findIndex((choice) => JSON.stringify(choice) === text);
    if (index >= 0) return index;
    const known = distribution.choices.map((choice) => JSON.stringify(choice)).join(", ");
    throw new ArgumentError(`${where}: "${name}": expected one of ${known}, got ${got(value)}`);
  }
  if (typeof value === "number" && contains(distribution, value)) return value;
  const step = "step" in distribution && distribution.step !== undefined ? ` in steps of ${distribution.step}` : "";
  throw new ArgumentError(
    `${where}: "${name}": expected a number from ${distribution.low} to ${distribution.high}${step}, got ${got(value)}`,
  );
}

/**
 * Internal values of the user's form. Parameters may be missing: a sampler chooses them.
 *
 * @throws ArgumentError for unknown names, values outside their distribution and parameters of a branch that was not chosen.
 */
export function encode(where: string, space: FlatSpace, given: Readonly<Record<string, unknown>>): Params {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ArgumentError(`${where}: expected an object of parameters, got ${got(given)}`);
  }
  const leaves = new Map<string, unknown>();
  listLeaves(space, given, [], leaves);
  const params: Record<string, number> = {};
  for (const parameter of space.parameters) {
    const path = parameter.path.join(".");
    if (!leaves.has(path) || !isActive(parameter, params)) continue;
    params[parameter.name] = internalValue(where, path, parameter.distribution, leaves.get(path));
    leaves.delete(path);
  }
  const [left] = leaves.keys();
  if (left === undefined) return params;
  const known = space.parameters.map(({ path }) => path.join("."));
  if (known.includes(left)) {
    throw new ArgumentError(`${where}: "${left}" belongs to a branch that the other values given do not choose`);
  }
  const near = nearestName(left, known);
  throw new ArgumentError(
    `${where}: unknown parameter "${left}"${near === undefined ? `; known: ${known.join(", ")}` : `, did you mean "${near}"?`}`,
  );
}

// A plain object is a group unless a parameter stands at its path: choices may be objects.
function listLeaves(space: FlatSpace, given: object, path: readonly string[], into: Map<string, unknown>): void {
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const at = [...path, key].join(".");
    const isLeaf = space.parameters.some((parameter) => parameter.path.join(".") === at);
    const isGroup = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isLeaf && isGroup) listLeaves(space, value as object, [...path, key], into);
    else into.set(at, value);
  }
}
