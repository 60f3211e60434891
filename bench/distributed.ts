// Training on several ranks of this machine, by Open MPI:
//   node scripts/run-ts.mjs bench/distributed.ts [loopback | bubbles | predictions | latency] [--rounds 3] [--json bench/results/distributed.json]
//
// "loopback": 2 ranks with a thread each beside one process with 2 threads, in turns, the same batch. "bubbles": the share of time in which 2 stages wait, by
// schedule, beside theory. "predictions": what the cost model says of divisions beside what they take. "latency": a sum of 1 KB over 4 ranks.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machine } from "./row.js";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" }, json: { type: "string" } },
});
const program = fileURLToPath(new URL("parallel.ts", import.meta.url));
const root = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };

function ranks(count: number, args: readonly string[], threads = 1): unknown {
  const node = [process.execPath, "--import", "tsx", program, ...args];
  const [command, ...rest] =
    count === 1 ? node : ["mpirun.openmpi", "--oversubscribe", "--bind-to", "none", "-n", String(count), ...node];
  const env = { ...process.env, ...root, ATHANOR_THREADS: String(threads) };
  const text = execFileSync(command!, rest, { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(text.trim().split("\n").at(-1)!) as unknown;
}

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

function loopback() {
  const rows = [];
  for (const [network, steps] of [
    ["mlp", "150"],
    ["gpt", "40"],
  ] as const) {
    const ratios: number[] = [];
    const seconds = { alone: [] as number[], ranks: [] as number[] };
    for (let round = 0; round < Number(flags.rounds); round++) {
      const one = ranks(1, ["steps", network, "{}", steps], 2) as { seconds: number };
      const two = ranks(2, ["steps", network, JSON.stringify({ data: { shards: 2 } }), steps]) as { seconds: number };
      seconds.alone.push(one.seconds);
      seconds.ranks.push(two.seconds);
      ratios.push(one.seconds / two.seconds);
    }
    rows.push({
      network,
      secondsAlone: median(seconds.alone),
      secondsOnRanks: median(seconds.ranks),
      ratio: median(ratios),
      ratios,
    });
  }
  return rows;
}

const parts: Record<string, () => unknown> = {
  loopback,
  bubbles: () => ["gpipe", "1f1b", "zero-bubble"].map((schedule) => ranks(2, ["bubbles", schedule])),
  predictions: () => ["mlp", "gpt"].map((network) => ranks(2, ["predictions", network])),
  latency: () => ranks(4, ["latency"]),
};
const known =
  flags.json !== undefined && existsSync(flags.json) ? (JSON.parse(readFileSync(flags.json, "utf8")) as object) : {};
const found: Record<string, unknown> = { ...known, machine: machine() };
for (const [name, measure] of Object.entries(parts)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  found[name] = measure();
  console.log(name, JSON.stringify(found[name], null, 2));
}
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(found, null, 2)}\n`);
