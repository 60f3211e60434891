import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";

/** Throws unless `value` is a whole number of 1 or more. */
export function requireCount(where: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new ArgumentError(`${where}: ${name}: expected a whole number of 1 or more, got ${got(value)}`);
  }
}
