// native/ops/indexing/indexing.cc: reading and adding by index.
import type { NativeAttrs } from "../../../lib/native/index.js";
import type { DType } from "../../../lib/tensor/dtype.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import { countOf, indices, like, stridesOf, uniform, value, whole, type Value } from "../value.js";

const types: readonly DType[] = ["f32", "f64", "i32", "u8", "bf16"];
const draw = (shape: readonly number[], dtype: DType): Value => whole(shape, 0, 100, dtype);

function embed(table: Value, index: Value): Value {
  const width = table.shape[1]!;
  const data = Float64Array.from(index.data).reduce(
    (y, row, i) => {
      y.set(table.data.subarray(row * width, (row + 1) * width), i * width);
      return y;
    },
    new Float64Array(index.data.length * width),
  );
  return like(table, data, [...index.shape, width]);
}

function embedGrad(dy: Value, index: Value, rows: number): Value {
  const width = dy.shape.at(-1)!;
  const dx = new Float64Array(rows * width);
  index.data.forEach((row, i) => {
    for (let k = 0; k < width; ++k) dx[row * width + k]! += dy.data[i * width + k]!;
  });
  return like(dy, dx, [rows, width]);
}

const tables: readonly { rows: number; width: number; index: readonly number[]; kind?: DType }[] = [
  { rows: 1, width: 1, index: [] },
  { rows: 5, width: 3, index: [7] },
  { rows: 5, width: 3, index: [2, 4], kind: "u8" },
  { rows: 9, width: 17, index: [0] },
  { rows: 3, width: 0, index: [4] },
  { rows: 1003, width: 65, index: [31, 53] },
];

const axisOf = (attrs: NativeAttrs, rank: number): number => {
  const axis = attrs.axis as number;
  return axis < 0 ? axis + rank : axis;
};

/** The offset in `shape` of the index vector with its axis replaced. */
function replaced(shape: readonly number[], vector: readonly number[], axis: number, by: number): number {
  const strides = stridesOf(shape);
  return vector.reduce((offset, i, k) => offset + (k === axis ? by : i) * strides[k]!, 0);
}

function gatherAlong(x: Value, index: Value, attrs: NativeAttrs): Value {
  const axis = axisOf(attrs, x.shape.length);
  const data = new Float64Array(index.data.length);
  let at = 0;
  for (const vector of indices(index.shape)) {
    data[at] = x.data[replaced(x.shape, vector, axis, index.data[at]!)]!;
    ++at;
  }
  return like(x, data, index.shape);
}

function scatterAlong(y: Value, index: Value, x: Value, attrs: NativeAttrs): Value {
  const axis = axisOf(attrs, y.shape.length);
  const data = y.data.slice();
  let at = 0;
  for (const vector of indices(index.shape)) {
    data[replaced(y.shape, vector, axis, index.data[at]!)]! += x.data[at]!;
    ++at;
  }
  return like(y, y.dtype === "i32" ? data.map((e) => e | 0) : data);
}

const alongs: readonly { x: readonly number[]; index: readonly number[]; axis: number; kind?: DType }[] = [
  { x: [5], index: [3], axis: 0 },
  { x: [5], index: [9], axis: -1, kind: "u8" },
  { x: [4, 5], index: [6, 5], axis: 0 },
  { x: [4, 5], index: [3, 2], axis: 1 },
  { x: [3, 4, 5], index: [2, 7, 5], axis: 1 },
  { x: [3, 4], index: [0, 4], axis: 0 },
  { x: [317, 331], index: [400, 331], axis: 0 },
  { x: [317, 331], index: [317, 333], axis: 1 },
];

const alongName = ({ x, index, axis }: (typeof alongs)[number]): string =>
  `[${x.join(", ")}] by [${index.join(", ")}] along ${axis}`;

const both = ["f64", "f32"] as const;

export const indexings = {
  embedding: {
    kind: "operation",
    samples: () =>
      types.flatMap((dtype) =>
        tables.map(({ rows, width, index, kind = "i32" }) => ({
          name: `${dtype} [${rows}, ${width}] at [${index.join(", ")}]`,
          inputs: [draw([rows, width], dtype), whole(index, 0, rows, kind)],
        })),
      ),
    reference: ([table, index]) => [embed(table!, index!)],
    tolerance: "exact",
    gradients: {
      inputs: [0],
      twice: false,
      samples: () => both.map((dtype) => ({ name: dtype, inputs: [uniform([4, 3], -1, 1, dtype), whole([6], 0, 4)] })),
    },
    errors: [
      {
        inputs: [typed("f32", 4, 3), typed("f32", 2)],
        code: "ERR_ATHANOR_DTYPE",
        message: "embedding: indices must be i32 or u8, got f32; cast them to i32",
      },
      {
        inputs: [typed("f32", 4), typed("i32", 2)],
        code: "ERR_ATHANOR_SHAPE",
        message: "embedding: the table must be [rows, width], got [4]",
      },
      {
        inputs: [uniform([4, 3]), value("i32", [3], [0, 4, -1])],
        code: "ERR_ATHANOR_ARGUMENT",
        message: "embedding: index 4 at position 1 is out of range, expected 0 to 3 (and 1 more like it)",
      },
    ],
  },
  embedding_grad: {
    kind: "operation",
    samples: () =>
      both.flatMap((dtype) =>
        tables.map(({ rows, width, index, kind = "i32" }) => ({
          name: `${dtype} [${rows}, ${width}] at [${index.join(", ")}]`,
          inputs: [uniform([...index, width], -1, 1, dtype), whole(index, 0, rows, kind)],
          attrs: { rows },
        })),
      ),
    reference: ([dy, index], { rows }) => [embedGrad(dy!, index!, rows as number)],
    tolerance: "dot",
    gradients: {
      inputs: [0],
      twice: false,
      samples: () =>
        both.map((dtype) => ({
          name: dtype,
          inputs: [uniform([6, 3], -1, 1, dtype), whole([6], 0, 4)],
          attrs: { rows: 4 },
        })),
    },
  },
  gather: {
    kind: "operation",
    samples: () =>
      types.flatMap((dtype) =>
        alongs.map((layout): Sample => {
          const { x, index, axis, kind = "i32" } = layout;
          return {
            name: `${dtype} ${alongName(layout)}`,
            inputs: [draw(x, dtype), whole(index, 0, x.at(axis)!, kind)],
            attrs: { axis },
          };
        }),
      ),
    reference: ([x, index], attrs) => [gatherAlong(x!, index!, attrs)],
    tolerance: "exact",
    gradients: {
      inputs: [0],
      twice: false,
      samples: () =>
        both.map((dtype) => ({
          name: dtype,
          inputs: [uniform([4, 3], -1, 1, dtype), whole([5, 3], 0, 4)],
          attrs: { axis: 0 },
        })),
    },
    errors: [
      {
        inputs: [typed("f32", 4, 3), typed("i32", 4)],
        attrs: { axis: 0 },
        code: "ERR_ATHANOR_SHAPE",
        message:
          "gather: the index must have x's rank and nowhere but along axis 0 be larger, got x [4, 3] and index [4]",
      },
      {
        inputs: [typed("f32", 4, 3), typed("i32", 4, 4)],
        attrs: { axis: 0 },
        code: "ERR_ATHANOR_SHAPE",
        message:
          "gather: the index must have x's rank and nowhere but along axis 0 be larger, got x [4, 3] and index [4, 4]",
      },
      {
        inputs: [uniform([3]), value("i32", [2], [2, 3])],
        attrs: { axis: 0 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "gather: index 3 at position 1 is out of range, expected 0 to 2",
      },
    ],
  },
  scatter_add: {
    kind: "operation",
    samples: () =>
      (["f32", "f64", "i32"] as const).flatMap((dtype) =>
        alongs.map((layout): Sample => {
          const { x, index, axis, kind = "i32" } = layout;
          const values = (shape: readonly number[]) =>
            dtype === "i32" ? whole(shape, -50, 50) : uniform(shape, -1, 1, dtype);
          return {
            name: `${dtype} ${alongName(layout)}`,
            inputs: [values(x), whole(index, 0, x.at(axis)!, kind), values(index)],
            attrs: { axis },
          };
        }),
      ),
    reference: ([y, index, x], attrs) => [scatterAlong(y!, index!, x!, attrs)],
    tolerance: "dot",
    gradients: {
      inputs: [0, 2],
      twice: false,
      samples: () =>
        both.map((dtype) => ({
          name: dtype,
          inputs: [uniform([4, 3], -1, 1, dtype), whole([5, 3], 0, 4), uniform([5, 3], -1, 1, dtype)],
          attrs: { axis: 0 },
        })),
    },
    errors: [
      {
        inputs: [typed("u8", 3), typed("i32", 3), typed("u8", 3)],
        attrs: { axis: 0 },
        code: "ERR_ATHANOR_DTYPE",
        message:
          "scatter_add: takes y, an index of y's rank and x like the index (f32, f64 or i32), got u8 [3], i32 [3] and u8 [3]",
      },
      {
        inputs: [typed("f32", 3), typed("i32", 3), typed("f32", 2)],
        attrs: { axis: 0 },
        code: "ERR_ATHANOR_SHAPE",
        message:
          "scatter_add: takes y, an index of y's rank and x like the index (f32, f64 or i32), got f32 [3], i32 [3] and f32 [2]",
      },
      {
        inputs: [uniform([3]), value("i32", [2], [-1, 0]), uniform([2])],
        attrs: { axis: 0 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "scatter_add: index -1 at position 0 is out of range, expected 0 to 2",
      },
    ],
  },
  one_hot: {
    kind: "operation",
    samples: () =>
      (["f32", "f64", "i32", "u8", "bool"] as const).flatMap((dtype) =>
        (
          [
            [[], 1],
            [[5], 7],
            [[2, 3], 4],
            [[0], 3],
            [[1031], 101],
          ] as const
        ).map(([shape, classes]) => ({
          name: `${dtype} [${shape.join(", ")}] of ${classes}`,
          inputs: [whole(shape, 0, classes, countOf(shape) === 6 ? "u8" : "i32")],
          attrs: { classes, dtype },
        })),
      ),
    reference: ([index], attrs) => {
      const classes = attrs.classes as number;
      const data = new Float64Array(index!.data.length * classes);
      index!.data.forEach((label, i) => (data[i * classes + label] = 1));
      return [{ dtype: attrs.dtype as DType, shape: [...index!.shape, classes], data }];
    },
    tolerance: "exact",
    errors: [
      {
        inputs: [typed("f32", 3)],
        attrs: { classes: 3 },
        code: "ERR_ATHANOR_DTYPE",
        message: "one_hot: indices must be i32 or u8, got f32; cast them to i32",
      },
      {
        inputs: [typed("i32", 3)],
        attrs: { classes: 0 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "one_hot: classes must be a whole number of 1 or more, got 0",
      },
      {
        inputs: [typed("i32", 2)],
        attrs: { classes: 2, dtype: "bf16" },
        code: "ERR_ATHANOR_DTYPE",
        message: "one_hot: makes no bf16; make f32 and cast it after",
      },
      {
        inputs: [value("i32", [2], [0, 3])],
        attrs: { classes: 3 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "one_hot: index 3 at position 1 is out of range, expected 0 to 2",
      },
    ],
  },
} as const satisfies Record<string, OpSpec>;
