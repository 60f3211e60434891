// Masks for the specs of sparse weights, and their canonical form (native/sparse/bitmap.h).
import { random, value, type Value } from "../value.js";

/** How the set elements of a mask lie: at random, in blocks, or n of m neighbours. */
export interface Pattern {
  readonly density?: number;
  readonly block?: readonly [number, number];
  readonly nm?: readonly [number, number];
  /** Every third row has none. */
  readonly emptyRows?: boolean;
}

let seeds = 1;

/** One truth value an element, row by row. */
export function maskOf(rows: number, columns: number, pattern: Pattern): boolean[] {
  const draw = random(seeds++ * 6700417);
  const mask = new Array<boolean>(rows * columns).fill(false);
  const { density = 1, block: [high, wide] = [1, 1], nm, emptyRows = false } = pattern;
  if (nm) {
    const [n, m] = nm;
    for (let row = 0; row < rows; ++row) {
      for (let k = 0; k < columns; k += m) {
        const places = Array.from({ length: Math.min(m, columns - k) }, (_, i) => [draw(), i] as const);
        for (const [, i] of places.sort((a, b) => a[0] - b[0]).slice(0, n)) mask[row * columns + k + i] = true;
      }
    }
    return mask;
  }
  const across = Math.ceil(columns / wide);
  const kept = Array.from({ length: Math.ceil(rows / high) * across }, () => draw() < density);
  for (let row = 0; row < rows; ++row) {
    if (emptyRows && row % 3 === 1) continue;
    for (let k = 0; k < columns; ++k) {
      mask[row * columns + k] = kept[Math.floor(row / high) * across + Math.floor(k / wide)]!;
    }
  }
  return mask;
}

export const nnzOf = (mask: readonly boolean[]): number => mask.filter(Boolean).length;

/** u8 [rows, ceil(columns / 8)], low bits first. */
export function bitmapOf(mask: readonly boolean[], rows: number, columns: number): Value {
  const bytes = Math.ceil(columns / 8);
  const data = new Float64Array(rows * bytes);
  mask.forEach((set, i) => {
    const [row, k] = [Math.floor(i / columns), i % columns];
    if (set) data[row * bytes + (k >> 3)]! += 1 << (k & 7);
  });
  return value("u8", [rows, bytes], data);
}
