// native/ops/attention/attention.cc: y = softmax(scale q kᵀ + mask) v for every head; query heads may share key heads.
import type { NativeAttrs } from "../../../lib/native/index.js";
import { typed, type OpSpec, type Sample } from "../spec.js";
import { bools, countOf, offsetIn, permute, uniform, value, type Value } from "../value.js";
import { dot, logSumExp } from "./rows.js";

type Four = readonly [number, number, number, number];

const f32 = (shape: readonly number[], data: Float64Array): Value => ({ dtype: "f32", shape, data });

interface Head {
  /** Offset of row t of q, k and v. */
  readonly q: (t: number) => number;
  readonly k: (t: number) => number;
  /** Logits of row t. */
  readonly logits: readonly (readonly number[])[];
  readonly row: number;
}

/** Every (batch, query head) with its logits; -∞ where it may not look. */
function heads(
  [q, k, , mask]: readonly Value[],
  attrs: NativeAttrs,
): { all: Head[]; scale: number; D: number; Tk: number } {
  const [B, H, Tq, D] = q!.shape as unknown as Four;
  const [, Hkv, Tk] = k!.shape as unknown as Four;
  const scale = (attrs.scale as number | undefined) ?? 1 / Math.sqrt(D);
  const offset = (attrs.causal_offset as number | undefined) ?? 0;
  const all: Head[] = [];
  for (let b = 0; b < B; ++b) {
    for (let h = 0; h < H; ++h) {
      const kvHead = Math.floor(h / (H / Hkv));
      const at = { q: (t: number) => ((b * H + h) * Tq + t) * D, k: (t: number) => ((b * Hkv + kvHead) * Tk + t) * D };
      const logits = Array.from({ length: Tq }, (_, i) =>
        Array.from({ length: Tk }, (_, j) => {
          if (attrs.causal === true && j > i + offset) return -Infinity;
          const seen = mask ? mask.data[offsetIn(mask.shape, [b, h, i, j])]! : 0;
          if (mask?.dtype === "bool" && seen === 0) return -Infinity;
          let sum = 0;
          for (let d = 0; d < D; ++d) sum += q!.data[at.q(i) + d]! * k!.data[at.k(j) + d]!;
          return sum * scale + (mask?.dtype === "f32" ? seen : 0);
        }),
      );
      all.push({ ...at, logits, row: (b * H + h) * Tq });
    }
  }
  return { all, scale, D, Tk };
}

const probabilities = (logits: readonly number[]): number[] => {
  const lse = logSumExp(logits);
  return logits.map((x) => (lse === -Infinity ? 0 : Math.exp(x - lse)));
};

function attend(inputs: readonly Value[], attrs: NativeAttrs): Value[] {
  const [q, , v] = inputs;
  const { all, D, Tk } = heads(inputs, attrs);
  const y = new Float64Array(q!.data.length);
  const lse = new Float64Array(countOf(q!.shape.slice(0, 3)));
  for (const head of all) {
    head.logits.forEach((logits, i) => {
      lse[head.row + i] = logSumExp(logits);
      const p = probabilities(logits);
      for (let j = 0; j < Tk; ++j) for (let d = 0; d < D; ++d) y[head.q(i) + d]! += p[j]! * v!.data[head.k(j) + d]!;
    });
  }
  return [f32(q!.shape, y), f32(q!.shape.slice(0, 3), lse)];
}

/** dv = pᵀ dy; ds = p (dy vᵀ - Σ); dq = scale ds k; dk = scale dsᵀ q */
function attendGrad(inputs: readonly Value[], dy: Value, attrs: NativeAttrs): Value[] {
  const [q, k, v] = inputs;
  const { all, scale, D, Tk } = heads(inputs, attrs);
  const [dq, dk, dv] = [q!, k!, v!].map((x) => new Float64Array(x.data.length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (const head of all) {
    head.logits.forEach((logits, i) => {
      const p = probabilities(logits);
      const rows = Array.from({ length: Tk }, (_, j) => head.k(j));
      const dp = rows.map((at) => {
        let sum = 0;
        for (let d = 0; d < D; ++d) sum += dy.data[head.q(i) + d]! * v!.data[at + d]!;
        return sum;
      });
      const mean = dot(p, dp);
      rows.forEach((at, j) => {
        const ds = p[j]! * (dp[j]! - mean) * scale;
        for (let d = 0; d < D; ++d) {
          dv[at + d]! += p[j]! * dy.data[head.q(i) + d]!;
          dq[head.q(i) + d]! += ds * k!.data[at + d]!;
          dk[at + d]! += ds * q!.data[head.q(i) + d]!;
        }
      });
    });
  }
  return [f32(q!.shape, dq), f32(k!.shape, dk), f32(v!.shape, dv)];
}

interface Layout {
  readonly name: string;
  readonly q: Four;
  readonly kv?: readonly [number, number];
  readonly attrs?: NativeAttrs;
  readonly mask?: readonly number[];
  readonly float?: boolean;
}

const layouts: readonly Layout[] = [
  { name: "one of each", q: [1, 1, 1, 1] },
  { name: "uneven", q: [2, 3, 7, 5] },
  { name: "causal", q: [2, 2, 9, 8], attrs: { causal: true } },
  { name: "more keys than queries", q: [1, 2, 5, 4], kv: [2, 11] },
  { name: "causal with a past", q: [1, 2, 4, 6], kv: [2, 9], attrs: { causal: true, causal_offset: 5 } },
  { name: "grouped queries", q: [2, 6, 5, 4], kv: [2, 5] },
  { name: "one key head, causal", q: [1, 4, 6, 3], kv: [1, 6], attrs: { causal: true } },
  { name: "scale", q: [1, 1, 4, 4], attrs: { scale: 0.25 } },
  { name: "a bool mask", q: [2, 2, 5, 4], mask: [2, 1, 5, 5] },
  { name: "a bool mask of keys", q: [2, 2, 5, 4], mask: [2, 1, 1, 5] },
  { name: "an added mask", q: [2, 2, 5, 4], mask: [1, 2, 5, 5], float: true },
  { name: "a causal mask", q: [1, 2, 6, 4], mask: [1, 1, 6, 6], attrs: { causal: true } },
  { name: "an empty batch", q: [0, 2, 3, 4] },
  { name: "large", q: [2, 3, 131, 33], attrs: { causal: true } },
  { name: "large, all keys", q: [1, 2, 67, 64], kv: [2, 201] },
];

function sample({ name, q, kv, attrs = {}, mask, float }: Layout): Sample {
  const kvShape = [q[0], kv?.[0] ?? q[1], kv?.[1] ?? q[2], q[3]];
  const inputs = [uniform(q), uniform(kvShape), uniform(kvShape)];
  if (!mask) return { name, inputs, attrs };
  // The first key is always seen: a row that sees nothing has no softmax.
  const drawn = float ? uniform(mask) : bools(mask);
  const seen = drawn.data.map((x, i) => (i % (mask.at(-1) ?? 1) === 0 ? 1 : x));
  return { name, inputs: [...inputs, value(drawn.dtype, mask, seen)], attrs: { ...attrs, mask: true } };
}

function gradSample(layout: Layout): Sample {
  const { name, inputs, attrs = {} } = sample(layout);
  const [y, lse] = attend(inputs, attrs).map((x) => value("f32", x.shape, x.data));
  return { name, inputs: [...inputs, y!, lse!, uniform(inputs[0]!.shape)], attrs };
}

const gradOf = (inputs: readonly Value[], attrs: NativeAttrs): Value[] =>
  attendGrad(inputs.slice(0, attrs.mask === true ? 4 : 3), inputs.at(-1)!, attrs);

/** [B, T, (H + 2 Hkv) D] as q, k and v [B, H, T, D]. */
function unpacked(qkv: Value, attrs: NativeAttrs): [Value, Value, Value] {
  const [B, T, width] = qkv.shape as unknown as [number, number, number];
  const H = attrs.heads as number;
  const Hkv = (attrs.kv_heads as number | undefined) ?? H;
  const D = width / (H + 2 * Hkv);
  const part = (first: number, count: number): Value => {
    const data = new Float64Array(B * T * count * D);
    let at = 0;
    for (let row = 0; row < B * T; ++row)
      for (let e = 0; e < count * D; ++e) data[at++] = qkv.data[row * width + first * D + e]!;
    return permute(f32([B, T, count, D], data), [0, 2, 1, 3]);
  };
  return [part(0, H), part(H, Hkv), part(H + Hkv, Hkv)];
}

const joined = (heads: Value): Value => {
  const [B, H, T, D] = heads.shape as unknown as Four;
  return f32([B, T, H * D], permute(heads, [0, 2, 1, 3]).data);
};

function packed(parts: readonly Value[]): Value {
  const joinedParts = parts.map(joined);
  const [B, T] = joinedParts[0]!.shape as [number, number];
  const rows = Array.from({ length: B * T }, (_, row) =>
    joinedParts.flatMap((part) => [...part.data.subarray(row * part.shape[2]!, (row + 1) * part.shape[2]!)]),
  );
  return f32([B, T, joinedParts.reduce((sum, part) => sum + part.shape[2]!, 0)], Float64Array.from(rows.flat()));
}

const packedLayouts: readonly { name: string; qkv: readonly number[]; attrs: NativeAttrs }[] = [
  { name: "one of each", qkv: [1, 1, 3], attrs: { heads: 1 } },
  { name: "uneven", qkv: [2, 7, 45], attrs: { heads: 3 } },
  { name: "causal", qkv: [2, 9, 48], attrs: { heads: 2, causal: true } },
  { name: "grouped queries", qkv: [1, 6, 40], attrs: { heads: 6, kv_heads: 2, causal: true } },
  { name: "empty", qkv: [0, 4, 12], attrs: { heads: 2 } },
  { name: "large", qkv: [2, 131, 198], attrs: { heads: 2, causal: true } },
];

const packedSamples = (): Sample[] =>
  packedLayouts.map(({ name, qkv, attrs }) => ({ name, inputs: [uniform(qkv)], attrs }));

const headsOf = (y: Value, H: number): Value =>
  permute({ ...y, shape: [y.shape[0]!, y.shape[1]!, H, y.shape[2]! / H] }, [0, 2, 1, 3]);

const small = layouts.filter(({ name }) => ["uneven", "causal", "grouped queries", "a bool mask"].includes(name));

export const attentions = {
  attention: {
    kind: "operation",
    samples: () => layouts.map(sample),
    reference: attend,
    tolerance: "rows",
    gradients: { inputs: [0, 1, 2], twice: true, samples: () => small.map(sample) },
    errors: [
      {
        inputs: [typed("f32", 1, 1, 2, 4), typed("f32", 1, 1, 2, 4)],
        code: "ERR_ATHANOR_ARGUMENT",
        message: "attention: takes q, k and v",
      },
      {
        inputs: [typed("f64", 1, 1, 2, 4), typed("f32", 1, 1, 2, 4), typed("f32", 1, 1, 2, 4)],
        code: "ERR_ATHANOR_DTYPE",
        message: "attention: takes f32, got f64, f32 and f32",
      },
      {
        inputs: [typed("f32", 1, 1, 2, 4), typed("f32", 1, 1, 2, 5), typed("f32", 1, 1, 2, 5)],
        code: "ERR_ATHANOR_SHAPE",
        message:
          "attention: takes q [B, H, Tq, D], k and v [B, Hkv, Tk, D], got [1, 1, 2, 4], [1, 1, 2, 5] and [1, 1, 2, 5]",
      },
      {
        inputs: [typed("f32", 1, 3, 2, 4), typed("f32", 1, 2, 2, 4), typed("f32", 1, 2, 2, 4)],
        code: "ERR_ATHANOR_SHAPE",
        message: "attention: key heads must divide query heads, got 3 query and 2 key heads",
      },
      {
        inputs: [
          typed("f32", 1, 1, 2, 4),
          typed("f32", 1, 1, 2, 4),
          typed("f32", 1, 1, 2, 4),
          typed("i32", 1, 1, 2, 2),
        ],
        attrs: { mask: true },
        code: "ERR_ATHANOR_DTYPE",
        message: "attention: the mask must be bool (true: look) or f32 (added to the logits), got i32",
      },
      {
        inputs: [
          typed("f32", 1, 1, 2, 4),
          typed("f32", 1, 1, 2, 4),
          typed("f32", 1, 1, 2, 4),
          typed("bool", 1, 1, 2, 1),
        ],
        attrs: { mask: true },
        code: "ERR_ATHANOR_SHAPE",
        message: "attention: the mask must be [1 or B, 1 or H, 1 or Tq, Tk] of [1, 1, 2, 2], got [1, 1, 2, 1]",
      },
    ],
  },
  attention_grad: {
    kind: "operation",
    samples: () => layouts.map(gradSample),
    reference: gradOf,
    tolerance: "rows",
  },
  attention_packed: {
    kind: "operation",
    samples: packedSamples,
    reference: ([qkv], attrs) => {
      const [y, lse] = attend(unpacked(qkv!, attrs), attrs);
      return [joined(y!), lse!];
    },
    tolerance: "rows",
    gradients: { inputs: [0], twice: true, samples: () => packedSamples().slice(1, 4) },
    errors: [
      {
        inputs: [typed("f32", 2, 3, 10)],
        attrs: { heads: 2 },
        code: "ERR_ATHANOR_SHAPE",
        message:
          "attention: takes the projections f32 [B, T, (H + 2 Hkv) D] of 2 query and 2 key heads, got f32 [2, 3, 10]",
      },
      {
        inputs: [typed("f32", 2, 3, 12)],
        attrs: { heads: 0 },
        code: "ERR_ATHANOR_ARGUMENT",
        message: "attention_packed: heads must be a whole number of 1 or more, got 0",
      },
    ],
  },
  attention_packed_grad: {
    kind: "operation",
    samples: () =>
      packedSamples().map(({ name, inputs: [qkv], attrs = {} }) => {
        const [y, lse] = attend(unpacked(qkv!, attrs), attrs);
        const flat = joined(y!);
        return {
          name,
          inputs: [qkv!, value("f32", flat.shape, flat.data), value("f32", lse!.shape, lse!.data), uniform(flat.shape)],
          attrs,
        };
      }),
    reference: ([qkv, , , dy], attrs) => [
      packed(attendGrad(unpacked(qkv!, attrs), headsOf(dy!, attrs.heads as number), attrs)),
    ],
    tolerance: "rows",
  },
} as const satisfies Record<string, OpSpec>;
