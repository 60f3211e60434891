// Comparison with stored float64 results.
import type { NdArray } from "../../lib/tensor/index.js";
import type { GoldenTensor } from "./read.js";

/** Largest |got − want|, as a share of the largest |want|; Infinity for another shape or where one of them is no number. */
export function distance(got: NdArray, want: GoldenTensor): number {
  if (got.shape.join() !== want.shape.join()) return Infinity;
  let [off, scale] = [0, 0];
  for (let i = 0; i < want.data.length; i++) {
    const difference = Math.abs(got.data[i]! - want.data[i]!);
    if (!(difference <= off)) off = Number.isNaN(difference) ? Infinity : difference;
    scale = Math.max(scale, Math.abs(want.data[i]!));
  }
  return off === 0 ? 0 : off / scale;
}
