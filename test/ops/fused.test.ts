// Every operation within a chain: its operands come out of an elementwise operation, its result goes through bias, relu and a
// residual. Fused or not, the bits must be those of the same arithmetic done step by step in JavaScript on the raw result.
import { describe, expect, it } from "vitest";
import type { OpName } from "../../lib/native/operations.js";
import type { Tensor } from "../../lib/tensor/index.js";
import { evaluate, exhaustive, expectSameBits, settings, show } from "./engine.js";
import type { OpSpec, Sample } from "./spec.js";
import { specs } from "./specs/index.js";
import { countOf, mapBroadcast, uniform, type Value } from "./value.js";

/** Shapes that broadcast to `shape`: everything from one number to all of it. */
function patternsOf(shape: readonly number[]): number[][] {
  const rank = shape.length;
  const keeping = (keep: (axis: number) => boolean) => shape.map((extent, axis) => (keep(axis) ? extent : 1));
  const all = [
    [],
    keeping(() => false),
    keeping(() => true),
    shape.slice(rank - 1),
    shape.slice(1),
    keeping((axis) => axis < rank - 1),
    ...shape.map((_, at) => keeping((axis) => axis === at)),
    keeping((axis) => axis % 2 === 0),
    keeping((axis) => axis % 2 === 1),
  ];
  return [...new Map(all.map((pattern) => [pattern.join(), [...pattern]])).values()];
}

interface Chain {
  readonly name: string;
  readonly traced: (y: Tensor, c: Tensor, r: Tensor) => Tensor[];
  /** The same in JavaScript; `round` is what the element type does to a result. */
  readonly plain: (y: Value, c: Value, r: Value, round: (x: number) => number) => Value[];
}

const biased = (y: number, c: number, round: (x: number) => number): number => Math.max(0, round(y + c));

const chains: readonly Chain[] = [
  {
    name: "bias and relu",
    traced: (y, c) => [y.add(c).relu()],
    plain: (y, c, _, round) => [mapBroadcast(y.dtype, [y, c], (a, b) => biased(a, b, round))],
  },
  {
    name: "bias, relu, residual; the raw result too",
    traced: (y, c, r) => [y.add(c).relu().mul(0.5).add(r), y],
    plain: (y, c, r, round) => [
      mapBroadcast(y.dtype, [y, c, r], (a, b, e) => round(round(biased(a, b, round) * 0.5) + e)),
      y,
    ],
  },
  {
    name: "every step a result, the raw one read twice",
    traced: (y, c, r) => {
      const a = y.add(c).relu();
      return [a, a.sub(y), y.mul(r)];
    },
    plain: (y, c, r, round) => [
      mapBroadcast(y.dtype, [y, c], (a, b) => biased(a, b, round)),
      mapBroadcast(y.dtype, [y, c], (a, b) => round(biased(a, b, round) - a)),
      mapBroadcast(y.dtype, [y, r], (a, e) => round(a * e)),
    ],
  },
  {
    name: "a mask and what it chooses",
    traced: (y, c, r) => {
      const mask = y.gt(c);
      return [mask.where(y, r), mask];
    },
    plain: (y, c, r) => [
      mapBroadcast(y.dtype, [y, c, r], (a, b, e) => (a > b ? a : e)),
      mapBroadcast("bool", [y, c], (a, b) => (a > b ? 1 : 0)),
    ],
  },
];

/** A few samples of an operation: small, finite, of different ranks. */
function chosen(spec: OpSpec): Sample[] {
  const samples = spec.samples().filter(({ name, inputs, attrs }) => {
    if (inputs.some(({ data }) => data.length > 4000) || countOf((attrs?.shape as number[] | undefined) ?? []) > 4000)
      return false;
    const [y] = spec.reference(inputs, attrs ?? {});
    const count = countOf(y!.shape);
    const finite = inputs.every((x) => x.data.every((e) => Number.isFinite(e) && Math.abs(e) < 1e6));
    return (
      (y!.dtype === "f32" || y!.dtype === "f64") && count > 1 && count < 4000 && finite && !name.startsWith("bf16")
    );
  });
  const byKind = new Map<string, Sample>();
  for (const sample of samples) {
    const key = `${sample.inputs.map(({ dtype, shape }) => `${dtype}${shape.length}`).join()} ${Object.keys(sample.attrs ?? {}).join()}`;
    if (!byKind.has(key)) byKind.set(key, sample);
  }
  return [...byKind.values()].slice(0, exhaustive ? 6 : 3);
}

function checkChain(
  op: OpName,
  sample: Sample,
  chain: Chain,
  pattern: readonly number[],
  shape: readonly number[],
  dtype: "f32" | "f64",
): void {
  const round = dtype === "f32" ? Math.fround : (x: number) => x;
  const c = uniform(pattern, -1, 1, dtype);
  const r = uniform(shape, -1, 1, dtype);
  const zero = uniform([], 0, 0, dtype);
  for (const setting of exhaustive ? settings : settings.filter(({ threads }) => threads === 1)) {
    const [y, ...got] = evaluate(
      [...sample.inputs, c, r, zero],
      (trace, tensors) => {
        const [c, r, zero] = tensors.slice(-3) as [Tensor, Tensor, Tensor];
        // x - 0 is x to the last bit, and nothing that a pass could know: the zero is fed.
        const operands = tensors.slice(0, -3).map((x) => (x.dtype === dtype ? x.sub(zero) : x));
        return [
          trace.apply(op, operands, sample.attrs),
          ...chain.traced(trace.apply(op, operands, sample.attrs), c, r),
        ];
      },
      setting,
    );
    const where = `${op} ${sample.name}, ${chain.name}, operand [${pattern.join(", ")}] (${show(setting)})`;
    expectSameBits(where, chain.plain(y!, c, r, round), got);
  }
}

for (const [name, spec] of Object.entries(specs)) {
  if (spec.kind !== "operation") continue;
  const checked: OpSpec = spec;
  const op = name as OpName;
  if (checked.fused === false) continue;
  describe(op, () => {
    it("gives the bits of its parts when fused with what is around it", () => {
      const samples = chosen(checked);
      expect(samples.length).toBeGreaterThan(0);
      for (const sample of samples) {
        const [y] = checked.reference(sample.inputs, sample.attrs ?? {});
        for (const pattern of patternsOf(y!.shape)) {
          for (const chain of chains) checkChain(op, sample, chain, pattern, y!.shape, y!.dtype as "f32" | "f64");
        }
      }
    });
  });
}
