// npm run bench -- SUITE… [--case NAME] [--threads 1,2] [--seconds 1] [--json FILE]
//
// Times the suites of bench/suites/ with tinybench, a fresh process for every number of threads, and holds each case against
// the machine's limit measured in the same process' turn (bench/peers/limits.c, where a C compiler is there). One line a row;
// --json writes { date, machine, rows } in the format of bench/row.ts. Comparisons with peers: bench/peers/run.mjs.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { isa } from "athanor";
import { Bench } from "tinybench";
import { ceilingOf } from "./ceiling.js";
import { fractionOf, inUnit, machine, type Row } from "./row.js";
import { loadSuite, type Case } from "./suite.js";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    case: { type: "string" },
    threads: { type: "string", default: availableParallelism() > 1 ? "1,2" : "1" },
    seconds: { type: "string", default: "1" },
    json: { type: "string" },
    rows: { type: "string" }, // given by the parent process: where to leave the rows
  },
});

const quantile = (ordered: readonly number[], q: number) =>
  ordered[Math.min(ordered.length - 1, Math.floor(q * ordered.length))]!;

async function measure(suite: string, item: Case, threads: number, seconds: number): Promise<Row> {
  const { step, dispose } = await item.prepare();
  const bench = new Bench({
    time: seconds * 1e3,
    warmupTime: 300,
    iterations: 5,
    warmupIterations: 2,
    retainSamples: true,
  });
  bench.add(item.name, step);
  const [task] = await bench.run();
  await dispose?.();
  const result = task?.result;
  if (result?.state !== "completed")
    throw result?.state === "errored" ? result.error : new Error(`${item.name}: not measured`);
  const times = [...(result.latency.samples ?? [])].sort((a, b) => a - b).map((ms) => ms / 1e3);
  const at = (q: number) => inUnit(item.unit, quantile(times, q), item.work, item.perStep ?? 1);
  const [low, high] = [at(0.1), at(0.9)].sort((a, b) => a - b) as [number, number];
  const row: Row = {
    suite,
    case: item.name,
    system: "athanor",
    threads,
    isa: isa(),
    median: at(0.5),
    p10: low,
    p90: high,
    ...(item.unit === "µs" ? { p99: at(0.99) } : {}),
    unit: item.unit,
    work: item.work,
  };
  const ceiling = item.ceiling === undefined ? undefined : ceilingOf(item.ceiling, threads);
  if (!ceiling) return row;
  const fraction = fractionOf(ceiling, quantile(times, 0.5), item.work);
  return { ...row, ceiling, ...(fraction === undefined ? {} : { fraction }) };
}

function line(row: Row): string {
  const number = (value: number) => value.toPrecision(4).padStart(9);
  const held =
    row.fraction === undefined ? "" : `   ${(row.fraction * 100).toFixed(0)} % of ${row.ceiling?.kind ?? ""}`;
  return `${row.suite.padEnd(10)} ${row.case.padEnd(28)} ${row.threads}t ${number(row.median)} ${row.unit.padEnd(9)} [${number(row.p10)} ${number(row.p90)}]${held}`;
}

async function child(rowsFile: string): Promise<void> {
  const rows: Row[] = [];
  for (const name of positionals) {
    const suite = await loadSuite(name);
    for (const item of suite.cases) {
      if (options.case !== undefined && !item.name.includes(options.case)) continue;
      const row = await measure(suite.name, item, Number(options.threads), Number(options.seconds));
      console.log(line(row));
      rows.push(row);
    }
  }
  writeFileSync(rowsFile, JSON.stringify(rows));
}

function parent(): number {
  const known = readdirSync(new URL("suites", import.meta.url)).map((file) => file.replace(/\.ts$/, ""));
  const unknown = positionals.find((name) => !known.includes(name));
  if (positionals.length === 0 || unknown !== undefined) {
    console.error(
      `bench: ${unknown === undefined ? "name a suite" : `no suite "${unknown}"`}; there are: ${known.join(", ")}`,
    );
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), "athanor-bench-"));
  const rows: Row[] = [];
  for (const threads of options.threads.split(",")) {
    const rowsFile = join(folder, `${threads}.json`);
    const again = [...process.execArgv, ...process.argv.slice(1), "--threads", threads, "--rows", rowsFile];
    const env = { ...process.env, ATHANOR_THREADS: threads };
    const { status } = spawnSync(process.execPath, again, { stdio: "inherit", env });
    if (status !== 0) return status ?? 1;
    rows.push(...(JSON.parse(readFileSync(rowsFile, "utf8")) as Row[]));
  }
  rmSync(folder, { recursive: true });
  if (options.json !== undefined) {
    mkdirSync(dirname(options.json), { recursive: true });
    const report = { date: new Date().toISOString().slice(0, 10), machine: machine(), rows };
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return 0;
}

if (options.rows === undefined) process.exitCode = parent();
else await child(options.rows);
