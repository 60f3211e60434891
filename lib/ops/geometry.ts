// Windows over images: what kernel, stride, padding and dilation may be written as, and the lists that the engine takes.
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";

/** One number for both directions, or [height, width]. */
export type Pair = number | readonly [height: number, width: number];

/**
 * Zeros around an image: a number for all sides, [height, width] for both sides of each, [top, bottom, left, right], "valid" for
 * none, or "same" for an output of ⌈input / stride⌉ (the odd one goes to the bottom and right).
 */
export type Padding = "same" | "valid" | Pair | readonly [top: number, bottom: number, left: number, right: number];

/** A window as the engine reads it. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
}

const isCount = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && (value as number) >= least;

// Short lists of numbers are worth seeing as they are.
const shown = (value: unknown): string =>
  Array.isArray(value) && value.length < 6 && value.every((item) => typeof item === "number")
    ? `[${value.join(", ")}]`
    : got(value);

/** [height, width] of a pair. @throws ArgumentError */
export function pairOf(where: string, name: string, pair: Pair): readonly [number, number] {
  const both: readonly number[] = typeof pair === "number" ? [pair, pair] : pair;
  if (Array.isArray(both) && both.length === 2 && both.every((value) => isCount(value, 1))) return [both[0]!, both[1]!];
  throw new ArgumentError(
    `${where}: ${name} must be a whole number from 1 on, or two of them [height, width], got ${shown(pair)}`,
  );
}

/** Checks a padding without knowing the image. @throws ArgumentError */
export function checkPadding(where: string, padding: Padding): Padding {
  if (padding === "same" || padding === "valid" || isCount(padding, 0)) return padding;
  const sides = Array.isArray(padding) ? (padding as readonly unknown[]) : [];
  if ((sides.length === 2 || sides.length === 4) && sides.every((value) => isCount(value, 0))) return padding;
  const lower = typeof padding === "string" ? (padding as string).toLowerCase() : "";
  const near = lower === "same" || lower === "valid" ? `; write "${lower}"` : "";
  throw new ArgumentError(
    `${where}: padding must be "same", "valid", a whole number from 0 on, [height, width] or [top, bottom, left, right], got ${shown(padding)}${near}`,
  );
}

/** [top, bottom, left, right] for an image of [height, width]. @throws ArgumentError */
export function sidesOf(where: string, padding: Padding, image: readonly number[], window: Window): number[] {
  checkPadding(where, padding);
  if (padding === "valid") return [0, 0, 0, 0];
  if (padding === "same") return [0, 1].flatMap((axis) => sameSides(image[axis]!, window, axis));
  if (typeof padding === "number") return [padding, padding, padding, padding];
  return padding.length === 4 ? [...padding] : [padding[0], padding[0], padding[1], padding[1]];
}

function sameSides(extent: number, { kernel, stride, dilation }: Window, axis: number): [number, number] {
  const step = stride[axis]!;
  const covered = (Math.ceil(extent / step) - 1) * step + dilation[axis]! * (kernel[axis]! - 1) + 1;
  const total = Math.max(0, covered - extent);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}
