// Checks of arguments: each ends in a sentence that says what belongs there and what came. Options by their names are checked by
// `checkOptions` (errors.ts).
import { ArgumentError, nearestName } from "../errors.js";
import { got } from "../names/got.js";

/**
 * Checks that a value is an object with certain fields.
 *
 * @param expected what belongs there, such as "a study, as tune gives it".
 * @throws ArgumentError
 */
export function requireFields(
  where: string,
  value: unknown,
  fields: readonly (string | symbol)[],
  expected: string,
): void {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  if (isObject && fields.every((field) => (value as Readonly<Record<string | symbol, unknown>>)[field] !== undefined))
    return;
  throw new ArgumentError(`${where}: expected ${expected}, got ${got(value)}`);
}

/** Checks that a value is an array made by `array` or by a run. @throws ArgumentError */
export function requireArray(where: string, name: string, value: unknown): void {
  requireFields(where, value, ["dtype", "shape", "data"], `${name} to be an array made by array(values, shape)`);
}

/** Checks that a value is a list. @throws ArgumentError */
export function requireListOf(where: string, value: unknown, expected: string): void {
  if (!Array.isArray(value)) throw new ArgumentError(`${where}: expected ${expected}, got ${got(value)}`);
}

/** Checks that a value is the path of a file or folder, or a URL where that is taken. @throws ArgumentError */
export function requirePath(where: string, value: unknown, example: string, takesUrl = false): void {
  if ((typeof value === "string" && value !== "") || (takesUrl && value instanceof URL)) return;
  throw new ArgumentError(`${where}: expected a path such as "${example}", got ${got(value)}`);
}

/** Checks a whole number of things. @throws ArgumentError unless `value` is a whole number from `least` to `most`. */
export function requireCount(where: string, name: string, value: unknown, least = 1, most = Infinity): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  const range = most === Infinity ? `from ${least} on` : `from ${least} to ${most}`;
  throw new ArgumentError(`${where}: ${name} must be a whole number ${range}, got ${got(value)}`);
}

/** @throws ArgumentError unless `value` is a finite number. */
export function requireFinite(where: string, name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new ArgumentError(`${where}: ${name} must be a finite number, got ${got(value)}`);
}

/** @throws ArgumentError unless `value` is a number within [low, high]. */
export function requireWithin(where: string, name: string, value: unknown, low: number, high: number): void {
  if (typeof value === "number" && value >= low && value <= high) return;
  throw new ArgumentError(`${where}: ${name} must be from ${low} to ${high}, got ${got(value)}`);
}

/** @throws ArgumentError unless `value` is a number between the two, neither of which it may be. */
export function requireBetween(where: string, name: string, value: unknown, low: number, high: number): void {
  if (typeof value === "number" && value > low && value < high) return;
  throw new ArgumentError(`${where}: ${name} must be a number between ${low} and ${high}, got ${got(value)}`);
}

/** @throws ArgumentError unless `value` is a number above 0, in f32 as well. */
export function requireAboveZero(where: string, name: string, value: unknown): void {
  const isGiven = typeof value === "number" && value > 0 && value < Infinity;
  const rounded = isGiven ? Math.fround(value) : NaN;
  if (rounded > 0 && rounded < Infinity) return;
  const way = isGiven ? `, which is ${rounded} in f32` : "";
  throw new ArgumentError(`${where}: ${name} must be a number above 0, got ${got(value)}${way}`);
}

/** @throws ArgumentError unless `value` is true or false. */
export function requireFlag(where: string, name: string, value: unknown): void {
  if (typeof value !== "boolean") throw new ArgumentError(`${where}: ${name} must be true or false, got ${got(value)}`);
}

/** @throws ArgumentError unless `value` is one of several words. */
export function requireOneOf(where: string, name: string, value: unknown, known: readonly string[]): void {
  if (known.includes(value as string)) return;
  const words = known.map((word) => `"${word}"`).join(", ");
  const near = typeof value === "string" ? nearestName(value, known) : undefined;
  const way = near === undefined ? "" : `; write "${near}"`;
  throw new ArgumentError(`${where}: ${name} must be one of ${words}, got ${got(value)}${way}`);
}
