// native/ops/movement/movement.cc: elements that move and do not change. Ranges of them are in ranges.ts.
import { typed, type OpSpec } from "../spec.js";
import { like, permute, type Value } from "../value.js";
import { draw, forTypes, inBoth, smooth } from "./moved.js";
import { ranges } from "./ranges.js";

const reshapes: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[], [1, 1]],
  [[1], []],
  [[6], [2, 3]],
  [
    [2, 3, 4],
    [-1, 6],
  ],
  [
    [2, 3, 4],
    [4, 3, 2],
  ],
  [
    [0, 3],
    [3, 0, 2],
  ],
  [
    [317, 331],
    [331, 317],
  ],
];

function resolved(x: Value, shape: readonly number[]): number[] {
  const known = shape.reduce((a, b) => (b === -1 ? a : a * b), 1);
  return shape.map((extent) => (extent === -1 ? x.data.length / known : extent));
}

const reshape: OpSpec = {
  kind: "operation",
  samples: () =>
    forTypes((dtype) =>
      reshapes.map(([from, shape]) => ({
        name: `[${from.join(", ")}] to [${shape.join(", ")}]`,
        inputs: [draw(from, dtype)],
        attrs: { shape },
      })),
    ),
  reference: ([x], { shape }) => [like(x!, x!.data, resolved(x!, shape as number[]))],
  tolerance: "exact",
  gradients: {
    inputs: [0],
    twice: false,
    samples: () => inBoth((dtype) => [{ name: "[2, 6]", inputs: [smooth(dtype, [2, 6])], attrs: { shape: [3, 4] } }]),
  },
  errors: [
    {
      inputs: [typed("f32", 2, 3)],
      attrs: { shape: [4, 2] },
      code: "ERR_ATHANOR_SHAPE",
      message: "reshape: [2, 3] has 6 elements, they do not fit [4, 2]",
    },
    {
      inputs: [typed("f32", 2, 3)],
      attrs: { shape: [-1, -1] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "reshape: expected extents of 0 or more and at most one -1, got [-1, -1]",
    },
    {
      inputs: [typed("f32", 2, 3)],
      attrs: { shape: [4, -1] },
      code: "ERR_ATHANOR_SHAPE",
      message: "reshape: [2, 3] has 6 elements, they do not fit [4, -1]",
    },
  ],
};

const orders: readonly (readonly [shape: readonly number[], order?: readonly number[]])[] = [
  [[]],
  [[5]],
  [[3, 5]],
  [
    [3, 5],
    [0, 1],
  ],
  [[1, 7]],
  [
    [2, 3, 4],
    [1, 0, 2],
  ],
  [
    [2, 3, 4],
    [-1, 0, 1],
  ],
  [
    [17, 1, 33],
    [2, 1, 0],
  ],
  [
    [2, 3, 4, 5],
    [0, 2, 1, 3],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 2, 0],
  ],
  [[0, 3]],
  [[317, 331]],
  [
    [5, 67, 4, 81],
    [0, 2, 3, 1],
  ],
];

const transpose: OpSpec = {
  kind: "operation",
  samples: () =>
    forTypes((dtype) =>
      orders.map(([shape, order]) => ({
        name: `[${shape.join(", ")}] by ${order?.join(", ") ?? "reversal"}`,
        inputs: [draw(shape, dtype)],
        attrs: order ? { order } : {},
      })),
    ),
  reference: ([x], { order }) => {
    const rank = x!.shape.length;
    const axes = (order as number[] | undefined) ?? x!.shape.map((_, axis) => rank - 1 - axis);
    return [
      permute(
        x!,
        axes.map((axis) => (axis < 0 ? axis + rank : axis)),
      ),
    ];
  },
  tolerance: "exact",
  gradients: {
    inputs: [0],
    twice: false,
    samples: () =>
      inBoth((dtype) => [{ name: "[2, 3, 2]", inputs: [smooth(dtype, [2, 3, 2])], attrs: { order: [2, 0, 1] } }]),
  },
  errors: [
    {
      inputs: [typed("f32", 2, 3)],
      attrs: { order: [0, 0] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "transpose: the order must name each of the 2 axes of [2, 3] once, got [0, 0]",
    },
    {
      inputs: [typed("f32", 2, 3)],
      attrs: { order: [0, 2] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "transpose: axis 2 is out of range for a tensor with 2 dimensions; use -2 to 1",
    },
  ],
};

export const movements = { reshape, transpose, ...ranges } as const;
