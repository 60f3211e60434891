// What a function was given in the place of an object, a path or an array: each check ends in a sentence that says what belongs there.
import { ArgumentError } from "../errors.js";
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
