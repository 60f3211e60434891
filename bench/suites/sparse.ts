// Sparse weights beside dense ones: linear layers of several batches and patterns, and a convolution, as compiled programs of
// parameters in the engine. Cases of a pair stand one after the other; the dense one is our own f32 product with its weight packed once.
import { addon, type NativeGraph, type ValueId } from "../../lib/native/index.js";
import { toSparse } from "../../lib/ops/index.js";
import { NdArray } from "../../lib/tensor/nd-array.js";
import type { Case, Suite } from "../suite.js";

/** Which elements of a row are kept. */
type Keep = (row: number, column: number, draw: () => number) => boolean;

interface Pattern {
  readonly name: string;
  readonly density: number;
  readonly keep: (density: number) => Keep;
}

const scattered =
  (density: number): Keep =>
  (row, column, draw) =>
    draw() < density;

/** Blocks of 16 neighbours in a row. */
const blocks = (density: number): Keep => {
  let kept = false;
  return (row, column, draw) => (kept = column % 16 === 0 ? draw() < density : kept);
};

/** Two of every four neighbours. */
const twoOfFour = (): Keep => {
  let left = 2;
  return (row, column, draw) => {
    if (column % 4 === 0) left = 2;
    if (draw() * (4 - (column % 4)) >= left) return false;
    left--;
    return true;
  };
};

const patterns: readonly Pattern[] = [
  ...[0.5, 0.4, 0.2, 0.1, 0.05].map((density) => ({
    name: `${Math.round(100 * (1 - density))} %`,
    density,
    keep: scattered,
  })),
  { name: "90 % in 1 × 16", density: 0.1, keep: blocks },
  { name: "2:4", density: 0.5, keep: twoOfFour },
];

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function weightOf(rows: number, columns: number, keep: Keep): NdArray {
  const draw = generator(1);
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < data.length; ++i) {
    if (keep(Math.floor(i / columns), i % columns, draw)) data[i] = draw() - 0.5;
  }
  return new NdArray(data, [rows, columns], "f32");
}

const native = ["f32", "u8"] as const;

/** One program that applies `build` to operands kept in the engine. */
function prepared(
  arrays: readonly NdArray[],
  build: (graph: NativeGraph, operands: readonly ValueId[]) => ValueId,
): { step: () => void; dispose: () => void } {
  const graph = new addon.Graph();
  const variables = arrays.map((array, i) => {
    const dtype = native.find((name) => name === array.dtype)!;
    const variable = new addon.Variable(dtype, array.shape, `operand${i}`);
    variable.write(array.data);
    return variable;
  });
  const result = build(
    graph,
    variables.map((variable) => graph.parameter(variable)),
  );
  graph.setOutputs(["y"], [result]);
  const program = graph.compile();
  return {
    step: () => program.runSync([], [null], 0, 0),
    dispose: () => [program, graph, ...variables].forEach((held) => held.dispose()),
  };
}

const randomArray = (shape: readonly number[]): NdArray => {
  const draw = generator(2);
  const count = shape.reduce((a, b) => a * b, 1);
  return new NdArray(
    Float32Array.from({ length: count }, () => draw() - 0.5),
    shape,
    "f32",
  );
};

/** A pair of cases of x [batch, 1024] by a weight [1024, 1024]. */
function linear(batch: number, { name, density, keep }: Pattern): Case[] {
  const [N, K] = [1024, 1024];
  const weight = (): NdArray => weightOf(N, K, keep(density));
  const x = (): NdArray => randomArray([batch, K]);
  const unit = "µs";
  return [
    {
      name: `batch ${batch} ${name} dense`,
      unit,
      work: { flops: 2 * batch * N * K, bytes: 4 * N * K },
      prepare: () => prepared([x(), weight()], (graph, [a, b]) => graph.apply("matmul", [a!, b!], { trans_b: true })),
    },
    {
      name: `batch ${batch} ${name} sparse`,
      unit,
      work: { flops: 2 * batch * N * K * density, bytes: 4 * N * K * density },
      prepare: () => {
        const { bitmap, values } = toSparse(weight());
        return prepared([x(), bitmap, values], (graph, operands) => graph.apply("sparse_matmul", [...operands], {}));
      },
    },
  ];
}

/** A pair of cases of 3 × 3 from 64 to 64 channels of 14 × 14. */
function convolution(batch: number, density: number): Case[] {
  const geometry = { padding: [1, 1, 1, 1], kernel: [3, 3] };
  const flops = 2 * batch * 14 * 14 * 64 * 64 * 9;
  const name = `conv 64 × 14 × 14, batch ${batch} ${Math.round(100 * (1 - density))} %`;
  const weight = (): NdArray => weightOf(64, 576, scattered(density));
  const x = (): NdArray => randomArray([batch, 64, 14, 14]);
  return [
    {
      name: `${name} dense`,
      unit: "µs",
      work: { flops, bytes: 8 * batch * 64 * 14 * 14 },
      prepare: () => {
        const dense = weight();
        return prepared([x(), new NdArray(dense.data, [64, 64, 3, 3], "f32")], (graph, operands) =>
          graph.apply("conv2d", [...operands], { padding: geometry.padding }),
        );
      },
    },
    {
      name: `${name} sparse`,
      unit: "µs",
      work: { flops: flops * density, bytes: 8 * batch * 64 * 14 * 14 },
      prepare: () => {
        const { bitmap, values } = toSparse(weight());
        return prepared([x(), bitmap, values], (graph, operands) =>
          graph.apply("sparse_conv2d", [...operands], geometry),
        );
      },
    },
  ];
}

export default {
  name: "sparse",
  cases: [
    ...patterns.flatMap((pattern) => linear(128, pattern)),
    ...patterns.flatMap((pattern) => linear(1, pattern)),
    ...convolution(32, 0.1),
  ],
} satisfies Suite;
