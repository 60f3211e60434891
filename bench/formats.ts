// One layer, or a small network, in every format beside itself in f32, in turns within one process: where a format pays, and that it
// is never slower. x and y stay in the engine, so that the times are the products' alone. Layers: 100x256 is a linear one,
// 100-256-5 a network, c16x32@14 a 3 x 3 convolution of 14 x 14 pixels. A case below 0.97 is measured again
// with five new pairs of programs, whose memory lies elsewhere (the same kernel beside itself strays by up to 10 % with the place of its
// weights), and its ratio is the median of those.
//   node scripts/run-ts.mjs bench/formats.ts [--layers 100x256,1024x1024] [--batches 1,8,64] [--formats int8,nf4] [--threads 1]
//   [--rounds 41] [--all-integers] [--json FILE]
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
      default:
        "100x256,256x128,128x5,784x512,512x256,256x10,1024x1024,2048x2048,100-256-128-5,c1x16@28,c16x32@14,c64x64@14",
    },
    batches: { type: "string", default: "1,4,16,64,256" },
    formats: { type: "string" },
    threads: { type: "string", default: "1" },
    rounds: { type: "string", default: "41" },
    "all-integers": { type: "boolean", default: false },
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
    const masked = pruned > 0 ? await prune(model, { amount: pruned }) : model;
    const integers = flags["all-integers"] ? "all" : "faster";
    return quantize(masked, scheme, { calibrate: sample([256, ...inputOf(model)]), integers });
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
const sample = (shape: number[]): NdArray =>
  array(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => draw()),
    shape,
  );

const pixels = new WeakMap<nn.Module, number>();

/** The shape of one sample. */
function inputOf(model: nn.Module): number[] {
  const first = model.parameters()[0]!.shape[1]!;
  const side = pixels.get(model);
  return side === undefined ? [first] : [first, side, side];
}

function build(layers: string): nn.Module {
  seed(1);
  const convolution = /^c(\d+)x(\d+)@(\d+)$/.exec(layers)?.slice(1).map(Number);
  if (convolution) {
    const model = nn.sequential(nn.conv2d(convolution[0]!, convolution[1]!, { kernel: 3, padding: 1 }));
    pixels.set(model, convolution[2]!);
    return model;
  }
  const widths = layers.split(/[x-]/).map(Number);
  const parts = widths.slice(1).flatMap((width, i) => [...(i > 0 ? [nn.relu()] : []), nn.linear(widths[i]!, width)]);
  return nn.sequential(...parts);
}

/** A compiled run of a model on x, and what frees it. */
function runner(model: nn.Module, x: NdArray, y: number[]) {
  const held = new Parameter(x.shape, { trainable: false });
  held.write(x);
  const result = new Parameter([x.shape[0]!, ...y], { trainable: false });
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
  /** Ratios of the five pairs, ascending, where the first was below 0.97. */
  readonly again?: readonly number[];
}

const tolerated = 0.97;

const rows: Row[] = [];
setThreads(Number(flags.threads));
const names = flags.formats?.split(",") ?? Object.keys(formats);
for (const layers of flags.layers.split(",")) {
  const dense = build(layers);
  for (const name of names) {
    const model = await formats[name]!(dense);
    const line: string[] = [];
    for (const batch of flags.batches.split(",").map(Number)) {
      const x = sample([batch, ...inputOf(dense)]);
      const y = [dense.parameters().at(-1)!.shape[0]!, ...inputOf(dense).slice(1)];
      const measure = () => {
        const [plain, packed] = [runner(dense, x, y), runner(model, x, y)];
        const times = inTurns(plain.run, packed.run, Number(flags.rounds));
        plain.dispose();
        packed.dispose();
        return times;
      };
      const first = measure();
      const again = first.ratio < tolerated ? Array.from({ length: 5 }, measure).sort((a, b) => a.ratio - b.ratio) : [];
      const { f32, format, ratio } = again[2] ?? first;
      const ratios = again.length > 0 ? { again: again.map((each) => each.ratio) } : {};
      rows.push({ layers, format: name, batch, threads: threads(), f32, time: format, ratio, ...ratios });
      line.push(`${ratio.toFixed(2)} (${f32.toFixed(1)} µs)`.padStart(20));
    }
    console.log(`${layers.padEnd(14)} ${name.padEnd(18)}${line.join("")}`);
    if (model !== dense) model.dispose();
  }
  dense.dispose();
}
const slow = rows.filter(({ ratio }) => ratio < tolerated);
for (const { layers, format, batch, again } of slow) {
  console.log(`slower: ${layers} ${format} batch ${batch}: ${again!.map((ratio) => ratio.toFixed(3)).join(", ")}`);
}
console.log(`${slow.length} of ${rows.length} are slower than f32 by more than 3 %`);
if (flags.json !== undefined) {
  const short = (_: string, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(4)) : value);
  const lines = rows.map((row) => `  ${JSON.stringify(row, short)}`).join(",\n");
  const head = `"machine": ${JSON.stringify(machine())}, "isa": "${isa()}"`;
  writeFileSync(flags.json, `{ ${head}, "rows": [\n${lines}\n] }\n`);
}
