// One layer, or a small network, in every format beside itself in f32, in turns within one process: where a format pays, and that it
// is never slower. x and y stay in the engine, so that the times are the products' alone.
//   node scripts/run-ts.mjs bench/formats.ts [--layers 100x256,1024x1024] [--batches 1,8,64] [--formats int8,nf4] [--threads 1]
//   [--rounds 41] [--json FILE]
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  array,
  compile,
  isa,
  nn,
  NdArray,
  Parameter,
  prune,
  quantize,
  seed,
  setThreads,
  threads,
  type Scheme,
} from "athanor";
import { machine } from "./row.js";

const { values: flags } = parseArgs({
  options: {
    layers: {
      type: "string",
      default: "100x256,256x128,128x5,784x512,512x256,256x10,1024x1024,2048x2048,100-256-128-5",
    },
    batches: { type: "string", default: "1,4,16,64,256" },
    formats: { type: "string" },
    threads: { type: "string", default: "1" },
    rounds: { type: "string", default: "41" },
    json: { type: "string" },
  },
});

type Make = (model: nn.Module) => Promise<nn.Module>;
const weights =
  (scheme: Scheme): Make =>
  (model) =>
    quantize(model, scheme);
const inputs =
  (scheme: Scheme, pruned = 0): Make =>
  async (model) => {
    const K = model.parameters()[0]!.shape[1]!;
    const masked = pruned > 0 ? await prune(model, { amount: pruned }) : model;
    return quantize(masked, scheme, { calibrate: sample(256, K) });
  };
const sparse =
  (amount: number): Make =>
  async (model) =>
    prune.pack(await prune(model, { amount }));

const formats: Readonly<Record<string, Make>> = {
  f32: (model) => Promise.resolve(model),
  int8: weights(quantize.int8()),
  "int8 affine": weights(quantize.int8({ symmetric: false })),
  "int4 g32": weights(quantize.int4()),
  "int4 g32 affine": weights(quantize.int4({ symmetric: false })),
  int2: weights(quantize.intN(2, { per: 32 })),
  "nf4 g64": weights(quantize.nf4()),
  "kmeans 16": weights(quantize.kmeans()),
  "kmeans 256": weights(quantize.kmeans({ entries: 256 })),
  fp8: weights(quantize.fp8()),
  "int8, 80 % pruned": inputs(quantize.int8(), 0.8),
  "int8 dynamic": inputs(quantize.int8({ activations: "dynamic" })),
  "int8 static": inputs(quantize.int8({ activations: "static" })),
  "int4 g32 dynamic": inputs(quantize.int4({ activations: "dynamic" })),
  "sparse 50 %": sparse(0.5),
  "sparse 80 %": sparse(0.8),
  "sparse 90 %": sparse(0.9),
  "sparse 95 %": sparse(0.95),
};

let state = 1;
const draw = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
const sample = (rows: number, K: number): NdArray =>
  array(
    Float32Array.from({ length: rows * K }, () => draw()),
    [rows, K],
  );

function build(layers: string): nn.Module {
  seed(1);
  const widths = layers.split(/[x-]/).map(Number);
  const parts = widths.slice(1).flatMap((width, i) => [...(i > 0 ? [nn.relu()] : []), nn.linear(widths[i]!, width)]);
  return nn.sequential(...parts);
}

/** A compiled run of a model on x, and what frees it. */
function runner(model: nn.Module, x: NdArray, y: number) {
  const held = new Parameter(x.shape, { trainable: false });
  held.write(x);
  const result = new Parameter([x.shape[0]!, y], { trainable: false });
  const run = compile(() => {
    const { trace } = held.tensor();
    trace.update(result, model.forward(held.tensor()));
    return {};
  });
  run.runSync();
  return { run: () => run.runSync(), dispose: () => [run, held, result].forEach((each) => each.dispose()) };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Times of one call in µs, each the median of rounds in which both take turns; the ratio is the median of the rounds' ratios. */
function inTurns(a: () => unknown, b: () => unknown, rounds: number) {
  const timed = (f: () => unknown, calls: number) => {
    const start = performance.now();
    for (let i = 0; i < calls; ++i) f();
    return ((performance.now() - start) * 1e3) / calls;
  };
  const calls = Math.max(1, Math.ceil(300 / timed(a, 5)));
  const [as, bs, ratios]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < rounds; ++i) {
    const [first, second] = i % 2 === 0 ? [a, b] : [b, a];
    const [x, y] = [timed(first, calls), timed(second, calls)];
    const [ta, tb] = i % 2 === 0 ? [x, y] : [y, x];
    as.push(ta);
    bs.push(tb);
    ratios.push(ta / tb);
  }
  return { f32: median(as), format: median(bs), ratio: median(ratios) };
}

interface Row {
  readonly layers: string;
  readonly format: string;
  readonly batch: number;
  readonly threads: number;
  /** µs. */
  readonly f32: number;
  readonly time: number;
  /** Above 1: faster than f32. */
  readonly ratio: number;
}

const rows: Row[] = [];
setThreads(Number(flags.threads));
const names = flags.formats?.split(",") ?? Object.keys(formats);
for (const layers of flags.layers.split(",")) {
  const dense = build(layers);
  const [K, N] = [Number(layers.split(/[x-]/)[0]), Number(layers.split(/[x-]/).at(-1))];
  for (const name of names) {
    const model = await formats[name]!(dense);
    const line: string[] = [];
    for (const batch of flags.batches.split(",").map(Number)) {
      const x = sample(batch, K);
      const [plain, packed] = [runner(dense, x, N), runner(model, x, N)];
      const { f32, format, ratio } = inTurns(plain.run, packed.run, Number(flags.rounds));
      rows.push({ layers, format: name, batch, threads: threads(), f32, time: format, ratio });
      line.push(`${ratio.toFixed(2)} (${f32.toFixed(1)} µs)`.padStart(20));
      plain.dispose();
      packed.dispose();
    }
    console.log(`${layers.padEnd(14)} ${name.padEnd(18)}${line.join("")}`);
    if (model !== dense) model.dispose();
  }
  dense.dispose();
}
const slow = rows.filter(({ ratio }) => ratio < 0.97);
console.log(`${slow.length} of ${rows.length} are slower than f32 by more than 3 %`);
if (flags.json !== undefined) {
  writeFileSync(flags.json, `${JSON.stringify({ machine: machine(), isa: isa(), rows }, null, 1)}\n`);
}
