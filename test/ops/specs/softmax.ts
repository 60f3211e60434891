// native/ops/softmax/softmax.cc: softmax and log-softmax along an axis, and cross-entropy from logits and class numbers.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec, type Refusal, type Sample } from "../spec.js";
import { uniform, value, whole, type Value } from "../value.js";
import { dot, logSoftmax, logSumExp, mapRows, softmax, total } from "./rows.js";

const layouts: readonly (readonly [readonly number[], number])[] = [
  [[1], -1],
  [[5], 0],
  [[3, 17], -1],
  [[3, 17], 0],
  [[2, 3, 4], 1],
  [[0, 3], 1],
  [[3, 0], 1],
  [[4, 1], 1],
  [[7, 1000], -1],
  [[37, 2741], -1],
  [[17, 61, 101], 1],
];

const axisOf = (attrs: NativeAttrs): number => (attrs.axis as number | undefined) ?? -1;

const samples = (): Sample[] => [
  ...layouts.map(([shape, axis]) => ({
    name: `[${shape.join(", ")}] axis ${axis}`,
    inputs: [uniform(shape, -4, 4)],
    attrs: { axis },
  })),
  { name: "far from 0", inputs: [value("f32", [2, 3], [1000, 1001, 999, -1000, -1001, -1002])] },
  { name: "minus infinity", inputs: [value("f32", [2, 3], [0, -Infinity, 1, 2, 2, -Infinity])] },
];

const gradSamples = (log: boolean): Sample[] =>
  layouts.map(([shape, axis]) => {
    const y = mapRows([uniform(shape)], axis, (x) => (log ? logSoftmax(x) : softmax(x)));
    return {
      name: `[${shape.join(", ")}] axis ${axis}`,
      inputs: [value("f32", shape, y.data), uniform(shape)],
      attrs: { axis },
    };
  });

const smooth = (): Sample[] => [
  { name: "last axis", inputs: [uniform([2, 5])], attrs: { axis: -1 } },
  { name: "first axis", inputs: [uniform([3, 4])], attrs: { axis: 0 } },
];

const smoothPairs = (): Sample[] =>
  smooth().map((s) => ({ ...s, inputs: [s.inputs[0]!, uniform(s.inputs[0]!.shape)] }));

const refusals = (name: string): Refusal[] => [
  {
    inputs: [typed("f64", 3)],
    code: "ERR_ATHANOR_DTYPE",
    message: `${name}: takes f32, got f64; cast it to f32 first`,
  },
  {
    inputs: [typed("f32", 3)],
    attrs: { axis: 1 },
    code: "ERR_ATHANOR_ARGUMENT",
    message: `${name}: axis 1 is out of range for a tensor with 1 dimensions; use -1 to 0`,
  },
];

function softmaxGrad(y: readonly number[], dy: readonly number[]): number[] {
  const sum = dot(y, dy);
  return y.map((e, i) => e * (dy[i]! - sum));
}

function logSoftmaxGrad(y: readonly number[], dy: readonly number[]): number[] {
  const sum = total(dy);
  return y.map((e, i) => dy[i]! - Math.exp(e) * sum);
}

/** Weights of the classes in the target: smoothing spreads its share evenly over all. */
function target(label: number, classes: number, smoothing: number): number[] {
  return Array.from({ length: classes }, (_, c) => (c === label ? 1 - smoothing : 0) + smoothing / classes);
}

const counts = (label: number, attrs: NativeAttrs): boolean =>
  attrs.ignore_index === undefined || label !== attrs.ignore_index;

const rowsOf = (x: Value): number[][] =>
  Array.from({ length: x.shape[0]! }, (_, row) => [...x.data.subarray(row * x.shape[1]!, (row + 1) * x.shape[1]!)]);

function crossEntropy(x: Value, labels: Value, attrs: NativeAttrs): Value[] {
  const smoothing = (attrs.smoothing as number | undefined) ?? 0;
  const rows = rowsOf(x);
  const lse = rows.map(logSumExp);
  const loss = rows.map((row, i) => {
    const label = labels.data[i]!;
    if (!counts(label, attrs)) return 0;
    return dot(
      target(label, row.length, smoothing),
      row.map((e) => lse[i]! - e),
    );
  });
  const counted = labels.data.reduce((n, label) => n + (counts(label, attrs) ? 1 : 0), 0);
  return [
    { dtype: "f32", shape: [rows.length], data: Float64Array.from(loss) },
    { dtype: "f32", shape: [rows.length], data: Float64Array.from(lse) },
    { dtype: "f32", shape: [], data: Float64Array.of(counted) },
  ];
}

function crossEntropyGrad(x: Value, labels: Value, lse: Value, dloss: Value, attrs: NativeAttrs): Value {
  const smoothing = (attrs.smoothing as number | undefined) ?? 0;
  const data = rowsOf(x).flatMap((row, i) => {
    const label = labels.data[i]!;
    if (!counts(label, attrs)) return row.map(() => 0);
    const goal = target(label, row.length, smoothing);
    return row.map((e, c) => dloss.data[i]! * (Math.exp(e - lse.data[i]!) - goal[c]!));
  });
  return { dtype: "f32", shape: x.shape, data: Float64Array.from(data) };
}

const classified: readonly { rows: number; classes: number; attrs?: NativeAttrs; dtype?: "i32" | "u8" }[] = [
  { rows: 1, classes: 1 },
  { rows: 5, classes: 7 },
  { rows: 5, classes: 7, dtype: "u8" },
  { rows: 0, classes: 3 },
  { rows: 9, classes: 10, attrs: { smoothing: 0.1 } },
  { rows: 9, classes: 3, attrs: { ignore_index: 1 } },
  { rows: 9, classes: 33, attrs: { smoothing: 0.3, ignore_index: 2 } },
  { rows: 131, classes: 1003 },
];

const entropySamples = (): Sample[] => [
  ...classified.map(({ rows, classes, attrs = {}, dtype = "i32" }) => ({
    name: `[${rows}, ${classes}] ${dtype} ${JSON.stringify(attrs)}`,
    inputs: [uniform([rows, classes], -3, 3), whole([rows], 0, classes, dtype)],
    attrs,
  })),
  {
    name: "a negative index is ignored",
    inputs: [uniform([3, 4]), value("i32", [3], [2, -100, 0])],
    attrs: { ignore_index: -100 },
  },
  { name: "far from 0", inputs: [value("f32", [2, 2], [1000, -1000, 500, 499]), value("i32", [2], [0, 1])] },
];

const entropyGradSamples = (): Sample[] =>
  entropySamples().map(({ name, inputs: [x, labels], attrs = {} }) => {
    const lse = value("f32", [x!.shape[0]!], rowsOf(x!).map(logSumExp));
    return { name, inputs: [x!, labels!, lse, uniform([x!.shape[0]!])], attrs };
  });

export const softmaxes = {
  softmax: {
    kind: "operation",
    samples,
    reference: ([x], attrs) => [mapRows([x!], axisOf(attrs), softmax)],
    tolerance: "rows",
    gradients: { inputs: [0], twice: true, samples: smooth },
    errors: refusals("softmax"),
  },
  log_softmax: {
    kind: "operation",
    samples,
    reference: ([x], attrs) => [mapRows([x!], axisOf(attrs), logSoftmax)],
    tolerance: "rows",
    gradients: { inputs: [0], twice: true, samples: smooth },
    errors: refusals("log_softmax"),
  },
  softmax_grad: {
    kind: "operation",
    samples: () => gradSamples(false),
    reference: ([y, dy], attrs) => [mapRows([y!, dy!], axisOf(attrs), softmaxGrad)],
    tolerance: "rows",
    gradients: { inputs: [0, 1], twice: true, samples: smoothPairs },
    errors: [
      {
        inputs: [typed("f32", 3), typed("f32", 4)],
        code: "ERR_ATHANOR_SHAPE",
        message: "softmax_grad: dy must have y's type, got f32 [3] and f32 [4]",
      },
    ],
  },
  log_softmax_grad: {
    kind: "operation",
    samples: () => gradSamples(true),
    reference: ([y, dy], attrs) => [mapRows([y!, dy!], axisOf(attrs), logSoftmaxGrad)],
    tolerance: "rows",
    gradients: { inputs: [0, 1], twice: true, samples: smoothPairs },
  },
  cross_entropy: {
    kind: "operation",
    samples: entropySamples,
    reference: ([x, labels], attrs) => crossEntropy(x!, labels!, attrs),
    tolerance: "rows",
    gradients: { inputs: [0], twice: false, samples: () => entropySamples().slice(1, 7) },
    errors: [
      {
        inputs: [typed("f32", 2, 3, 4), typed("i32", 2)],
        code: "ERR_ATHANOR_SHAPE",
        message: "cross_entropy: logits must be [rows, classes], got [2, 3, 4]; reshape leading dimensions into one",
      },
      {
        inputs: [typed("f32", 2, 3), typed("f32", 2)],
        code: "ERR_ATHANOR_DTYPE",
        message: "cross_entropy: labels must be i32 or u8 class numbers, got f32",
      },
      {
        inputs: [typed("f32", 2, 3), typed("i32", 3)],
        code: "ERR_ATHANOR_SHAPE",
        message: "cross_entropy: one label a row is needed, got logits [2, 3] and labels [3]",
      },
      {
        inputs: [typed("f32", 2, 3), typed("i32", 2)],
        attrs: { smoothing: 1.5 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "cross_entropy: smoothing must be a number from 0 to 1, got 1.5",
      },
      {
        inputs: [uniform([4, 3]), value("i32", [4], [0, 3, -1, 2])],
        code: "ERR_ATHANOR_ARGUMENT",
        message: "cross_entropy: label 3 of row 1 is no class, expected 0 to 2 (and 1 more like it)",
      },
    ],
  },
  cross_entropy_grad: {
    kind: "operation",
    samples: entropyGradSamples,
    reference: ([x, labels, lse, dloss], attrs) => [crossEntropyGrad(x!, labels!, lse!, dloss!, attrs)],
    tolerance: "rows",
  },
} as const satisfies Record<string, OpSpec>;
