// Walking a tensor row by row along one axis, for references of softmax and norms.
import type { Value } from "../value.js";

/** Calls f with the offsets of the elements of each row along `axis`. */
export function forRows(shape: readonly number[], axis: number, f: (offsets: readonly number[]) => void): void {
  const at = axis < 0 ? axis + shape.length : axis;
  const n = shape[at]!;
  const inner = shape.slice(at + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, at).reduce((a, b) => a * b, 1);
  for (let o = 0; o < outer; ++o) {
    for (let i = 0; i < inner; ++i) f(Array.from({ length: n }, (_, k) => (o * n + k) * inner + i));
  }
}

/** The result of f for every row, set back in place. */
export function mapRows(
  operands: readonly Value[],
  axis: number,
  f: (...rows: readonly number[][]) => readonly number[],
): Value {
  const { dtype, shape } = operands[0]!;
  const data = new Float64Array(operands[0]!.data.length);
  forRows(shape, axis, (offsets) => {
    const rows = operands.map((x) => offsets.map((offset) => x.data[offset]!));
    f(...rows).forEach((y, i) => (data[offsets[i]!] = y));
  });
  return { dtype, shape, data };
}

export const total = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);

export const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, e, i) => sum + e * y[i]!, 0);

export function logSumExp(x: readonly number[]): number {
  const top = x.reduce((a, b) => Math.max(a, b), -Infinity);
  return Number.isFinite(top) ? top + Math.log(total(x.map((e) => Math.exp(e - top)))) : top;
}

export const softmax = (x: readonly number[]): number[] => {
  const top = x.reduce((a, b) => Math.max(a, b), -Infinity);
  const e = x.map((value) => Math.exp(value - top));
  const sum = total(e);
  return e.map((value) => value / sum);
};

export function logSoftmax(x: readonly number[]): number[] {
  const lse = logSumExp(x);
  return x.map((value) => value - lse);
}
