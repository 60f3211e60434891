// native/ops/quant/codebook.cc and gptq.cc: codes of weights.
import { typed, type OpSpec, type Sample } from "../../spec.js";
import { extremes, uniform, value, whole, type Value } from "../../value.js";

const table = (...entries: number[]): Value => value("f32", [entries.length], entries);
const evenly = (count: number): Value => table(...Array.from({ length: count }, (_, i) => i / 8 - count / 16));

// From the definition: the nearest of all, of two as near the one of even number.
function nearestOf(x: number, entries: Float64Array): number {
  if (Number.isNaN(x) || x < entries[0]!) return 0;
  const last = entries.length - 1;
  if (x >= entries[last]!) return last;
  // Of equal entries the last one that is not above x stands for all of them.
  const below = entries.findLastIndex((entry) => entry <= x);
  const [down, up] = [x - entries[below]!, entries[below + 1]! - x];
  if (down === up) return below % 2 === 0 ? below : below + 1;
  return down < up ? below : below + 1;
}

/** Inputs [rows, K] with some columns ten times the others: their second moments. */
function moments(K: number): Value {
  const rows = K + 5;
  const x = uniform([rows, K], -1, 1, "f64");
  const h = new Float64Array(K * K);
  for (let n = 0; n < rows; ++n) {
    for (let i = 0; i < K; ++i) {
      for (let j = 0; j < K; ++j) h[i * K + j]! += x.data[n * K + i]! * x.data[n * K + j]! * weight(i) * weight(j);
    }
  }
  return value("f64", [K, K], h);
}
const weight = (column: number): number => (column % 5 === 3 ? 10 : 1);

const halfEven = (x: number): number => {
  const low = Math.floor(x);
  return x - low === 0.5 ? (low % 2 === 0 ? low : low + 1) : Math.round(x);
};

type Matrix = number[][];

// H⁻¹ = Uᵀ U by the book: Gauss-Jordan for the inverse, then Cholesky, unlike the engine's single factorization.
function factorOf(h: Matrix): Matrix {
  const n = h.length;
  const a = h.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (let k = 0; k < n; ++k) {
    const pivot = a[k]![k]!;
    a[k] = a[k]!.map((element) => element / pivot);
    for (let i = 0; i < n; ++i) {
      const factor = a[i]![k]!;
      if (i !== k) a[i] = a[i]!.map((element, j) => element - factor * a[k]![j]!);
    }
  }
  const inverse = a.map((row) => row.slice(n));
  const u: Matrix = h.map((row) => row.map(() => 0));
  for (let i = 0; i < n; ++i) {
    for (let j = i; j < n; ++j) {
      let sum = inverse[i]![j]!;
      for (let k = 0; k < i; ++k) sum -= u[k]![i]! * u[k]![j]!;
      u[i]![j] = i === j ? Math.sqrt(sum) : sum / u[i]![i]!;
    }
  }
  return u;
}

/** Oracle-approximating shrinkage (Chen et al. 2010, eq. 23) of the correlations of seen inputs, whose scaled identity is theirs. */
function shrinkageOf(seen: readonly number[], moment: (i: number, j: number) => number, samples = 0): number {
  if (samples === 0) return 0;
  const p = seen.length;
  const square = (i: number, j: number) => moment(i, j) ** 2 / (moment(i, i) * moment(j, j));
  const tr2 = seen.reduce((sum, i) => sum + seen.reduce((row, j) => row + square(i, j), 0), 0); // tr(R²), tr(R) = p
  if (p < 2 || tr2 <= p) return 1;
  return Math.min(1, ((1 - 2 / p) * tr2 + p ** 2) / ((samples + 1 - 2 / p) * (tr2 - p ** 2 / p)));
}

/** GPTQ as in the paper's algorithm 1 with blocks of one column, in float64. */
function gptqOf(inputs: readonly Value[], attrs: Readonly<Record<string, unknown>>): Int32Array {
  const [w, h, scale, zero, ...rest] = inputs as [Value, Value, Value, Value, ...Value[]];
  const entries = attrs.has_table ? rest[0]!.data : undefined;
  const mask = attrs.has_mask ? rest.at(-1)!.data : undefined;
  const [N, K] = w.shape as [number, number];
  const group = attrs.group as number;
  const G = scale.shape[1]!;
  const order = Array.from({ length: K }, (_, k) => k);
  const moment = (i: number, j: number) => h.data[i * K + j]!;
  if (attrs.act_order) order.sort((i, j) => moment(j, j) - moment(i, i) || i - j);
  const seen = order.filter((k) => moment(k, k) > 0);
  const mean = seen.length > 0 ? seen.reduce((sum, k) => sum + moment(k, k), 0) / seen.length : 1;
  const extra = ((attrs.damp as number | undefined) ?? 0.01) * mean;
  const kept = 1 - shrinkageOf(seen, moment, attrs.samples as number | undefined);
  const u = factorOf(
    order.map((i) =>
      order.map((j) => (i === j ? (moment(i, i) > 0 ? moment(i, i) : mean) + extra : kept * moment(i, j))),
    ),
  );
  const codes = new Int32Array(N * K);
  for (let n = 0; n < N; ++n) {
    const row = order.map((k) => w.data[n * K + k]!);
    order.forEach((k, at) => {
      const [s, z] = [scale.data[n * G + Math.floor(k / group)]!, zero.data[n * G + Math.floor(k / group)]!];
      const now = mask?.[n * K + k] === 0 ? 0 : row[at]!;
      const code = entries
        ? nearestOf(now / s, entries)
        : Math.min(attrs.high as number, Math.max(attrs.low as number, halfEven(now / s) + z));
      codes[n * K + k] = code;
      const error = (row[at]! - s * (entries ? entries[code]! : code - z)) / u[at]![at]!;
      for (let j = at + 1; j < K; ++j) row[j]! -= error * u[at]![j]!;
    });
  }
  return codes;
}

const gptqSample = (
  name: string,
  N: number,
  K: number,
  group: number,
  attrs: Sample["attrs"],
  more: Value[] = [],
): Sample => {
  const G = Math.ceil(K / group);
  const affine = attrs?.low === 0;
  return {
    name: `${name} [${N}, ${K}] by ${group}`,
    inputs: [
      uniform([N, K], -1, 1),
      moments(K),
      uniform([N, G], 0.1, 0.2),
      affine ? whole([N, G], 6, 10, "f32") : value("f32", [N, G], new Float64Array(N * G)),
      ...more,
    ],
    attrs: { group, ...attrs },
  };
};

const int4 = { low: -8, high: 7 } as const;

export const codebooks = {
  nearest_entry: {
    kind: "operation",
    samples: () => [
      { name: "[] in 1", inputs: [uniform([]), table(0.5)] },
      { name: "[0] in 3", inputs: [uniform([0]), table(-1, 0, 1)] },
      { name: "[5, 7] in 2", inputs: [uniform([5, 7]), table(-0.25, 0.5)] },
      { name: "ties in 5", inputs: [value("f32", [6], [-1.5, -0.5, 0.5, 1.5, -2, 3]), table(-2, -1, 0, 1, 2)] },
      { name: "equal entries", inputs: [uniform([100]), table(-1, -1, 0, 0, 0, 1)] },
      {
        name: "extremes in 16",
        inputs: [
          value(
            "f32",
            [extremes.length],
            extremes.map((x) => (Math.abs(x) < 1e-37 ? 0 : x)),
          ),
          evenly(16),
        ],
      },
      { name: "[317, 331] in 256", inputs: [uniform([317, 331], -20, 20), evenly(256)] },
    ],
    reference: ([x, entries]) => [
      { dtype: "i32", shape: x!.shape, data: x!.data.map((element) => nearestOf(element, entries!.data)) },
    ],
    tolerance: "exact",
    fused: false,
    errors: [
      {
        inputs: [typed("i32", 3), typed("f32", 2)],
        code: "ERR_ATHANOR_DTYPE",
        message: "nearest_entry: takes f32 and a table in f32, got i32 and f32; cast them first",
      },
      {
        inputs: [typed("f32", 3), typed("f32", 0)],
        code: "ERR_ATHANOR_SHAPE",
        message: "nearest_entry: the table must be [1] to [65536], got [0]; reshape it",
      },
      {
        inputs: [uniform([3]), table(0, 2, 1)],
        code: "ERR_ATHANOR_ARGUMENT",
        message:
          "nearest_entry: the table must ascend, entry 2 (1.000000) is below the one before it (2.000000); sort it",
      },
    ],
  },
  gptq: {
    kind: "operation",
    samples: () => [
      gptqSample("one", 1, 1, 1, int4),
      gptqSample("channel", 3, 7, 7, int4),
      gptqSample("groups, a short last one", 5, 21, 8, int4),
      gptqSample("three rows", 6, 24, 8, { ...int4, samples: 3, act_order: true }),
      gptqSample("forty rows", 6, 24, 8, { ...int4, samples: 40 }),
      gptqSample("affine", 4, 16, 8, { low: 0, high: 15 }),
      gptqSample("largest first", 17, 37, 16, { ...int4, act_order: true, damp: 0.05 }),
      gptqSample("table", 6, 24, 8, { has_table: true, act_order: true }, [evenly(16)]),
      gptqSample("mask", 6, 24, 8, { ...int4, has_mask: true }, [whole([6, 24], 0, 2, "u8")]),
      gptqSample("table and mask", 6, 24, 8, { has_table: true, has_mask: true }, [
        evenly(15),
        whole([6, 24], 0, 2, "u8"),
      ]),
      gptqSample("more than a panel", 19, 150, 32, int4),
      gptqSample("more than a stripe of panels", 2, 330, 32, int4),
    ],
    reference: (inputs, attrs) => [
      { dtype: "i32", shape: inputs[0]!.shape, data: Float64Array.from(gptqOf(inputs, attrs)) },
    ],
    tolerance: "exact",
    fused: false,
    errors: [
      {
        inputs: [typed("f32", 3), typed("f64", 3, 3), typed("f32", 3, 1), typed("f32", 3, 1)],
        attrs: { group: 3, ...int4 },
        code: "ERR_ATHANOR_SHAPE",
        message: "gptq: the weights must be f32 [N, K], got f32 [3]; reshape them",
      },
      {
        inputs: [typed("f32", 2, 3), typed("f64", 2, 2), typed("f32", 2, 1), typed("f32", 2, 1)],
        attrs: { group: 3, ...int4 },
        code: "ERR_ATHANOR_SHAPE",
        message: "gptq: the moments must be f64 [3, 3], got f64 [2, 2]",
      },
      {
        inputs: [typed("f32", 2, 3), typed("f64", 3, 3), typed("f32", 2, 1), typed("f32", 2, 1)],
        attrs: { group: 0, ...int4 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "gptq: group must be a whole number of 1 or more, got 0",
      },
      {
        inputs: [uniform([1, 2]), value("f64", [2, 2], [1, 2, 2, 1]), uniform([1, 1], 1, 2), uniform([1, 1])],
        attrs: { group: 2, damp: 0, ...int4 },
        code: "ERR_ATHANOR_NONFINITE",
        message:
          "gptq: the moments are not positive definite; calibrate with more samples, or raise damp (now 0.000000)",
      },
    ],
  },
} as const satisfies Record<string, OpSpec>;
