// athanor eval: how good and how fast an artifact is.
import { Command } from "commander";
import { load, type Served } from "../artifact/index.js";
import type { Dataset } from "../data/index.js";
import { AbortedError, ArgumentError } from "../errors.js";
import { accuracy } from "../metrics/index.js";
import { bytes, micros, percent, whole } from "../report/figures.js";
import { textTable } from "../tensor/text-table.js";
import { count } from "../train/format.js";
import type { Context } from "./commands.js";
import { loadData, withData, wholeNumber, type DataOptions } from "./data.js";
import { print } from "./output.js";

/** What a model reaches and costs. */
export interface Figures {
  readonly accuracy: number;
  readonly parameters: number;
  readonly nonzero: number;
  readonly bytes: number;
  readonly latencyMicros: { readonly p50: number; readonly p99: number };
  readonly samplesPerSecond: number;
}

interface EvalOptions extends DataOptions {
  readonly batch: number;
  readonly json?: boolean;
}

/** The command `eval`. */
export function evalCommand(context: Context): Command {
  const command = new Command("eval")
    .description("measures accuracy on the test part of a data set, latency at batch 1 and throughput at a large batch")
    .argument("<artifact...>", "one or more folders that artifact.save wrote")
    .option("-b, --batch <n>", "samples at a time for the throughput", wholeNumber, 256)
    .option("--json", "print JSON");
  return withData(command, "what to measure on").action(async (paths: string[], options: EvalOptions) => {
    const results: (Figures & { readonly artifact: string })[] = [];
    let samples = 0;
    for (const path of paths) {
      using model = await load(path);
      const { test } = await loadData(options, model.info);
      samples = test.length;
      results.push({ artifact: path, ...(await measure(model, test, options.batch, context.signal)) });
    }
    print(options.json, { data: options.data, samples, results }, () => {
      const head = ["artifact", "accuracy", "parameters", "on disk", "latency p50 / p99", "samples/s"];
      const rows = results.map((r) => [
        r.artifact,
        percent(r.accuracy),
        r.nonzero === r.parameters ? whole(r.parameters) : `${whole(r.nonzero)} of ${whole(r.parameters)}`,
        bytes(r.bytes),
        `${micros(r.latencyMicros.p50)} / ${micros(r.latencyMicros.p99)}`,
        count(r.samplesPerSecond),
      ]);
      return `${whole(samples)} samples of ${options.data}\n\n${textTable(head, rows)}`;
    });
  });
}

/** Measures a model on a data set. @throws ShapeError if they do not fit; AbortedError */
export async function measure(model: Served, test: Dataset, batch: number, signal: AbortSignal): Promise<Figures> {
  if (test.length === 0) throw new ArgumentError("eval: the test part of the data set is empty");
  const metric = accuracy().start();
  for (let start = 0; start < test.length; start += batch) {
    const part = test.slice(start, start + batch);
    metric.update(await model.predict(part.x, { signal }), part.y);
  }
  const one = test.slice(0, 1).x;
  const micro = timesOf(signal, 2_000, 200, () => void model.predictSync(one));
  const many = test.slice(0, batch).x;
  const rounds: number[] = [];
  for (let i = 0; i < 30; i++) {
    const begun = performance.now();
    await model.predict(many, { signal });
    if (i >= 5) rounds.push(performance.now() - begun);
  }
  return {
    accuracy: metric.result(),
    parameters: model.parameters,
    nonzero: model.countNonzero(),
    bytes: model.bytes,
    latencyMicros: { p50: quantile(micro, 0.5), p99: quantile(micro, 0.99) },
    samplesPerSecond: (many.shape[0]! / quantile(rounds, 0.5)) * 1e3,
  };
}

// Microseconds of each call; a slow model is called less often, so that it takes about two seconds at most.
function timesOf(signal: AbortSignal, most: number, warmup: number, work: () => void): number[] {
  const until = performance.now() + 2_000;
  const times: number[] = [];
  for (let i = 0; i < most + warmup && (times.length < 20 || performance.now() < until); i++) {
    if (signal.aborted) throw new AbortedError("eval: interrupted");
    const begun = process.hrtime.bigint();
    work();
    if (i >= Math.min(warmup, 3)) times.push(Number(process.hrtime.bigint() - begun) / 1e3);
  }
  return times;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
