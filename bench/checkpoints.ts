// What checkpoints cost a run: the model of 24.4 M parameters in 100 tensors (that of bench/suites/optim.ts) with Adam, whose state is 293 MB.
//   node scripts/run-ts.mjs bench/checkpoints.ts [slowdown | stall | memory] [--rounds 3] [--steps 250] [--json bench/results/checkpoints.json]
//
// "slowdown": three runs in turns, without checkpoints, with one every 50 steps, and with a plain write and fsync of as many bytes at the same steps,
// which is what the disk costs by itself. "stall": how long the run waits for a checkpoint, beside a copy of as many bytes by one thread, in the same
// process. "memory": the resident memory after each of 200 checkpoints. Each adds its part to the file.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { array, data, isa, loss, nn, optim, Parameter, seed, threads, train, type FitOptions, type Tensor } from "athanor"; // prettier-ignore
import { machine } from "./row.js";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    steps: { type: "string", default: "250" },
    every: { type: "string", default: "50" },
    batch: { type: "string", default: "32" },
    checkpoints: { type: "string", default: "200" },
    dir: { type: "string", default: tmpdir() },
    json: { type: "string" },
  },
});
const bytes = 3 * 4 * 24_403_968;
const folder = mkdtempSync(join(flags.dir, "checkpoints-"));

/** x (B, 768) → (B, 512): 40 [512, 512], 26 [512, 1024], 32 [768], [256, 512], [512, 256] */
class Stack extends nn.Module {
  scales = Array.from({ length: 32 }, () => new Parameter([768], { fill: nn.init.ones() }));
  square = Array.from({ length: 40 }, () => nn.linear(512, 512, { bias: false }));
  wide = Array.from({ length: 13 }, () => nn.sequential(nn.linear(512, 1024, { bias: false }), nn.relu(), nn.linear(1024, 512, { bias: false }))); // prettier-ignore
  narrow = nn.sequential(nn.linear(512, 256, { bias: false }), nn.linear(256, 512, { bias: false }));

  forward(x: Tensor): Tensor {
    let h = this.scales.reduce((value, scale) => value.mul(scale), x).slice(null, [0, 512]);
    for (const layer of this.square) h = h.add(layer.forward(h).relu().mul(0.1));
    for (const pair of this.wide) h = h.add(pair.forward(h).mul(0.1));
    return this.narrow.forward(h);
  }
}

const values = (count: number, from: number) => Float32Array.from({ length: count }, (_, i) => Math.sin((i + from) * 12.9898)); // prettier-ignore
const samples = (rows: number) => data.fromArrays({ x: array(values(rows * 768, 0), [rows, 768]), y: array(values(rows * 512, 7), [rows, 512]) }); // prettier-ignore
const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

/** Trains a model of its own for so many steps. */
async function trained(batchSize: number, steps: number, more: Partial<FitOptions>): Promise<void> {
  seed(1);
  const model = new Stack();
  const shared = { loss: loss.mse(), optimizer: optim.adam({ lr: 1e-4 }), batchSize, steps };
  await train.fit(model, samples(8 * batchSize), { ...shared, ...more });
  model.dispose();
}

const metrics = ["copied", "waited", "written"] as const;
type Costs = Record<(typeof metrics)[number], number[]>;

/** Keeps what the run says of its checkpoints, in milliseconds. */
function listening(costs: Costs): FitOptions["log"] {
  const logger: train.log.Logger = {
    name: "costs",
    open: () => Promise.resolve(),
    write(records) {
      for (const record of records) {
        for (const name of metrics) {
          const value = record.metrics[`checkpoint.${name}`];
          if (value !== undefined) costs[name].push(value);
        }
      }
    },
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return { dir: join(folder, "log"), every: 1e6, loggers: [logger] };
}

async function writePlain(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, "w");
  await file.writeFile(content);
  await file.sync();
  await file.close();
  await rm(path);
}

/** Milliseconds a step, from the first checkpoint's step to the last one's. */
async function perStep(how: "none" | "checkpoints" | "plain"): Promise<number> {
  const [steps, every] = [Number(flags.steps) + 1, Number(flags.every)];
  const plain = how === "plain" ? Buffer.alloc(bytes, 1) : undefined;
  let writing = Promise.resolve();
  const at: number[] = [];
  const dir = join(folder, how);
  await trained(Number(flags.batch), steps, {
    ...(how === "checkpoints" && { checkpoint: { dir, every, keep: 2, best: false } }),
    callbacks: {
      onStep: ({ index }) => {
        if (index % every === 0) at.push(performance.now());
        if (plain && index > 0 && index % every === 0) {
          writing = writing.then(() => writePlain(join(folder, `plain-${index}`), plain));
        }
      },
    },
  });
  await writing;
  rmSync(dir, { recursive: true, force: true });
  return (at.at(-1)! - at[1]!) / (every * (at.length - 2));
}

async function slowdown() {
  const all = { none: [] as number[], checkpoints: [] as number[], plain: [] as number[] };
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const how of ["none", "checkpoints", "plain"] as const) all[how].push(await perStep(how));
    console.log(Object.entries(all).map(([how, times]) => `${how} ${times.at(-1)!.toFixed(2)} ms`).join(", ")); // prettier-ignore
  }
  const share = (a: readonly number[], b: readonly number[]) => median(a.map((value, i) => value / b[i]! - 1));
  return {
    steps: Number(flags.steps),
    every: Number(flags.every),
    batchSize: Number(flags.batch),
    millisecondsPerStep: all,
    checkpoints: share(all.checkpoints, all.none),
    plainWrites: share(all.plain, all.none),
    beyondTheDisk: share(all.checkpoints, all.plain),
  };
}

/** Milliseconds of copies of as many bytes by one thread, into memory that is there. */
function copies(): number[] {
  const [from, to] = [Buffer.alloc(bytes, 1), Buffer.alloc(bytes, 2)];
  return Array.from({ length: 9 }, () => {
    const begun = performance.now();
    from.copy(to);
    return performance.now() - begun;
  });
}

async function stall() {
  const costs: Costs = { copied: [], waited: [], written: [] };
  const memcpy = copies();
  const dir = join(folder, "stall");
  await trained(4, 400, { log: listening(costs), checkpoint: { dir, every: 20, keep: 1, best: false } });
  memcpy.push(...copies());
  const ratio = median(costs.copied) / median(memcpy);
  const { copied, waited, written } = costs;
  return {
    checkpoints: copied.length,
    millisecondsCopied: { median: median(copied), first: copied[0], most: Math.max(...copied) },
    millisecondsWaited: median(waited),
    millisecondsWritten: median(written),
    millisecondsOfACopy: median(memcpy),
    stallOverCopy: ratio,
  };
}

async function memory() {
  const resident: number[] = [];
  const many = Number(flags.checkpoints);
  await trained(1, many, {
    checkpoint: { dir: join(folder, "many"), every: 1, keep: 1, best: false },
    callbacks: { onStep: () => void resident.push(process.memoryUsage.rss() / 2 ** 20) },
  });
  const settled = resident.slice(5);
  const [first, last] = [settled[0]!, settled.at(-1)!];
  return { checkpoints: many, residentMiB: { after5: first, last, least: Math.min(...settled), most: Math.max(...settled) } }; // prettier-ignore
}

const parts = { slowdown, stall, memory };
const named = positionals.length > 0 ? positionals : Object.keys(parts);
const before: object =
  flags.json !== undefined && existsSync(flags.json) ? (JSON.parse(readFileSync(flags.json, "utf8")) as object) : {};
const date = new Date().toISOString().slice(0, 10);
const result: Record<string, unknown> = { ...before, date, machine: machine(), isa: isa(), threads: threads(), stateBytes: bytes }; // prettier-ignore
try {
  for (const name of named) {
    const measure = parts[name as keyof typeof parts];
    if (measure === undefined) throw new Error(`there is no part "${name}"; there are ${Object.keys(parts).join(", ")}`); // prettier-ignore
    result[name] = await measure();
    console.log(name, result[name]);
  }
} finally {
  rmSync(folder, { recursive: true });
}
if (flags.json !== undefined) {
  mkdirSync(dirname(flags.json), { recursive: true });
  writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);
}
