// native/ops/sources.cc, fused.cc and effects.cc: what makes values from nothing, and what no caller applies.
import type { NativeAttrs } from "../../../lib/native/index.js";
import type { DType } from "../../../lib/tensor/dtype.js";
import type { Elsewhere, OpSpec } from "../spec.js";
import { countOf } from "../value.js";

const elsewhere = (by: string, why: string): Elsewhere => ({ kind: "elsewhere", by, why });

/** Philox4x32-10 of Salmon et al. (SC'11), from the paper: word `word` of a block. */
function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  word: number,
): number {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; ++round) {
    const p0 = 0xd2511f53n * BigInt(c0);
    const p1 = 0xcd9e8d57n * BigInt(c2);
    c0 = (Number(p1 >> 32n) ^ c1 ^ k0) >>> 0;
    c2 = (Number(p0 >> 32n) ^ c3 ^ k1) >>> 0;
    c1 = Number(p1 & 0xffffffffn);
    c3 = Number(p0 & 0xffffffffn);
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3][word]!;
}

/** Element i of the stream (seed, step, key): word (i / 16) % 4 of block (i / 64) 16 + i % 16, its upper 24 bits in [0, 1). */
export function uniformAt(i: number, key: number, seed = 0, step = 0): number {
  const block = Math.floor(i / 64) * 16 + (i % 16);
  const bits = philox([block, 0, key, step], [seed >>> 0, Math.floor(seed / 2 ** 32)], Math.floor(i / 16) % 4);
  return (bits >>> 8) * 2 ** -24;
}

const ranges: readonly NativeAttrs[] = [
  { n: 0 },
  { n: 1 },
  { n: 37 },
  { n: 10, start: 3, step: 2 },
  { n: 9, start: -4, step: -3 },
  { n: 100_003 },
];

const arange: OpSpec = {
  kind: "operation",
  samples: () => [
    ...(["f32", "f64", "i32"] as const).flatMap((dtype) =>
      ranges.map((attrs) => ({ name: `${dtype} ${JSON.stringify(attrs)}`, inputs: [], attrs: { ...attrs, dtype } })),
    ),
    { name: "halves", inputs: [], attrs: { n: 21, start: -1, step: 0.5, dtype: "f32" } },
  ],
  reference: (_, { n, start = 0, step = 1, dtype = "i32" }) => [
    {
      dtype: dtype as DType,
      shape: [n as number],
      data: Float64Array.from({ length: n as number }, (_unused, i) => (start as number) + i * (step as number)),
    },
  ],
  tolerance: "exact",
  errors: [
    {
      inputs: [],
      attrs: { n: -1 },
      code: "ERR_ATHANOR_ARGUMENT",
      message: "arange: n must be a whole number of 0 or more, got -1",
    },
    {
      inputs: [],
      attrs: { n: 2, dtype: "u8" },
      code: "ERR_ATHANOR_DTYPE",
      message: "arange: makes i32, f32 or f64, got u8; cast it after",
    },
  ],
};

const randomUniform: OpSpec = {
  kind: "operation",
  samples: () =>
    (["f32", "f64"] as const).flatMap((dtype) =>
      ([[], [1], [0, 3], [129], [7, 33], [173, 211]] as const)
        .filter((shape) => dtype === "f32" || countOf(shape) < 10_000)
        .flatMap((shape) =>
          [0, 5].map((key) => ({
            name: `${dtype} [${shape.join(", ")}] of stream ${key}`,
            inputs: [],
            attrs: { shape, key, dtype },
          })),
        ),
    ),
  reference: (_, { shape, key, dtype }) => [
    {
      dtype: dtype as DType,
      shape: shape as number[],
      data: Float64Array.from({ length: countOf(shape as number[]) }, (_unused, i) => uniformAt(i, key as number)),
    },
  ],
  tolerance: "exact",
  errors: [
    {
      inputs: [],
      attrs: { shape: [2] },
      code: "ERR_ATHANOR_ARGUMENT",
      message: 'random_uniform: attribute "key" is missing, expected a whole number of 0 or more',
    },
  ],
};

const collectives = "test/parallel/collectives.test.ts";

export const sources = {
  input: elsewhere("test/unit/tensor/compile.test.ts", "made by Graph.input; every sample of the matrix feeds some"),
  parameter: elsewhere("test/unit/tensor/compile.test.ts", "made by Graph.parameter from a variable"),
  constant: elsewhere("test/unit/tensor/compile.test.ts", "made by Graph.constant from host values"),
  arange,
  random_uniform: randomUniform,
  fused: elsewhere("test/ops/fused.test.ts", "made by the fuser alone, of every elementwise operation of the matrix"),
  gradient_bucket: elsewhere("test/parallel/data.test.ts", "it delivers gradients to other ranks"),
  all_reduce: elsewhere(collectives, "it sums over ranks"),
  all_gather: elsewhere(collectives, "it joins parts of ranks"),
  reduce_scatter: elsewhere(collectives, "it sums over ranks"),
  broadcast: elsewhere(collectives, "it reads one rank's value"),
  all_to_all: elsewhere(collectives, "it exchanges parts between ranks"),
  send: elsewhere(collectives, "it goes to another rank"),
  receive: elsewhere(collectives, "it comes from another rank"),
  replicated: elsewhere(collectives, "its gradient is summed over ranks"),
  collective_start: elsewhere(collectives, "made by the compiler alone"),
  collective_wait: elsewhere(collectives, "made by the compiler alone"),
  assign: elsewhere("test/unit/tensor/compile.test.ts", "its effect is a variable's next value"),
  optimizer_step: elsewhere("test/golden/optimizers.test.ts", "its effect is held to PyTorch's trajectories"),
} as const;
