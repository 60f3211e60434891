// Checks that several operations share.
import { ArgumentError, nearestName } from "../errors.js";
import { uncalled } from "../guidance/factories.js";
import { got } from "../names/got.js";
import { NdArray } from "../tensor/nd-array.js";
import { Parameter } from "../tensor/parameter.js";
import { inF32 } from "../tensor/dtype.js";
import { Tensor } from "../tensor/tensor.js";

/** What an operation takes beside its first tensor: anything that has a shape. */
export type Weight = Tensor | Parameter | NdArray;

/** @throws ArgumentError unless `value` is a tensor of a trace. */
export function requireTensor(where: string, name: string, value: unknown): asserts value is Tensor {
  if (value instanceof Tensor) return;
  throw new ArgumentError(`${where}: ${name} must be a Tensor, got ${got(value)}${tensorInstead(value)}`);
}

function tensorInstead(value: unknown): string {
  const made = uncalled(value);
  if (made !== undefined) return `; ${made}`;
  const inside = "wrap the call in compile((x) => …) and run that with an array";
  if (value instanceof NdArray || value instanceof Parameter) return `; ${inside}`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return `; make it array(values, shape), and ${inside}`;
  return "";
}

/** @throws ArgumentError unless `value` is a number within [low, high]. */
export function requireWithin(where: string, name: string, value: unknown, low: number, high: number): void {
  if (typeof value === "number" && value >= low && value <= high) return;
  throw new ArgumentError(`${where}: ${name} must be from ${low} to ${high}, got ${got(value)}`);
}

/** @throws ArgumentError unless `value` is a number above 0, in f32 as well. */
export function requireAboveZero(where: string, name: string, value: unknown): void {
  const isGiven = typeof value === "number" && value > 0 && value < Infinity;
  if (isGiven && inF32(value) > 0 && inF32(value) < Infinity) return;
  const rounded = isGiven ? `, which is ${inF32(value)} in f32` : "";
  throw new ArgumentError(`${where}: ${name} must be a number above 0, got ${got(value)}${rounded}`);
}

/** @throws ArgumentError unless `value` is a whole number from `least` on. */
export function requireCount(where: string, name: string, value: unknown, least = 1): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new ArgumentError(`${where}: ${name} must be a whole number from ${least} on, got ${got(value)}`);
}

/** A way to write one of several words. @throws ArgumentError */
export function requireOneOf(where: string, name: string, value: unknown, known: readonly string[]): void {
  if (known.includes(value as string)) return;
  const words = known.map((word) => `"${word}"`).join(", ");
  const near = typeof value === "string" ? nearestName(value, known) : undefined;
  const way = near === undefined ? "" : `; write "${near}"`;
  throw new ArgumentError(`${where}: ${name} must be one of ${words}, got ${got(value)}${way}`);
}
