// native/ops/sparse/sparse.cc: products with a weight given as bitmap and values, against the dense product with its expansion.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import { countOf, uniform, value, type Value } from "../value.js";
import { bitmapOf, maskOf, nnzOf, type Pattern } from "./sparse-patterns.js";

/** Calls f(n, k, place among the values) for every set bit. */
function forBits(bitmap: Value, columns: number, f: (n: number, k: number, place: number) => void): void {
  const [rows, bytes] = bitmap.shape as [number, number];
  let place = 0;
  for (let n = 0; n < rows; ++n) {
    for (let k = 0; k < columns; ++k) {
      if ((bitmap.data[n * bytes + (k >> 3)]! >> (k & 7)) & 1) f(n, k, place++);
    }
  }
}

const rowsOf = (x: Value): number => countOf(x.shape.slice(0, -1));

function multiply(x: Value, bitmap: Value, values: Value): Value {
  const [K, N, M] = [x.shape.at(-1)!, bitmap.shape[0]!, rowsOf(x)];
  const y = new Float64Array(M * N);
  forBits(bitmap, K, (n, k, place) => {
    for (let m = 0; m < M; ++m) y[m * N + n]! += x.data[m * K + k]! * values.data[place]!;
  });
  return { dtype: "f32", shape: [...x.shape.slice(0, -1), N], data: y };
}

function gradInput(dy: Value, bitmap: Value, values: Value, K: number): Value {
  const [N, M] = [bitmap.shape[0]!, rowsOf(dy)];
  const dx = new Float64Array(M * K);
  forBits(bitmap, K, (n, k, place) => {
    for (let m = 0; m < M; ++m) dx[m * K + k]! += dy.data[m * N + n]! * values.data[place]!;
  });
  return { dtype: "f32", shape: [...dy.shape.slice(0, -1), K], data: dx };
}

function gradValues(dy: Value, x: Value, bitmap: Value, nnz: number): Value {
  const [K, N, M] = [x.shape.at(-1)!, bitmap.shape[0]!, rowsOf(dy)];
  const dw = new Float64Array(nnz);
  forBits(bitmap, K, (n, k, place) => {
    for (let m = 0; m < M; ++m) dw[place]! += dy.data[m * N + n]! * x.data[m * K + k]!;
  });
  return { dtype: "f32", shape: [nnz], data: dw };
}

interface Layout {
  readonly lead: readonly number[];
  readonly N: number;
  readonly K: number;
  readonly pattern: Pattern;
}

const small: readonly Layout[] = [
  { lead: [1], N: 1, K: 1, pattern: { density: 1 } },
  { lead: [3], N: 5, K: 4, pattern: { density: 0.5 } },
  { lead: [1], N: 33, K: 17, pattern: { density: 0.5 } },
  { lead: [2, 3], N: 9, K: 16, pattern: { density: 0.3 } },
  { lead: [5], N: 7, K: 13, pattern: { density: 0 } },
  { lead: [5], N: 7, K: 13, pattern: { density: 1 } },
  { lead: [8], N: 24, K: 40, pattern: { density: 0.2, emptyRows: true } },
  { lead: [0], N: 3, K: 4, pattern: { density: 0.5 } },
  { lead: [2, 0], N: 3, K: 4, pattern: { density: 0.5 } },
  { lead: [3], N: 0, K: 4, pattern: { density: 0.5 } },
  { lead: [3], N: 4, K: 0, pattern: { density: 0.5 } },
  { lead: [9], N: 16, K: 64, pattern: { density: 0.25, block: [1, 16] } },
  { lead: [9], N: 18, K: 22, pattern: { density: 0.25, block: [4, 4] } },
  { lead: [7], N: 12, K: 20, pattern: { nm: [2, 4] } },
];

const large: readonly Layout[] = [
  { lead: [129], N: 97, K: 263, pattern: { density: 0.1 } },
  { lead: [1], N: 301, K: 400, pattern: { density: 0.5 } },
  { lead: [37], N: 130, K: 515, pattern: { nm: [2, 4] } },
  { lead: [65], N: 130, K: 515, pattern: { density: 0.1, block: [1, 16] } },
];

const forward = (layouts: readonly Layout[]): Sample[] =>
  layouts.map(({ lead, N, K, pattern }) => {
    const mask = maskOf(N, K, pattern);
    return {
      name: `[${[...lead, K].join(", ")}] · [${N}, ${K}]ᵀ, ${JSON.stringify(pattern)}`,
      inputs: [uniform([...lead, K], -1, 1), bitmapOf(mask, N, K), uniform([nnzOf(mask)], -1, 1)],
    };
  });

const backwardInput = (layouts: readonly Layout[]): Sample[] =>
  layouts.map(({ lead, N, K, pattern }) => {
    const mask = maskOf(N, K, pattern);
    return {
      name: `[${[...lead, N].join(", ")}] · [${N}, ${K}], ${JSON.stringify(pattern)}`,
      inputs: [uniform([...lead, N], -1, 1), bitmapOf(mask, N, K), uniform([nnzOf(mask)], -1, 1)],
      attrs: { k: K },
    };
  });

const backwardValues = (layouts: readonly Layout[]): Sample[] =>
  layouts.map(({ lead, N, K, pattern }) => {
    const mask = maskOf(N, K, pattern);
    return {
      name: `[${[...lead, N].join(", ")}]ᵀ · [${[...lead, K].join(", ")}], ${JSON.stringify(pattern)}`,
      inputs: [uniform([...lead, N], -1, 1), uniform([...lead, K], -1, 1), bitmapOf(mask, N, K)],
      attrs: { nnz: nnzOf(mask) },
    };
  });

const smooth: readonly Layout[] = [
  { lead: [3], N: 2, K: 4, pattern: { density: 0.5 } },
  { lead: [2, 2], N: 3, K: 9, pattern: { density: 0.4 } },
  { lead: [2], N: 2, K: 3, pattern: { density: 1 } },
];

const bits = (rows: number, ...bytes: number[]): Value => value("u8", [rows, bytes.length / rows], bytes);

const matmul: OpSpec = {
  kind: "operation",
  samples: () => forward([...small, ...large]),
  reference: ([x, bitmap, values]) => [multiply(x!, bitmap!, values!)],
  tolerance: "dot",
  gradients: { inputs: [0, 2], twice: true, samples: () => forward(smooth) },
  errors: [
    {
      inputs: [typed("f32", 2, 9), typed("u8", 3, 1), typed("f32", 4)],
      code: "ERR_ATHANOR_SHAPE",
      message: "sparse_matmul: the bitmap of a weight [3, 9] is u8 [3, 2], one bit an element, got u8 [3, 1]",
    },
    {
      inputs: [typed("f64", 2, 9), typed("u8", 3, 2), typed("f32", 4)],
      code: "ERR_ATHANOR_SHAPE",
      message:
        "sparse_matmul: x must be f32 of at least 2 dimensions, got f64 [2, 9]; cast it, or reshape a vector to [1, n]",
    },
    {
      inputs: [typed("f32", 2, 9), typed("i32", 3, 2), typed("f32", 4)],
      code: "ERR_ATHANOR_SHAPE",
      message: "sparse_matmul: the bitmap must be u8 [N, ceil(K / 8)], got i32 [3, 2]",
    },
    {
      inputs: [typed("f32", 2, 9), typed("u8", 3, 2), typed("f32", 4, 1)],
      code: "ERR_ATHANOR_SHAPE",
      message: "sparse_matmul: values must be f32 [nnz], one for each set bit, got f32 [4, 1]",
    },
    {
      inputs: [uniform([2, 9]), bits(2, 3, 1, 0, 1), uniform([3])],
      code: "ERR_ATHANOR_ARGUMENT",
      message: "sparse_matmul: the bitmap marks 4 weights, but there are 3 values; make both from the same mask",
    },
    {
      inputs: [uniform([2, 9]), bits(2, 3, 1, 0, 2), uniform([4])],
      code: "ERR_ATHANOR_ARGUMENT",
      message:
        "sparse_matmul: row 1 of the bitmap marks a weight past its 9 columns; the bits that fill a row's last byte must be 0",
    },
  ],
};

const numberOf = (attrs: NativeAttrs, name: string): number => attrs[name] as number;

const matmulGradInput: OpSpec = {
  kind: "operation",
  samples: () => backwardInput([...small, ...large]),
  reference: ([dy, bitmap, values], attrs) => [gradInput(dy!, bitmap!, values!, numberOf(attrs, "k"))],
  tolerance: "dot",
  gradients: { inputs: [0, 2], twice: true, samples: () => backwardInput(smooth) },
  errors: [
    {
      inputs: [typed("f32", 2, 3), typed("u8", 3, 2), typed("f32", 4)],
      attrs: { k: -1 },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "sparse_matmul_grad_input: k must be a whole number of 0 or more, got -1",
    },
    {
      inputs: [uniform([1, 1]), bits(1, 7), uniform([2])],
      attrs: { k: 8 },
      code: "ERR_ATHANOR_ARGUMENT",
      message:
        "sparse_matmul_grad_input: the bitmap marks 3 weights, but there are 2 values; make both from the same mask",
    },
  ],
};

const matmulGradValues: OpSpec = {
  kind: "operation",
  samples: () => backwardValues([...small, ...large]),
  reference: ([dy, x, bitmap], attrs) => [gradValues(dy!, x!, bitmap!, numberOf(attrs, "nnz"))],
  tolerance: "dot",
  gradients: { inputs: [0, 1], twice: true, samples: () => backwardValues(smooth) },
  errors: [
    {
      inputs: [typed("f32", 2, 3), typed("f32", 4, 9), typed("u8", 3, 2)],
      attrs: { nnz: 2 },
      code: "ERR_ATHANOR_SHAPE",
      message: "sparse_matmul_grad_values: dy must be f32 [4, 3], got f32 [2, 3]",
    },
    {
      inputs: [typed("f32", 2, 3), typed("f32", 2, 9), typed("u8", 3, 2)],
      attrs: { nnz: -2 },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "sparse_matmul_grad_values: nnz must be a whole number of 0 or more, got -2",
    },
    {
      inputs: [uniform([1, 1]), uniform([1, 8]), bits(1, 7)],
      attrs: { nnz: 2 },
      code: "ERR_ATHANOR_ARGUMENT",
      message:
        "sparse_matmul_grad_values: the bitmap marks 3 weights, but there are 2 values; make both from the same mask",
    },
  ],
};

export const sparseProducts = {
  sparse_matmul: matmul,
  sparse_matmul_grad_input: matmulGradInput,
  sparse_matmul_grad_values: matmulGradValues,
} as const;
