// A table that is trained on as it is read, beside the same table in memory (acceptance: 0.8 of the samples per second, under 400 MB):
//   node scripts/run-ts.mjs bench/streaming.ts [--rows 5000000] [--turns 3] [--json bench/results/streaming.json]
//
// A CSV of 19 features and a target with four decimals, 100,000 different rows over and over. Each side is a fresh process, in turns; it
// trains one epoch of 19-128-64-1 with Adam, batches of 512; what is read first to learn the columns does not count. "scan" reads the same source and does nothing with it; "csv-parse" is the
// JavaScript parser on the first 200,000 rows. Resident memory is the highest of the process; delay is that of the event loop.
import { execFileSync } from "node:child_process";
import {
  createReadStream,
  existsSync,
  openSync,
  closeSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { array, data, isa, loss, nn, optim, train } from "athanor";
import { parse } from "csv-parse";
import { machine } from "./row.js";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "5000000" },
    turns: { type: "string", default: "3" },
    json: { type: "string" },
    side: { type: "string" }, // given by the parent process
    file: { type: "string" },
  },
});
const rows = Number(options.rows);
const features = 19;

interface Measured {
  readonly samplesPerSecond: number;
  readonly seconds: number;
  readonly residentMB: number;
  readonly delayMs?: { readonly max: number; readonly p99: number };
}

// Numbers of the row, the same on every side.
const different = 100_000;
const valueOf = (row: number, column: number) =>
  Math.round(Math.sin((row + 1) * 12.9898 + column * 78.233) * 4e4) / 1e4;

function writeFile(path: string): void {
  const block = Array.from({ length: different }, (_, row) =>
    Array.from({ length: features + 1 }, (_, column) => valueOf(row, column).toFixed(4)).join(","),
  ).join("\n");
  const file = openSync(path, "w");
  writeSync(file, `${Array.from({ length: features }, (_, i) => `f${i}`).join(",")},y\n`);
  for (let row = 0; row < rows; row += different) writeSync(file, `${block}\n`);
  closeSync(file);
}

async function fit(samples: data.Samples | data.Source): Promise<number> {
  const model = nn.sequential(nn.linear(features, 128), nn.relu(), nn.linear(128, 64), nn.relu(), nn.linear(64, 1));
  const begun = performance.now();
  const { steps } = await train.fit(model, samples, {
    loss: loss.mse(),
    optimizer: optim.adam({ lr: 1e-3 }),
    batchSize: 512,
    steps: Math.floor(rows / 512),
    ...("read" in samples ? {} : { shuffle: false }), // both in the order of the file
  });
  if (steps < Math.floor(rows / 512)) throw new Error(`${steps} steps of ${rows} rows`);
  return (performance.now() - begun) / 1e3;
}

function inMemory(): data.Samples {
  const x = new Float32Array(rows * features);
  const y = new Float32Array(rows);
  for (let row = 0; row < Math.min(rows, different); row++) {
    for (let column = 0; column < features; column++) x[row * features + column] = valueOf(row, column);
    y[row] = valueOf(row, features);
  }
  for (let row = different; row < rows; row += different) {
    x.copyWithin(row * features, 0, Math.min(different, rows - row) * features);
    y.copyWithin(row, 0, Math.min(different, rows - row));
  }
  return { x: array(x, [rows, features]), y: array(y, [rows, 1]) };
}

const sides: Record<string, (file: string) => Promise<number>> = {
  memory: () => fit(inMemory()),
  stream: async (file) => fit(await data.csvStream(file, { label: "y" })),
  scan: async (file) => {
    let read = 0;
    const source = await data.csvStream(file, { label: "y" });
    const begun = performance.now();
    for await (const { x } of source.read({ seed: 0, epoch: 0, skip: 0 })) read += x.shape[0]!;
    if (read !== rows) throw new Error(`${read} rows of ${rows}`);
    return (performance.now() - begun) / 1e3;
  },
  "csv-parse": async (file) => {
    const begun = performance.now();
    const parser = createReadStream(file).pipe(parse({ trim: true, skip_empty_lines: true, to: 200_000 }));
    let cells = 0;
    for await (const record of parser as AsyncIterable<string[]>) cells += record.length;
    if (cells === 0) throw new Error("nothing was read");
    return ((performance.now() - begun) / 1e3) * (rows / Math.min(rows, 200_000));
  },
};

async function measure(side: string, file: string): Promise<Measured> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  if (side !== "memory") delay.enable(); // filling the arrays is not what is measured
  const seconds = await sides[side]!(file);
  delay.disable();
  const delayMs = { max: delay.max / 1e6, p99: delay.percentile(99) / 1e6 };
  return {
    samplesPerSecond: Math.round(rows / seconds),
    seconds,
    residentMB: Math.round(process.resourceUsage().maxRSS / 1e3),
    ...(side !== "memory" && { delayMs }),
  };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

function compare(): void {
  const folder = mkdtempSync(join(tmpdir(), "streaming-"));
  const file = join(folder, "table.csv");
  try {
    writeFile(file);
    const bytes = statSync(file).size;
    const found: Record<string, Measured[]> = {};
    for (let turn = 0; turn < Number(options.turns); turn++) {
      for (const side of Object.keys(sides)) {
        if (side === "csv-parse" && turn > 0) continue;
        const script = [fileURLToPath(import.meta.url), "--side", side, "--file", file, "--rows", String(rows)];
        const said = execFileSync(process.execPath, ["--import", "tsx", ...script], { encoding: "utf8" });
        (found[side] ??= []).push(JSON.parse(said.trim().split("\n").at(-1)!) as Measured);
      }
    }
    const rates = (side: string) => found[side]!.map(({ samplesPerSecond }) => samplesPerSecond);
    const ratios = rates("stream").map((rate, i) => rate / rates("memory")[i]!);
    console.log(`${rows} rows, ${(bytes / 1e6).toFixed(0)} MB, ${isa()}`);
    for (const [side, measured] of Object.entries(found)) {
      const delays = measured.map(({ delayMs }) => delayMs).filter((each) => each !== undefined);
      const loop = delays.length === 0 ? "" : `, event loop at most ${Math.max(...delays.map(({ max }) => max)).toFixed(1)} ms late (99 %: ${median(delays.map(({ p99 }) => p99)).toFixed(1)})`; // prettier-ignore
      console.log(`${side.padEnd(10)} ${median(rates(side)).toLocaleString("en")} samples/s (${rates(side).map((rate) => rate.toLocaleString("en")).join(", ")}), ${((median(rates(side)) * bytes) / rows / 1e6).toFixed(0)} MB/s, at most ${Math.max(...measured.map(({ residentMB }) => residentMB))} MB resident${loop}`); // prettier-ignore
    }
    console.log(
      `stream / memory: ${ratios.map((ratio) => ratio.toFixed(2)).join(", ")}, median ${median(ratios).toFixed(2)}`,
    );
    if (options.json) {
      const said = {
        date: new Date().toISOString().slice(0, 10),
        machine: machine(),
        isa: isa(),
        rows,
        bytes,
        sides: found,
        ratios,
      };
      writeFileSync(options.json, `${JSON.stringify(said, null, 2)}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (options.side === undefined) compare();
else if (existsSync(options.file!)) console.log(JSON.stringify(await measure(options.side, options.file!)));
