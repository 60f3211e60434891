// native/ops/matmul/matmul.cc: (…, M, K) · (…, K, N), leading dimensions broadcast, operands read as they are or transposed.
import type { DType } from "../../../lib/tensor/dtype.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import { broadcastShape, countOf, indices, offsetIn, uniform, value, type Value } from "../value.js";

const last = (shape: readonly number[], n: number): number => shape[shape.length - n]!;

function multiply(a: Value, b: Value, transA: boolean, transB: boolean): Value {
  const M = last(a.shape, transA ? 1 : 2);
  const K = last(a.shape, transA ? 2 : 1);
  const N = last(b.shape, transB ? 2 : 1);
  const [aLead, bLead] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const lead = broadcastShape(aLead, bLead);
  const y = new Float64Array(countOf(lead) * M * N);
  let base = 0;
  for (const index of indices(lead)) {
    const [a0, b0] = [offsetIn(aLead, index) * M * K, offsetIn(bLead, index) * K * N];
    for (let m = 0; m < M; ++m) {
      for (let n = 0; n < N; ++n) {
        let sum = 0;
        for (let k = 0; k < K; ++k) {
          sum += a.data[a0 + (transA ? k * M + m : m * K + k)]! * b.data[b0 + (transB ? n * K + k : k * N + n)]!;
        }
        y[base + m * N + n] = sum;
      }
    }
    base += M * N;
  }
  return { dtype: a.dtype, shape: [...lead, M, N], data: y };
}

interface Layout {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly a?: readonly number[];
  readonly b?: readonly number[];
}

const layouts: readonly Layout[] = [
  { M: 1, N: 1, K: 1 },
  { M: 3, N: 5, K: 4 },
  { M: 1, N: 33, K: 17 },
  { M: 33, N: 1, K: 17 },
  { M: 7, N: 13, K: 1 },
  { M: 17, N: 35, K: 65 },
  { M: 0, N: 3, K: 4 },
  { M: 3, N: 0, K: 4 },
  { M: 3, N: 4, K: 0 },
  { M: 4, N: 5, K: 3, a: [2], b: [2] },
  { M: 4, N: 5, K: 3, a: [2], b: [] },
  { M: 4, N: 5, K: 3, a: [], b: [3] },
  { M: 4, N: 5, K: 3, a: [2, 1], b: [3] },
  { M: 4, N: 5, K: 3, a: [1], b: [3] },
  { M: 4, N: 5, K: 3, a: [3, 2], b: [1, 2] },
  { M: 2, N: 3, K: 2, a: [2, 2, 2], b: [2, 2, 2] },
  { M: 2, N: 3, K: 2, a: [0], b: [0] },
];

const large: readonly Layout[] = [
  { M: 131, N: 97, K: 263 },
  { M: 1, N: 400, K: 301 },
];

function sample({ M, N, K, a = [], b = [] }: Layout, dtype: DType, transA: boolean, transB: boolean): Sample {
  const left = [...a, ...(transA ? [K, M] : [M, K])];
  const right = [...b, ...(transB ? [N, K] : [K, N])];
  return {
    name: `${dtype} [${left.join(", ")}]${transA ? "ᵀ" : ""} · [${right.join(", ")}]${transB ? "ᵀ" : ""}`,
    inputs: [uniform(left, -1, 1, dtype), uniform(right, -1, 1, dtype)],
    attrs: { trans_a: transA, trans_b: transB },
  };
}

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

const spec: OpSpec = {
  kind: "operation",
  samples: () => [
    ...(["f32", "f64"] as const).flatMap((dtype) =>
      layouts.flatMap((layout) => transposes.map(([ta, tb]) => sample(layout, dtype, ta, tb))),
    ),
    ...large.flatMap((layout) => transposes.map(([ta, tb]) => sample(layout, "f32", ta, tb))),
    {
      name: "NaN and infinity pass",
      inputs: [value("f32", [2, 2], [NaN, 1, Infinity, 1]), value("f32", [2, 2], [1, 0, 2, 3])],
    },
  ],
  reference: ([a, b], attrs) => [multiply(a!, b!, attrs.trans_a === true, attrs.trans_b === true)],
  tolerance: "dot",
  gradients: {
    inputs: [0, 1],
    twice: true,
    samples: () =>
      (["f64", "f32"] as const).flatMap((dtype) =>
        transposes.flatMap(([ta, tb]) =>
          [
            { M: 3, N: 2, K: 4 },
            { M: 2, N: 3, K: 2, a: [2], b: [] },
            { M: 2, N: 3, K: 2, a: [], b: [2] },
            { M: 2, N: 2, K: 3, a: [2, 1], b: [1, 3] },
          ].map((layout) => sample(layout, dtype, ta, tb)),
        ),
      ),
  },
  errors: [
    {
      inputs: [typed("f32", 2, 3), typed("f32", 4, 5)],
      code: "ERR_ATHANOR_SHAPE",
      message: "matmul: inner dimensions must match, got a [2, 3] and b [4, 5] (3 ≠ 4)",
    },
    {
      inputs: [typed("f32", 2, 3), typed("f32", 4, 3)],
      code: "ERR_ATHANOR_SHAPE",
      message: "matmul: inner dimensions must match, got a [2, 3] and b [4, 3] (3 ≠ 4); transpose b?",
    },
    {
      inputs: [typed("f32", 3), typed("f32", 3, 2)],
      code: "ERR_ATHANOR_SHAPE",
      message:
        "matmul: takes tensors of at least 2 dimensions, got a [3] and b [3, 2]; reshape a vector to [1, n] or [n, 1]",
    },
    {
      inputs: [typed("i32", 2, 3), typed("i32", 3, 2)],
      code: "ERR_ATHANOR_DTYPE",
      message: "matmul: takes two f32 or two f64 tensors, got i32 and i32; cast them first",
    },
    {
      inputs: [typed("f32", 2, 2, 3), typed("f32", 3, 3, 2)],
      code: "ERR_ATHANOR_SHAPE",
      message:
        "matmul: shapes [2] and [3] do not broadcast: counted from the right, extents must be equal or 1, got 2 and 3",
    },
  ],
};

export const products = { matmul: spec } as const;
