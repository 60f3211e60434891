// native/ops/reduce/reduce.cc: reductions over any set of axes, and the index of an extremum along one.
import type { NativeAttrs } from "../../../lib/native/index.js";
import type { DType } from "../../../lib/tensor/dtype.js";
import type { ToleranceClass } from "../../tolerances.js";
import { typed, type OpSpec, type Refusal, type Sample } from "../spec.js";
import { countOf, distinct, indices, uniform, value, whole, type Value } from "../value.js";

function reducedAxes(x: Value, attrs: NativeAttrs): Set<number> {
  const rank = x.shape.length;
  const axes = (attrs.axes as readonly number[] | undefined) ?? x.shape.map((_, axis) => axis);
  return new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
}

/** Folds the elements that meet in each element of the result. */
function reduce(x: Value, attrs: NativeAttrs, fold: (elements: readonly number[]) => number): Value {
  const reduced = reducedAxes(x, attrs);
  const kept = x.shape.map((extent, axis) => (reduced.has(axis) ? 1 : extent));
  const groups = Array.from({ length: countOf(kept) }, (): number[] => []);
  let at = 0;
  for (const index of indices(x.shape)) {
    let offset = 0;
    for (let axis = 0; axis < kept.length; ++axis)
      offset = offset * kept[axis]! + (reduced.has(axis) ? 0 : index[axis]!);
    groups[offset]!.push(x.data[at++]!);
  }
  const shape = attrs.keep === true ? kept : kept.filter((_, axis) => !reduced.has(axis));
  return { dtype: x.dtype, shape, data: Float64Array.from(groups, fold) };
}

const layouts: readonly { shape: readonly number[]; axes?: readonly number[]; keep?: boolean }[] = [
  { shape: [] },
  { shape: [1] },
  { shape: [37] },
  { shape: [5, 7], axes: [0] },
  { shape: [5, 7], axes: [-1], keep: true },
  { shape: [5, 7], axes: [] },
  { shape: [3, 1, 5], axes: [1] },
  { shape: [3, 4, 5], axes: [0, 2] },
  { shape: [3, 4, 5], axes: [1] },
  { shape: [3, 4, 5, 6], axes: [0, 2], keep: true },
  { shape: [3, 4, 5, 6], axes: [1, 3] },
  { shape: [2, 3, 2, 3, 2], axes: [0, 2, 4] },
  { shape: [2, 3, 2, 3, 2, 2], axes: [0, 2, 4] },
  { shape: [1, 4097], axes: [1] },
  { shape: [4097, 3], axes: [0] },
  { shape: [33, 129], axes: [0] },
];

const empty: readonly { shape: readonly number[]; axes: readonly number[] }[] = [
  { shape: [0, 3], axes: [1] },
  { shape: [3, 0, 2], axes: [0] },
];

const emptied: readonly { shape: readonly number[]; axes?: readonly number[] }[] = [
  { shape: [0] },
  { shape: [0, 3], axes: [0] },
  { shape: [2, 0, 3], axes: [1, 2] },
];

const large: readonly { shape: readonly number[]; axes?: readonly number[] }[] = [
  { shape: [100_003] },
  { shape: [317, 331], axes: [0] },
  { shape: [317, 331], axes: [1] },
  { shape: [7, 11, 37, 41], axes: [0, 2, 3] },
];

function samplesOf(dtypes: readonly DType[], alsoEmptied: boolean, special: readonly Sample[]): Sample[] {
  const draw = (shape: readonly number[], dtype: DType) =>
    dtype === "i32" ? whole(shape, -1000, 1000) : uniform(shape, -2, 2, dtype);
  return dtypes.flatMap((dtype) => [
    ...[...layouts, ...empty, ...(alsoEmptied ? emptied : []), ...(dtype === "f32" ? large : [])].map(
      ({ shape, ...attrs }): Sample => ({
        name: `${dtype} [${shape.join(", ")}] ${JSON.stringify(attrs)}`,
        inputs: [draw(shape, dtype)],
        attrs,
      }),
    ),
    ...special.filter(({ inputs }) => inputs[0]!.dtype === dtype),
  ]);
}

const refusals = (name: string, kinds: string): Refusal[] => [
  {
    inputs: [typed("bool", 2)],
    code: "ERR_ATHANOR_DTYPE",
    message: `${name}: takes ${kinds}, got bool; cast it first`,
  },
  {
    inputs: [typed("f32", 2, 3)],
    attrs: { axes: [2] },
    code: "ERR_ATHANOR_ARGUMENT",
    message: `${name}: axis 2 is out of range for a tensor with 2 dimensions; use -2 to 1`,
  },
  {
    inputs: [typed("f32")],
    attrs: { axes: [0] },
    code: "ERR_ATHANOR_ARGUMENT",
    message: `${name}: axis 0 is out of range for a tensor with 0 dimensions; use no axis on a scalar`,
  },
  {
    inputs: [typed("f32", 2, 3)],
    attrs: { axes: [1, -1] },
    code: "ERR_ATHANOR_ARGUMENT",
    message: `${name}: axis 1 is given twice`,
  },
];

const gradientShapes: readonly { axes?: readonly number[]; keep?: boolean }[] = [
  {},
  { axes: [1] },
  { axes: [0, 2], keep: true },
];

interface Reduction {
  readonly fold: (elements: readonly number[]) => number;
  readonly dtypes: readonly DType[];
  readonly tolerance: ToleranceClass;
  readonly ofNothing: boolean;
  readonly twice: boolean;
  readonly special?: readonly Sample[];
}

const reduction = (name: string, r: Reduction): OpSpec => ({
  kind: "operation",
  samples: () => samplesOf(r.dtypes, r.ofNothing, r.special ?? []),
  reference: ([x], attrs) => {
    const y = reduce(x!, attrs, r.fold);
    return [y.dtype === "i32" ? { ...y, data: y.data.map((e) => e | 0) } : y];
  },
  tolerance: r.tolerance,
  gradients: {
    inputs: [0],
    twice: r.twice,
    samples: () =>
      (["f64", "f32"] as const).flatMap((dtype) =>
        gradientShapes.map((attrs) => ({
          name: `${dtype} ${JSON.stringify(attrs)}`,
          inputs: [distinct([2, 3, 4], 0.1, dtype)],
          attrs,
        })),
      ),
  },
  errors: [
    ...refusals(name, `f32 or f64${r.dtypes.includes("i32") ? " or i32" : ""}`),
    ...(r.ofNothing
      ? []
      : [
          {
            inputs: [typed("f32", 0, 3)],
            attrs: { axes: [0] },
            code: "ERR_ATHANOR_SHAPE" as const,
            message: `${name}: there is no ${name} of no elements, got [0, 3]`,
          },
        ]),
  ],
});

const nonfinite: readonly Sample[] = [
  { name: "NaN wins", inputs: [value("f32", [2, 3], [1, NaN, 3, -Infinity, 0, Infinity])], attrs: { axes: [1] } },
  {
    name: "NaN wins in a long row",
    inputs: [
      value(
        "f32",
        [100],
        Array.from({ length: 100 }, (_, i) => (i === 57 ? NaN : i)),
      ),
    ],
  },
  { name: "infinities", inputs: [value("f64", [2, 2], [-Infinity, -Infinity, Infinity, 1])], attrs: { axes: [1] } },
  { name: "signed zeros", inputs: [value("f32", [2], [-0, 0])] },
];

const wraps: readonly Sample[] = [{ name: "i32 wraps", inputs: [value("i32", [3], [2147483647, 1, 5])] }];

const total = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);

/** Index of the first element that no other beats; NaN beats all. */
function argOf(better: (a: number, b: number) => boolean) {
  return (x: readonly number[]): number => {
    let best = 0;
    for (let i = 1; i < x.length; ++i) {
      if (!Number.isNaN(x[best]) && (Number.isNaN(x[i]) || better(x[i]!, x[best]!))) best = i;
    }
    return best;
  };
}

const alongShapes: readonly (readonly [readonly number[], number])[] = [
  [[1], 0],
  [[9], -1],
  [[5, 7], 0],
  [[5, 7], 1],
  [[3, 4, 5], 1],
  [[0, 3], 1],
  [[2, 1, 3], 1],
  [[317, 331], 0],
  [[317, 331], 1],
  [[3, 40_001], 1],
];

const arg = (name: string, better: (a: number, b: number) => boolean): OpSpec => ({
  kind: "operation",
  samples: () => [
    ...(["f32", "f64", "i32"] as const).flatMap((dtype) =>
      alongShapes.flatMap(([shape, axis]) =>
        [false, true].map((keep) => ({
          name: `${dtype} [${shape.join(", ")}] axis ${axis}${keep ? ", kept" : ""}`,
          inputs: [whole(shape, -20, 20, dtype)], // ties
          attrs: { axis, keep },
        })),
      ),
    ),
    { name: "NaN wins", inputs: [value("f32", [2, 4], [1, NaN, 3, NaN, -Infinity, 2, Infinity, Infinity])] },
  ],
  reference: ([x], { axis = -1, keep }) => [
    { ...reduce(x!, { axes: [axis as number], keep }, argOf(better)), dtype: "i32" },
  ],
  fused: false,
  tolerance: "exact",
  errors: [
    {
      inputs: [typed("u8", 3)],
      code: "ERR_ATHANOR_DTYPE",
      message: `${name}: takes f32, f64 or i32, got u8; cast it first`,
    },
    {
      inputs: [typed("f32", 3, 0)],
      code: "ERR_ATHANOR_SHAPE",
      message: `${name}: axis 1 of [3, 0] has no elements`,
    },
    {
      inputs: [typed("f32", 3)],
      attrs: { axis: 1 },
      code: "ERR_ATHANOR_ARGUMENT",
      message: `${name}: axis 1 is out of range for a tensor with 1 dimensions; use -1 to 0`,
    },
  ],
});

const all: readonly DType[] = ["f32", "f64", "i32"];

export const reductions = {
  sum: reduction("sum", {
    fold: total,
    dtypes: all,
    tolerance: "dot",
    ofNothing: true,
    twice: true,
    special: [...nonfinite, ...wraps],
  }),
  mean: reduction("mean", {
    fold: (x) => total(x) / x.length,
    dtypes: ["f32", "f64"],
    tolerance: "dot",
    ofNothing: true,
    twice: true,
    special: nonfinite,
  }),
  max: reduction("max", {
    fold: (x) => x.reduce((a, b) => Math.max(a, b), -Infinity),
    dtypes: all,
    tolerance: "exact",
    ofNothing: false,
    twice: false,
    special: nonfinite,
  }),
  min: reduction("min", {
    fold: (x) => x.reduce((a, b) => Math.min(a, b), Infinity),
    dtypes: all,
    tolerance: "exact",
    ofNothing: false,
    twice: false,
    special: nonfinite,
  }),
  argmax: arg("argmax", (a, b) => a > b),
  argmin: arg("argmin", (a, b) => a < b),
} as const;
