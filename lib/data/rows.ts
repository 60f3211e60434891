// Rows of an NdArray, counted along its first dimension: views of a range, copies of a selection.

import { NdArray } from "../tensor/nd-array.js";

/** Number of rows. */
export function rowCount(array: NdArray): number {
  return array.shape[0] ?? 0;
}

/** Elements in one row. */
export function rowSize(array: NdArray): number {
  return array.shape.slice(1).reduce((product, size) => product * size, 1);
}

/** Rows from `start` to before `end`, a view of the same memory. */
export function rowsOf(array: NdArray, start: number, end: number): NdArray {
  const size = rowSize(array);
  return new NdArray(
    array.data.subarray(start * size, end * size),
    [end - start, ...array.shape.slice(1)],
    array.dtype,
  );
}

/** The rows at `indices`, in that order, copied. */
export function gatherRows(array: NdArray, indices: ArrayLike<number>): NdArray {
  const size = rowSize(array);
  const Typed = array.data.constructor as new (length: number) => NdArray["data"];
  const data = new Typed(indices.length * size); // (indices, row)
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i]! * size;
    data.set(array.data.subarray(start, start + size), i * size);
  }
  return new NdArray(data, [indices.length, ...array.shape.slice(1)], array.dtype);
}
