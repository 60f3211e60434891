// Quantized weights for samples, and what they stand for (native/formats/weights.h), from the definitions of the formats.
import type { NativeAttrs } from "../../../../lib/native/index.js";
import type { FormatName } from "../../../../lib/native/formats.js";
import { random, value, whole, type Value } from "../../value.js";

/** What a format's codes stand for; one that is missing does not compile. */
interface Meaning {
  readonly bits: number;
  readonly kind: "symmetric" | "affine" | "codebook";
  /** Values of its own, and scales 2^(byte − 127) for so many columns: the OCP's microscaling formats, revision 1.0. */
  readonly block?: { readonly columns: number; readonly table: readonly number[] };
}

const e2m1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6];

export const kinds: Readonly<Record<FormatName, Meaning>> = {
  int8: { bits: 8, kind: "symmetric" },
  int5: { bits: 5, kind: "symmetric" },
  int4: { bits: 4, kind: "symmetric" },
  int2: { bits: 2, kind: "symmetric" },
  uint8: { bits: 8, kind: "affine" },
  uint5: { bits: 5, kind: "affine" },
  uint4: { bits: 4, kind: "affine" },
  uint2: { bits: 2, kind: "affine" },
  codebook8: { bits: 8, kind: "codebook" },
  codebook5: { bits: 5, kind: "codebook" },
  codebook4: { bits: 4, kind: "codebook" },
  codebook2: { bits: 2, kind: "codebook" },
  mxfp4: { bits: 4, kind: "codebook", block: { columns: 32, table: [...e2m1, ...e2m1.map((x) => -x)] } },
};

export type Format = FormatName;

const f = Math.fround;

/** To the nearest whole number, halves to the even one. */
export function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

export interface WeightOptions {
  readonly format: Format;
  readonly N: number;
  readonly K: number;
  readonly group?: number;
  readonly scale?: "f32" | "bf16" | "one";
  readonly oneZero?: boolean;
  readonly tableSize?: number;
  readonly sparse?: boolean;
  /** All codes the same: the least or the largest one. */
  readonly extreme?: "least" | "largest";
}

/** The operands after x, without act, and their attributes. */
export interface Weight {
  readonly operands: readonly Value[];
  readonly attrs: NativeAttrs;
}

let seeds = 1;

function packCells(rows: readonly (readonly number[])[], bits: number): number[] {
  return rows.flatMap((row) => {
    const bytes = new Array<number>(Math.ceil((row.length * bits) / 8)).fill(0);
    row.forEach((code, i) => {
      for (let b = 0, at = i * bits; b < bits; ++b, ++at) bytes[at >> 3]! |= ((code >> b) & 1) << (at & 7);
    });
    return bytes;
  });
}

export function drawWeight(options: WeightOptions): Weight {
  const { format, N, K, scale = "f32", oneZero = false, sparse = false, extreme } = options;
  const { bits, kind, block } = kinds[format];
  const all = Math.max(K, 1);
  const group = block ? Math.min(block.columns, all) : (options.group ?? all);
  const draw = random(seeds++ * 6011);
  const groups = Math.ceil(K / group);
  const codes = (block ? undefined : options.tableSize) ?? 2 ** bits;
  const ends = kind === "symmetric" ? [2 ** (bits - 1), 2 ** (bits - 1) - 1] : [0, codes - 1];
  const pick = (): number => (extreme ? ends[extreme === "least" ? 0 : 1]! : Math.floor(draw() * codes));
  const rows = Array.from({ length: N }, () => Array.from({ length: K }, pick));
  const marks = rows.map((row) => row.map(() => (!sparse || draw() < 0.4 ? 1 : 0)));
  const kept = sparse ? [rows.flatMap((row, n) => row.filter((_, k) => marks[n]![k] === 1))] : rows;
  const bytes = packCells(kept, bits);
  const scales = scale === "one" ? [1, 1] : [N, groups];
  const operands = [
    value("u8", sparse ? [bytes.length] : [N, Math.ceil((K * bits) / 8)], bytes),
    value(
      block ? "u8" : scale === "bf16" ? "bf16" : "f32",
      scales,
      Array.from({ length: scales[0]! * scales[1]! }, () =>
        block ? 119 + Math.floor(draw() * 4) : 0.01 + draw() / 50,
      ),
    ),
  ];
  if (kind === "affine") operands.push(whole(oneZero ? [1, 1] : [N, groups], 0, 2 ** bits, "u8"));
  if (kind === "codebook" && !block)
    operands.push(
      value(
        "f32",
        [codes],
        Array.from({ length: codes }, () => 2 * draw() - 1),
      ),
    );
  if (sparse) operands.push(value("u8", [N, Math.ceil(K / 8)], packCells(marks, 1)));
  return {
    operands,
    attrs: {
      format,
      inner: K,
      group,
      zero: kind === "affine",
      table: kind === "codebook" && !block,
      bitmap: sparse,
    },
  };
}

export interface Decoded {
  readonly N: number;
  readonly K: number;
  /** Of element (n, k): the integer of integer products, and the value in f32. */
  readonly integers: Float64Array;
  readonly values: Float64Array;
  readonly scale: (n: number, k: number) => number;
  /** What the integers of a codebook are multiples of. */
  readonly unit: number;
  readonly group: number;
}

const tableUnit = (table: Float64Array): number => {
  const most = f(table.reduce((a, b) => Math.max(a, Math.abs(b)), 0));
  return most > 0 ? f(most / 127) : 1;
};

/** The weight that the operands after x stand for. */
export function decode(operands: readonly Value[], attrs: NativeAttrs): Decoded {
  const { bits, kind, block } = kinds[attrs.format as Format];
  const [K, group] = [attrs.inner as number, attrs.group as number];
  const rest = operands.slice(2);
  const [q, scales] = operands as [Value, Value];
  const zeros = attrs.zero ? rest.shift() : undefined;
  const table = block ? value("f32", [16], block.table) : attrs.table ? rest.shift()! : undefined;
  const bitmap = attrs.bitmap ? rest.shift() : undefined;
  const N = (bitmap ?? q).shape[0]!;
  const unit = table ? tableUnit(table.data) : 1;
  const perGroup = (x: Value, n: number, k: number): number =>
    x.data[x.data.length === 1 ? 0 : n * x.shape[1]! + Math.floor(k / group)]!;
  const scaleAt = (n: number, k: number): number =>
    block ? 2 ** (perGroup(scales, n, k) - 127) : perGroup(scales, n, k);
  const integers = new Float64Array(N * K);
  const values = new Float64Array(N * K);
  let next = 0;
  for (let n = 0; n < N; ++n) {
    for (let k = 0; k < K; ++k) {
      if (bitmap && ((bitmap.data[n * bitmap.shape[1]! + (k >> 3)]! >> (k & 7)) & 1) === 0) continue;
      const bit = bitmap ? bits * next++ : 8 * n * Math.ceil((K * bits) / 8) + bits * k;
      const window = q.data[bit >> 3]! + 256 * (q.data[(bit >> 3) + 1] ?? 0);
      const code = (window >> (bit & 7)) & (2 ** bits - 1);
      const half = 2 ** (bits - 1);
      const number = kind === "symmetric" ? (code ^ half) - half : zeros ? code - perGroup(zeros, n, k) : code;
      integers[n * K + k] = table ? roundEven(f(table.data[code]! / unit)) : number;
      values[n * K + k] = f(scaleAt(n, k) * (table ? table.data[code]! : number));
    }
  }
  return { N, K, integers, values, scale: scaleAt, unit, group };
}

/** x as integers (native/kernels/quant/quant.h) and the step; NaN for a row that has none. */
export function roundActivations(x: Float64Array, act: Value | undefined): { integers: Float64Array; step: number } {
  if (act) {
    const [step, zero] = [act.data[0]!, act.data[1]!];
    const integers = x.map((v) => Math.min(Math.max(roundEven(f(v / step)), -zero), 255 - zero));
    return { integers, step: x.some(Number.isNaN) ? NaN : step };
  }
  const most = x.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const exact = f(most / 127);
  const step = exact < Infinity ? exact || 1 : NaN;
  return { integers: x.map((v) => Math.min(Math.max(roundEven(f(v / step)), -127), 127)), step };
}

/** Σ over k of row · w[n], the groups' scales in order, where the row is integers or the weights' values count. */
export function dotRow(w: Decoded, n: number, row: Float64Array, step: number): number {
  let sum = 0;
  for (let k0 = 0; k0 < w.K; k0 += w.group) {
    let part = 0;
    for (let k = k0; k < Math.min(k0 + w.group, w.K); ++k) part += row[k]! * w.integers[n * w.K + k]!;
    sum += part * w.scale(n, k0);
  }
  return sum * step * w.unit;
}
