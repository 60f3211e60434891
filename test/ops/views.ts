// Operands that reach an operation as views of something else: fed in another layout and brought back inside the graph.
import type { Tensor } from "../../lib/tensor/index.js";
import { countOf, indices, permute, stridesOf, type Value } from "./value.js";

export interface View {
  readonly name: string;
  /** What is fed instead of the value. */
  readonly fed: (value: Value) => Value;
  /** The value again, inside the graph. */
  readonly read: (fed: Tensor, value: Value) => Tensor;
}

const reversed = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => rank - 1 - axis);

/** Every axis with two elements of rubbish before each of its own, one after. */
function scattered(x: Value): Value {
  const shape = x.shape.map((extent) => 2 * extent + 3);
  const rubbish = x.dtype === "f32" || x.dtype === "f64" || x.dtype === "bf16" ? NaN : 1;
  const data = new Float64Array(countOf(shape)).fill(rubbish);
  const strides = stridesOf(shape);
  let at = 0;
  for (const index of indices(x.shape)) {
    data[index.reduce((offset, i, axis) => offset + (2 * i + 2) * strides[axis]!, 0)] = x.data[at++]!;
  }
  return { dtype: x.dtype, shape, data };
}

export const views: readonly View[] = [
  {
    name: "transposed operands",
    fed: (x) => permute(x, reversed(x.shape.length)),
    read: (fed) => (fed.rank < 2 ? fed : fed.transpose(reversed(fed.rank))),
  },
  {
    name: "strided slices as operands",
    fed: scattered,
    read: (fed, x) =>
      x.shape.length === 0 ? fed : fed.slice(...x.shape.map((extent) => [2, 2 + 2 * extent, 2] as const)),
  },
  {
    name: "reversed slices as operands",
    fed: (x) => ({ ...x, data: x.data.slice().reverse() }),
    read: (fed, x) => fed.slice(...x.shape.map((extent) => [extent - 1, -extent - 1, -1] as const)),
  },
];
