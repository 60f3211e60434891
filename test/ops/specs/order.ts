// native/ops/order.cc: running sums, sorting and the k first along an axis.
import type { DType } from "../../../lib/tensor/dtype.js";
import { typed, type OpSpec, type Reference, type Sample } from "../spec.js";
import { distinct, uniform, value, whole, type Value } from "../value.js";

type Line = (x: readonly number[]) => readonly number[];

/** `f` of every line of x along `axis`, into `extent` places. */
function alongAxis(x: Value, axis: number, extent: number, f: Line, dtype: DType = x.dtype): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const shape = x.shape.map((n, i) => (i === at ? extent : n));
  const inner = x.shape.slice(at + 1).reduce((a, b) => a * b, 1);
  const length = x.shape[at]!;
  const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
  for (let outer = 0; outer < x.shape.slice(0, at).reduce((a, b) => a * b, 1); ++outer) {
    for (let i = 0; i < inner; ++i) {
      const line = Array.from({ length }, (_, k) => x.data[(outer * length + k) * inner + i]!);
      f(line).forEach((y, k) => (data[(outer * extent + k) * inner + i] = y));
    }
  }
  return { dtype, shape, data };
}

const axisOf = ({ axis = -1 }: { axis?: unknown }) => axis as number;

const cumulative =
  (add: (a: number, b: number) => number): Reference =>
  ([x], attrs) => [
    alongAxis(x!, axisOf(attrs), x!.shape.at(axisOf(attrs))!, (line) => {
      let sum = 0;
      const order = attrs.reverse ? [...line].reverse() : line;
      const sums = order.map((each) => (sum = add(sum, each)));
      return attrs.reverse ? sums.reverse() : sums;
    }),
  ];

const sums: Reference = (inputs, attrs) =>
  cumulative(inputs[0]!.dtype === "i32" ? (a, b) => (a + b) | 0 : (a, b) => a + b)(inputs, attrs);

/** Stable, NaN above every number. */
function places(line: readonly number[], descending: boolean): number[] {
  const rank = (x: number) => (Number.isNaN(x) ? 1 : 0);
  const compare = (a: number, b: number) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
  const order = line.map((_, i) => i);
  return order.sort((i, j) => (descending ? -1 : 1) * compare(line[i]!, line[j]!) || i - j);
}

function ordered(x: Value, axis: number, taken: number, descending: boolean): Value[] {
  const first: Line = (line) => places(line, descending).slice(0, taken);
  return [
    alongAxis(x, axis, taken, (line) => first(line).map((i) => line[i]!)),
    alongAxis(x, axis, taken, first, "i32"),
  ];
}

const settings: readonly (readonly [readonly number[], number])[] = [
  [[1], 0],
  [[0], 0],
  [[7], -1],
  [[3, 0, 2], 1],
  [[0, 5], 1],
  [[5, 4], 0],
  [[5, 4], 1],
  [[2, 3, 300], 1],
  [[2, 70, 3], -2],
  [[40_001], 0],
  [[3, 9001], 1],
];

const types = ["f32", "f64", "i32"] as const;

const samples = (more: readonly Record<string, number | boolean>[]): Sample[] =>
  settings.flatMap(([shape, axis], i) =>
    types.flatMap((dtype) =>
      more.map((options) => {
        const x = dtype === "i32" || i % 2 === 1 ? whole(shape, -40, 40, dtype) : uniform(shape, -3, 3, dtype);
        const attrs = {
          axis,
          ...options,
          ...("k" in options && { k: Math.min(options.k as number, shape.at(axis)!) }),
        };
        return { name: `${dtype} [${shape.join(", ")}] ${JSON.stringify(attrs)}`, inputs: [x], attrs };
      }),
    ),
  );

const special = [NaN, 1, -0, 0, Infinity, NaN, -Infinity, 1, 0, -1];
const refused = (name: string, message: string, attrs: Record<string, number> = {}) => ({
  inputs: [typed("bf16", 2, 3)],
  attrs: { axis: 0, ...attrs },
  code: "ERR_ATHANOR_DTYPE" as const,
  message: `${name}: ${message}`,
});
const types3 = "takes f32, f64 or i32, got bf16; cast it first";

const along = (dtype: DType): Value => distinct([2, 4, 3], 0.05, dtype);

export const orders = {
  cumsum: {
    kind: "operation",
    samples: () => [
      ...samples([{}, { reverse: true }]),
      { name: "i32 wraps", inputs: [value("i32", [3], [2147483647, 1, -5])], attrs: { axis: 0 } },
    ],
    reference: sums,
    tolerance: "rows",
    gradients: {
      inputs: [0],
      samples: () =>
        (["f64", "f32"] as const).flatMap((dtype) => [
          { name: dtype, inputs: [uniform([2, 4, 3], -1, 1, dtype)], attrs: { axis: 1 } },
          { name: `${dtype}, reversed`, inputs: [uniform([3, 2], -1, 1, dtype)], attrs: { axis: 0, reverse: true } },
        ]),
      twice: false,
    },
    errors: [
      refused("cumsum", types3),
      {
        inputs: [typed("f32", 2)],
        code: "ERR_ATHANOR_ARGUMENT",
        message: 'cumsum: attribute "axis" is missing, expected a whole number',
      },
      {
        inputs: [typed("f32", 2)],
        attrs: { axis: 0, exclusive: true },
        code: "ERR_ATHANOR_ARGUMENT",
        message: 'cumsum: there is no attribute "exclusive"; it has axis, reverse',
      },
      {
        inputs: [typed("f32", 2)],
        attrs: { axis: 0.5 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "cumsum: axis must be a whole number, got 0.5",
      },
    ],
  },
  sort: {
    kind: "operation",
    samples: () => [
      ...samples([{}, { descending: true }]),
      { name: "NaN and zeros", inputs: [value("f32", [10], special)] },
      { name: "NaN and zeros, descending", inputs: [value("f64", [2, 5], special)], attrs: { descending: true } },
    ],
    reference: ([x], attrs) => ordered(x!, axisOf(attrs), x!.shape.at(axisOf(attrs))!, attrs.descending === true),
    tolerance: "exact",
    gradients: {
      inputs: [0],
      samples: () =>
        (["f64", "f32"] as const).map((dtype) => ({ name: dtype, inputs: [along(dtype)], attrs: { axis: 1 } })),
      twice: false,
    },
    errors: [refused("sort", types3)],
  },
  topk: {
    kind: "operation",
    samples: () => [
      ...samples([{ k: 3 }, { k: 1, largest: false }, { k: 0 }]),
      { name: "NaN and zeros", inputs: [value("f32", [10], special)], attrs: { k: 6 } },
      { name: "NaN and zeros, smallest", inputs: [value("f32", [10], special)], attrs: { k: 9, largest: false } },
    ],
    reference: ([x], attrs) => ordered(x!, axisOf(attrs), attrs.k as number, attrs.largest !== false),
    tolerance: "exact",
    gradients: {
      inputs: [0],
      samples: () =>
        (["f64", "f32"] as const).map((dtype) => ({ name: dtype, inputs: [along(dtype)], attrs: { axis: 1, k: 2 } })),
      twice: false,
    },
    errors: [
      refused("topk", types3, { k: 1 }),
      {
        inputs: [typed("f32", 2, 3)],
        attrs: { k: 4 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "topk: k must be at most the 3 elements of axis 1 of [2, 3], got 4",
      },
      {
        inputs: [typed("f32", 2, 3)],
        attrs: { k: -1 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "topk: k must be a whole number of 0 or more, got -1",
      },
    ],
  },
} satisfies Record<string, OpSpec>;
