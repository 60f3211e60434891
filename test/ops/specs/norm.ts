// native/ops/norm/norm.cc: layer and RMS norm of rows, batch norm of channels, and their gradients.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import { uniform, value, type Value } from "../value.js";
import { dot, total } from "./rows.js";

const f32 = (shape: readonly number[], data: ArrayLike<number>): Value => ({
  dtype: "f32",
  shape,
  data: Float64Array.from(data),
});

/** Groups of elements that are normalized together, each with the index of its weight: rows, or channels. */
interface Groups {
  /** Offsets of every group's elements. */
  readonly offsets: readonly (readonly number[])[];
  /** Which weight element k of group g takes. */
  readonly weight: (g: number, k: number) => number;
  readonly shape: readonly number[];
}

function rowsOf({ shape }: Value): Groups {
  const n = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return {
    offsets: Array.from({ length: rows }, (_, r) => Array.from({ length: n }, (_, k) => r * n + k)),
    weight: (_, k) => k,
    shape: shape.slice(0, -1),
  };
}

function channelsOf({ shape }: Value): Groups {
  const [N, C] = shape as [number, number];
  const L = shape.slice(2).reduce((a, b) => a * b, 1);
  const offsets = Array.from({ length: C }, (_, c) =>
    Array.from({ length: N * L }, (_, k) => (Math.floor(k / L) * C + c) * L + (k % L)),
  );
  return { offsets, weight: (g) => g, shape: [C] };
}

const mean = (x: readonly number[]): number => total(x) / x.length;
function variance(x: readonly number[]): number {
  const centre = mean(x);
  return mean(x.map((e) => (e - centre) ** 2));
}

/** w (x - mean) / σ + b over groups; RMS norm is the same without mean and bias. */
function normalize(
  groups: Groups,
  x: Value,
  w: Value,
  b: Value | undefined,
  eps: number,
): { y: Value; means: number[]; variances: number[]; inverse: number[] } {
  const y = new Float64Array(x.data.length);
  const rows = groups.offsets.map((offsets) => offsets.map((offset) => x.data[offset]!));
  const means = rows.map((row) => (b ? mean(row) : 0));
  const variances = rows.map((row) => (b ? variance(row) : mean(row.map((e) => e * e))));
  const inverse = variances.map((v) => 1 / Math.sqrt(v + eps));
  groups.offsets.forEach((offsets, g) => {
    offsets.forEach((offset, k) => {
      const at = groups.weight(g, k);
      y[offset] = (x.data[offset]! - means[g]!) * inverse[g]! * w.data[at]! + (b?.data[at] ?? 0);
    });
  });
  return { y: f32(x.shape, y), means, variances, inverse };
}

/** From dx̂ = w dy: dx = (dx̂ - mean(dx̂) - x̂ mean(dx̂ x̂)) / σ, the mean of dx̂ only where one was taken off. */
function normalizeGrad(groups: Groups, [x, w, means, inverse, dy]: readonly Value[], centred: boolean): Value[] {
  const dx = new Float64Array(x!.data.length);
  const dw = new Float64Array(w!.data.length);
  const db = new Float64Array(w!.data.length);
  groups.offsets.forEach((offsets, g) => {
    const xhat = offsets.map((offset) => (x!.data[offset]! - (centred ? means!.data[g]! : 0)) * inverse!.data[g]!);
    const dxhat = offsets.map((offset, k) => dy!.data[offset]! * w!.data[groups.weight(g, k)]!);
    const [a, b] = [centred ? mean(dxhat) : 0, dot(dxhat, xhat) / xhat.length];
    offsets.forEach((offset, k) => {
      dx[offset] = inverse!.data[g]! * (dxhat[k]! - a - xhat[k]! * b);
      dw[groups.weight(g, k)]! += dy!.data[offset]! * xhat[k]!;
      db[groups.weight(g, k)]! += dy!.data[offset]!;
    });
  });
  return [f32(x!.shape, dx), f32(w!.shape, dw), ...(centred ? [f32(w!.shape, db)] : [])];
}

const epsOf = (attrs: NativeAttrs, usual: number): number => (attrs.eps as number | undefined) ?? usual;

const rowShapes: readonly (readonly number[])[] = [[5], [3, 7], [2, 3, 33], [0, 5], [4, 1], [9, 64], [131, 1001]];
const batchShapes: readonly (readonly number[])[] = [
  [5, 3],
  [1, 2, 7],
  [4, 3, 5, 6],
  [2, 1, 3, 3],
  [3, 0, 2, 2],
  [7, 9, 41, 43],
];

/** `far`: a mean of so much beside a deviation of 1.15. Batch norm is x scale + shift, which loses as many ulp of its result. */
const samplesOf = (shapes: readonly (readonly number[])[], axis: number, vectors: number, far = 100): Sample[] => [
  ...shapes.map((shape) => ({
    name: `[${shape.join(", ")}]`,
    inputs: [uniform(shape, -2, 4), ...Array.from({ length: vectors }, () => uniform([shape.at(axis)!]))],
  })),
  {
    name: "a wide eps",
    inputs: [uniform([4, 6]), ...Array.from({ length: vectors }, () => uniform([6]))],
    attrs: { eps: 0.5 },
  },
  {
    name: "far from 0",
    inputs: [uniform([40, 40], far - 2, far + 2), ...Array.from({ length: vectors }, () => uniform([40]))],
  },
];

/** The operands of a gradient: x, weight, statistics as the forward kernel leaves them, dy. */
function gradSamplesOf(
  samples: readonly Sample[],
  groupsOf: (x: Value) => Groups,
  centred: boolean,
  eps: number,
): Sample[] {
  return (
    samples
      // There, and for rows of one element, dx is what is left of terms a million times larger.
      .filter(({ name }) => name !== "far from 0" && name !== "[4, 1]")
      .map(({ name, inputs: [x, w], attrs = {} }) => {
        const groups = groupsOf(x!);
        const { means, inverse } = normalize(groups, x!, w!, centred ? w! : undefined, epsOf(attrs, eps));
        const statistics = [
          ...(centred ? [value("f32", groups.shape, means)] : []),
          value("f32", groups.shape, inverse),
        ];
        return { name, inputs: [x!, w!, ...statistics, uniform(x!.shape)], attrs };
      })
  );
}

const smooth = (shape: readonly number[], axis: number, vectors: number) => (): Sample[] => [
  {
    name: `[${shape.join(", ")}]`,
    inputs: [uniform(shape), ...Array.from({ length: vectors }, () => uniform([shape.at(axis)!], 0.5, 2))],
  },
];

const vectorMessage = (name: string, what: string): string =>
  `${name}: ${what} must be f32 [3] for an input [2, 3], got f32 [2]`;

export const norms = {
  layer_norm: {
    kind: "operation",
    samples: () => samplesOf(rowShapes, -1, 2),
    reference: ([x, w, b], attrs) => {
      const groups = rowsOf(x!);
      const { y, means, inverse } = normalize(groups, x!, w!, b, epsOf(attrs, 1e-5));
      return [y, f32(groups.shape, means), f32(groups.shape, inverse)];
    },
    tolerance: "rows",
    gradients: { inputs: [0, 1, 2], twice: true, samples: smooth([2, 5], -1, 2) },
    errors: [
      {
        inputs: [typed("f64", 2, 3), typed("f64", 3), typed("f64", 3)],
        code: "ERR_ATHANOR_DTYPE",
        message: "layer_norm: takes f32 of at least one dimension, got f64 [2, 3]",
      },
      {
        inputs: [typed("f32", 2, 3), typed("f32", 2), typed("f32", 3)],
        code: "ERR_ATHANOR_SHAPE",
        message: vectorMessage("layer_norm", "the weight"),
      },
      {
        inputs: [typed("f32", 2, 3), typed("f32", 3), typed("f32", 2)],
        code: "ERR_ATHANOR_SHAPE",
        message: vectorMessage("layer_norm", "the bias"),
      },
    ],
  },
  layer_norm_grad: {
    kind: "operation",
    samples: () => gradSamplesOf(samplesOf(rowShapes, -1, 1), rowsOf, true, 1e-5),
    reference: (inputs) => normalizeGrad(rowsOf(inputs[0]!), inputs, true),
    tolerance: "rows",
  },
  rms_norm: {
    kind: "operation",
    samples: () => samplesOf(rowShapes, -1, 1),
    reference: ([x, w], attrs) => {
      const groups = rowsOf(x!);
      const { y, inverse } = normalize(groups, x!, w!, undefined, epsOf(attrs, 1e-6));
      return [y, f32(groups.shape, inverse)];
    },
    tolerance: "rows",
    gradients: { inputs: [0, 1], twice: true, samples: smooth([2, 5], -1, 1) },
    errors: [
      {
        inputs: [typed("f32", 2, 3), typed("f32", 2)],
        code: "ERR_ATHANOR_SHAPE",
        message: vectorMessage("rms_norm", "the weight"),
      },
    ],
  },
  rms_norm_grad: {
    kind: "operation",
    samples: () => gradSamplesOf(samplesOf(rowShapes, -1, 1), rowsOf, false, 1e-6),
    reference: ([x, w, inverse, dy]) => normalizeGrad(rowsOf(x!), [x!, w!, inverse!, inverse!, dy!], false),
    tolerance: "rows",
  },
  batch_norm: {
    kind: "operation",
    samples: () => samplesOf(batchShapes, 1, 2, 10),
    reference: ([x, w, b], attrs) => {
      const groups = channelsOf(x!);
      const { y, means, variances, inverse } = normalize(groups, x!, w!, b, epsOf(attrs, 1e-5));
      return [y, ...[means, variances, inverse].map((s) => f32(groups.shape, s))];
    },
    tolerance: "rows",
    gradients: { inputs: [0, 1, 2], twice: true, samples: smooth([3, 2, 2, 2], 1, 2) },
    errors: [
      {
        inputs: [typed("f32", 3), typed("f32", 3), typed("f32", 3)],
        code: "ERR_ATHANOR_SHAPE",
        message: "batch_norm: takes f32 [N, C] or [N, C, …], got f32 [3]",
      },
      {
        inputs: [typed("f32", 2, 3), typed("f32", 2), typed("f32", 3)],
        code: "ERR_ATHANOR_SHAPE",
        message: vectorMessage("batch_norm", "the weight"),
      },
      {
        inputs: [typed("f32", 0, 3), typed("f32", 3), typed("f32", 3)],
        code: "ERR_ATHANOR_SHAPE",
        message: "batch_norm: there are no statistics of an empty batch, got [0, 3]",
      },
    ],
  },
  batch_norm_grad: {
    kind: "operation",
    samples: () => gradSamplesOf(samplesOf(batchShapes, 1, 1), channelsOf, true, 1e-5),
    reference: (inputs) => normalizeGrad(channelsOf(inputs[0]!), inputs, true),
    tolerance: "rows",
  },
} as const satisfies Record<string, OpSpec>;
