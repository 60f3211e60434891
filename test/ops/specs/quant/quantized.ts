// native/ops/quant/quantized.cc: a product with a quantized weight, x as it is or rounded to integers.
import type { NativeAttrs } from "../../../../lib/native/index.js";
import { typed, type OpSpec, type Sample } from "../../spec.js";
import { uniform, value, type Value } from "../../value.js";
import {
  decode,
  dotRow,
  drawWeight,
  kinds,
  roundActivations,
  type Format,
  type WeightOptions,
} from "./quantized-weight.js";

type Activations = "float" | "dynamic" | "static";
const everyActivations: readonly Activations[] = ["float", "dynamic", "static"];
const formats = Object.keys(kinds) as Format[];

/** Rows of x by the weight of `rest`, which act ends where activations are static. */
function multiply(
  x: Value,
  rest: readonly Value[],
  attrs: NativeAttrs,
  of = (numbers: Float64Array) => numbers,
): Value {
  const decoded = decode(rest, attrs);
  const w = { ...decoded, integers: of(decoded.integers), values: of(decoded.values) };
  const act = attrs.act ? rest.at(-1) : undefined;
  const M = w.K === 0 ? x.shape.slice(0, -1).reduce((a, b) => a * b, 1) : x.data.length / w.K;
  const y = new Float64Array(M * w.N);
  for (let m = 0; m < M; ++m) {
    const row = x.data.subarray(m * w.K, (m + 1) * w.K);
    const rounded = attrs.activations === "float" ? undefined : roundActivations(row, act);
    for (let n = 0; n < w.N; ++n) {
      y[m * w.N + n] = rounded
        ? dotRow(w, n, of(rounded.integers), rounded.step)
        : of(row).reduce((sum, v, k) => sum + v * w.values[n * w.K + k]!, 0);
    }
  }
  return { dtype: "f32", shape: [...x.shape.slice(0, -1), w.N], data: y };
}

interface Case extends WeightOptions {
  readonly lead: readonly number[];
  readonly zeroPoint?: number;
  readonly x?: Value;
}

/** With float activations once as the engine chooses, which is dense for small weights, and once from panels. */
function samples(options: Case, activations: Activations): Sample[] {
  const drawn = sample(options, activations);
  if (activations !== "float") return [drawn];
  return [drawn, { ...drawn, name: `${drawn.name}, panels`, attrs: { ...drawn.attrs, layout: "panels" } }];
}

function sample(options: Case, activations: Activations): Sample {
  const { operands, attrs } = drawWeight(options);
  const x = options.x ?? uniform([...options.lead, options.K], -2, 2);
  const act = activations === "static" ? [value("f32", [2], [0.0171, options.zeroPoint ?? 117])] : [];
  const { format, group = "all", scale = "f32" } = options;
  return {
    name: `${format} [${x.shape.join(", ")}] · [${options.N}, ${options.K}]ᵀ, group ${group}, ${scale}, ${activations}`,
    inputs: [x, ...operands, ...act],
    attrs: { ...attrs, activations, act: act.length > 0 },
  };
}

// Sizes that are no multiple of a vector, a panel, a group; few rows and many; none.
const cases = (format: Format): Case[] => [
  { format, lead: [3], N: 5, K: 7 },
  { format, lead: [1], N: 35, K: 64, group: 32, scale: "bf16" },
  { format, lead: [13], N: 34, K: 77, group: 16, scale: "bf16", oneZero: true },
  { format, lead: [2, 2], N: 1, K: 33, group: 5, scale: "one" },
  { format, lead: [7], N: 17, K: 40, group: 32, sparse: true },
];

const edges: readonly Case[] = [
  { format: "int8", lead: [], N: 3, K: 6 },
  { format: "int4", lead: [0], N: 3, K: 6 },
  { format: "int8", lead: [2], N: 0, K: 6 },
  { format: "int8", lead: [2], N: 3, K: 0 },
  { format: "int8", lead: [129], N: 70, K: 600, scale: "bf16" },
  { format: "int4", lead: [129], N: 70, K: 1100, group: 32, scale: "bf16" },
  { format: "uint4", lead: [37], N: 33, K: 1100, group: 128 },
  { format: "codebook4", lead: [40], N: 65, K: 640, group: 64, tableSize: 11 },
  { format: "uint8", lead: [5], N: 48, K: 1300 },
  { format: "codebook4", lead: [3], N: 20, K: 50, tableSize: 15, sparse: true },
  { format: "int4", lead: [1], N: 70, K: 1100, group: 100 },
];

// Every product as large as can be: sums of 16 bits would saturate or wrap.
const extreme = (format: Format, K: number, rows: number): Case[] =>
  (["least", "largest"] as const).map((which) => ({
    format,
    lead: [rows],
    N: 18,
    K,
    extreme: which,
    oneZero: true,
    x: value(
      "f32",
      [rows, K],
      new Float64Array(rows * K).map((_, i) => (which === "least" ? -2 : 2) * (i % 97 === 5 ? 0.9 : 1)),
    ),
  }));

const odd = (values: readonly number[]): Case => ({
  format: "int8",
  lead: [values.length],
  N: 9,
  K: 20,
  x: value(
    "f32",
    [values.length, 20],
    values.flatMap((v) => [v, ...Array.from({ length: 19 }, (_, i) => i / 8 - 1)]),
  ),
});

const spec: OpSpec = {
  kind: "operation",
  samples: () => [
    ...formats.flatMap((format) => everyActivations.flatMap((kind) => cases(format).flatMap((c) => samples(c, kind)))),
    ...edges.flatMap((c) => everyActivations.flatMap((kind) => samples(c, kind))),
    ...formats.flatMap((format) =>
      [2, 7].flatMap((rows) =>
        extreme(format, 260, rows).flatMap((c) => [sample(c, "dynamic"), sample({ ...c, zeroPoint: 0 }, "static")]),
      ),
    ),
    sample(odd([NaN, Infinity, -Infinity, 1, -1, 3e38]), "dynamic"),
    sample(odd([NaN, 1, -1, 3e38]), "static"),
    ...samples(odd([NaN, Infinity, -Infinity, 1]), "float"),
    ...samples(odd([NaN, Infinity, -Infinity, 1, -1, 0.5]), "float"),
    sample({ format: "int8", lead: [2], N: 3, K: 9, x: value("f32", [2, 9], new Float64Array(18)) }, "dynamic"),
  ],
  reference: ([x, ...rest], attrs) => [multiply(x!, rest, attrs)],
  tolerance: "dot",
  terms: ([x, ...rest], attrs) => [multiply(x!, rest, attrs, (numbers) => numbers.map(Math.abs))],
  errors: [
    {
      inputs: [typed("f32", 2, 6), typed("u8", 3, 6), typed("f32", 3, 1)],
      attrs: { format: "int8", inner: 6, group: 6, layout: "rows" },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "quantized_matmul: layout must be one of auto, panels, dense, got rows",
    },
    {
      inputs: [typed("f32", 2, 6), typed("u8", 3, 6), typed("f32", 3, 1)],
      attrs: { format: "int7", inner: 6, group: 6 },
      code: "ERR_ATHANOR_ARGUMENT",
      message:
        'quantized_matmul: format must be one of int8, int5, int4, int2, uint8, uint5, uint4, uint2, codebook8, codebook5, codebook4, codebook2, mxfp4, got "int7"',
    },
    {
      inputs: [typed("f32", 2, 6), typed("u8", 3, 6), typed("f32", 3, 1)],
      attrs: { format: "int4", inner: 6, group: 6 },
      code: "ERR_ATHANOR_SHAPE",
      message: "quantized_matmul: q must be u8 [N, 3] for 6 columns of int4, got u8 [3, 6]",
    },
    {
      inputs: [typed("f32", 2, 7), typed("u8", 3, 6), typed("f32", 3, 1)],
      attrs: { format: "int8", inner: 6, group: 6 },
      code: "ERR_ATHANOR_SHAPE",
      message: "quantized_matmul: x must be f32 […, 6] for a weight of 6 columns, got f32 [2, 7]",
    },
    {
      inputs: [typed("f32", 2, 6), typed("u8", 3, 6), typed("f32", 3, 1)],
      attrs: { format: "int8", inner: 6, group: 4 },
      code: "ERR_ATHANOR_SHAPE",
      message: "quantized_matmul: scale must be f32 or bf16 [3, 2] or [1, 1], got f32 [3, 1]",
    },
    {
      inputs: [typed("f32", 2, 6), typed("u8", 3, 6), typed("f32", 3, 1)],
      attrs: { format: "int8", inner: 6, group: 6, activations: "int" },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "quantized_matmul: activations must be one of float, dynamic, static, got int",
    },
    {
      inputs: [typed("f32", 2, 40000), typed("u8", 3, 40000), typed("f32", 3, 1)],
      attrs: { format: "int8", inner: 40000, group: 40000, activations: "dynamic" },
      code: "ERR_ATHANOR_UNSUPPORTED",
      message:
        'quantized_matmul: sums of integers have 32 bits, which 32768 columns fill, and the weight has 40000; use activations: "float"',
    },
    {
      inputs: [
        value("f32", [1, 9], new Float64Array(9)),
        value("u8", [2], [1, 2]),
        value("f32", [1, 1], [1]),
        value("u8", [1, 2], [255, 1]),
      ],
      attrs: { format: "int8", inner: 9, group: 9, bitmap: true },
      code: "ERR_ATHANOR_CORRUPT",
      message:
        "quantized_matmul: the weight contradicts itself: its bitmap marks another number of codes than there are, a code is past the end of the table, or a scale is no number; quantize it again",
    },
  ],
};

const values: OpSpec = {
  kind: "operation",
  samples: () =>
    formats.flatMap((format) =>
      cases(format).map((c) => {
        const { operands, attrs } = drawWeight(c);
        const { group = "all", scale = "f32" } = c;
        return { name: `${format} [${c.N}, ${c.K}], group ${group}, ${scale}`, inputs: operands, attrs };
      }),
    ),
  reference: (operands, attrs) => {
    const { N, K, values: data } = decode(operands, attrs);
    return [{ dtype: "f32", shape: [N, K], data }];
  },
  tolerance: "exact",
  fused: false,
  errors: [
    {
      inputs: [typed("u8", 3, 3), typed("u8", 3, 1)],
      attrs: { format: "mxfp4", inner: 6, group: 3 },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "dequantize: mxfp4 has a scale for every 32 columns, got group 3",
    },
    {
      inputs: [typed("u8", 3, 3), typed("f32", 3, 1)],
      attrs: { format: "mxfp4", inner: 6, group: 6 },
      code: "ERR_ATHANOR_SHAPE",
      message: "dequantize: scale must be u8 [3, 1] or [1, 1], got f32 [3, 1]",
    },
    {
      inputs: [value("u8", [1, 3], [1, 2, 3]), value("u8", [1, 1], [255])],
      attrs: { format: "mxfp4", inner: 6, group: 6 },
      code: "ERR_ATHANOR_CORRUPT",
      message:
        "dequantize: the weight contradicts itself: its bitmap marks another number of codes than there are, a code is past the end of the table, or a scale is no number; quantize it again",
    },
  ],
};

export const quantizedProducts = { quantized_matmul: spec, dequantize: values } as const;
