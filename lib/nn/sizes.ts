// The sizes that layers are made with. In other libraries they are options (`units`, `filters`, `in_features`); here they are
// arguments, and the error shows the call.
import { ArgumentError } from "../errors.js";
import { uncalled } from "../guidance/factories.js";
import { got } from "../names/got.js";
import type { Initializer } from "./init.js";

/**
 * Checks sizes by their names.
 *
 * @param usage the call as it should be, such as "nn.linear(inFeatures, outFeatures)".
 * @throws ArgumentError unless each is a whole number from 1 on.
 */
export function requireSizes(usage: string, sizes: Readonly<Record<string, unknown>>): void {
  const where = /^nn\.(\w+)/.exec(usage)![1]!;
  for (const [name, value] of Object.entries(sizes)) {
    if (Number.isSafeInteger(value) && (value as number) >= 1) continue;
    throw new ArgumentError(`${where}: ${name} must be a whole number from 1 on, got ${got(value)}; write ${usage}`);
  }
}

/** @throws ArgumentError unless `value` is an initializer, or left out. */
export function requireInit(where: string, value: unknown): asserts value is Initializer | undefined {
  const instead = uncalled(value);
  if (value === undefined || (typeof value === "function" && instead === undefined)) return;
  throw new ArgumentError(
    `${where}: init must be one of nn.init, such as nn.init.xavierUniform(), got ${got(value)}${instead === undefined ? "" : `; ${instead}`}`,
  );
}

/** @throws ArgumentError unless `value` is true or false, or left out. */
export function requireFlag(where: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new ArgumentError(`${where}: ${name} must be true or false, got ${got(value)}`);
}
