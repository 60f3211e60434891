// What `fit` and `step` both check of their options.
import { ArgumentError } from "../../errors.js";
import { spelled, uncalled } from "../../guidance/factories.js";
import { got } from "../../names/got.js";
import { BoundOptimizer, type Optimizer } from "../../optim/index.js";
import { NdArray } from "../../tensor/nd-array.js";

/** @throws ArgumentError unless `value` was made by one of `optim`. */
export function checkOptimizer(where: string, value: unknown): void {
  const shape = value as Partial<Optimizer> | null | undefined;
  if (
    value instanceof BoundOptimizer ||
    (typeof shape === "object" && shape !== null && typeof shape.rule === "string")
  )
    return;
  const instead = uncalled(value) ?? spelled("optim", value) ?? (typeof value === "function" ? "call it" : undefined);
  throw new ArgumentError(
    `${where}: optimizer must be one of optim, such as optim.adamW({ lr: 1e-3 }), got ${got(value)}${instead === undefined ? "" : `; ${instead}`}`,
  );
}

/** @throws ArgumentError unless batches can be iterated over. */
export function checkIterable(batches: unknown): void {
  const source = batches as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined;
  if (typeof (source?.[Symbol.asyncIterator] ?? source?.[Symbol.iterator]) === "function") return;
  throw new ArgumentError(
    "train.step: over takes batches to iterate over, such as an array or a generator of { x, y }; for one batch there is run",
  );
}

/** @throws ArgumentError unless it is a record of arrays. */
export function requireBatch(where: string, batch: unknown): void {
  if (typeof batch !== "object" || batch === null || Array.isArray(batch) || batch instanceof NdArray) {
    throw new ArgumentError(`${where}: expected a record of arrays such as { x, y }, got ${got(batch)}`);
  }
  for (const [name, value] of Object.entries(batch)) {
    if (value instanceof NdArray) continue;
    throw new ArgumentError(`${where}: "${name}" must be an array made by array(values, shape), got ${got(value)}`);
  }
}
