// native/ops/indexing/selection.cc: the largest of a row.
import { typed, type OpSpec } from "../spec.js";
import { distinct, uniform, value, whole, type Value } from "../value.js";

/** 1 for the k largest of every row; the first ones of equal values, as a stable sort has them. */
function topMask(x: Value, k: number): Value {
  const width = x.shape.at(-1)!;
  const mask = new Float64Array(x.data.length);
  for (let begin = 0; width > 0 && begin < x.data.length; begin += width) {
    const order = Array.from({ length: width }, (_, i) => i);
    order.sort((a, b) => x.data[begin + b]! - x.data[begin + a]!);
    for (const i of order.slice(0, k)) mask[begin + i] = 1;
  }
  return value("u8", x.shape, mask);
}

const keep = (k: number): Value => value("i32", [], [k]);
const sizes: readonly [shape: readonly number[], k: number][] = [
  [[1], 0],
  [[1], 1],
  [[0], 0],
  [[3, 0], 0],
  [[0, 4], 2],
  [[5, 4], 2],
  [[2, 3, 8], 5],
  [[7, 32], 13],
  [[3, 33], 20],
  [[2, 1000], 0],
  [[2, 1000], 1000],
  [[3, 1000], 137],
  [[9001, 4], 2],
  [[70_001], 63_001],
];

export const selections = {
  top_mask: {
    kind: "operation",
    samples: () => [
      ...sizes.map(([shape, k]) => ({ name: `${k} of [${shape.join(", ")}]`, inputs: [uniform(shape), keep(k)] })),
      { name: "no ties", inputs: [distinct([4, 250]), keep(100)] },
      { name: "ties", inputs: [ties([5, 40]), keep(17)] },
      { name: "ties in short rows", inputs: [ties([50, 8]), keep(3)] },
      { name: "all equal", inputs: [value("f32", [100], new Array<number>(100).fill(0.5)), keep(60)] },
      {
        name: "zeros of both signs, infinities and subnormal numbers",
        inputs: [value("f32", [2, 8], [0, -0, 1e-40, -1e-40, Infinity, -Infinity, 1e-38, 3e38, -0, 0, -0, 0, -1e-41, 2e-41, 1e-41, -Infinity]), keep(4)],
      },
      { name: "what is pruned already", inputs: [pruned([300], 120), keep(100)] },
    ], // prettier-ignore
    reference: ([x, k]) => [topMask(x!, k!.data[0]!)],
    tolerance: "exact",
    fused: false,
    errors: [
      {
        inputs: [typed("i32", 4), typed("i32")],
        code: "ERR_ATHANOR_DTYPE",
        message: "top_mask: takes f32, got i32; cast it first",
      },
      {
        inputs: [typed("f32"), typed("i32")],
        code: "ERR_ATHANOR_SHAPE",
        message: "top_mask: needs a dimension whose largest values it keeps",
      },
      {
        inputs: [typed("f32", 4), typed("i32", 1)],
        code: "ERR_ATHANOR_SHAPE",
        message: "top_mask: the number of values to keep must be i32 [], got i32 [1]",
      },
      {
        inputs: [uniform([2, 4]), keep(5)],
        code: "ERR_ATHANOR_ARGUMENT",
        message: "top_mask: of rows of 4 values it can keep 0 to 4, got 5",
      },
      {
        inputs: [value("f32", [2, 2], [1, 2, NaN, 3]), keep(1)],
        code: "ERR_ATHANOR_NONFINITE",
        message: "top_mask: the value at position 2 is NaN and has no rank",
      },
    ],
  },
} satisfies Record<string, OpSpec>;

/** Few different values. */
function ties(shape: readonly number[]): Value {
  return value("f32", shape, whole(shape, -2, 2).data);
}

/** -Infinity in all but `left` places. */
function pruned(shape: readonly number[], left: number): Value {
  const x = uniform(shape);
  return value("f32", shape, x.data.map((v, i) => (i < left ? v : -Infinity))); // prettier-ignore
}
