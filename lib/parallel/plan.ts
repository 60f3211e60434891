// A run looked at before it is paid for: its passes are measured here, and what they would come to on more ranks is predicted.
import { requireCount } from "../guidance/arguments.js";
import { availableParallelism } from "node:os";
import { ArgumentError, checkOptions } from "../errors.js";
import type { BatchSource, Samples } from "../data/index.js";
import { got } from "../names/got.js";
import { addon, call } from "../native/index.js";
import type { ModuleLike } from "../nn/index.js";
import { bindLater } from "../optim/bound.js";
import { stateElements } from "../optim/state-size.js";
import { makeSchedule, showBytes } from "../pipeline/index.js";
import { typesOfData } from "../train/data/run-data.js";
import { planFit, type FitOptions } from "../train/fit-options.js";
import { defaultShards, type ZeroStage } from "../train/ranks/parallelism.js";
import { measureCut } from "../train/ranks/pipeline-cut.js";
import { traceStages } from "../train/ranks/pipeline-stages.js";
import { AuxiliaryModules } from "../train/step/auxiliary-modules.js";
import { bindTo, passesOf } from "../train/step/step-loops.js";
import { predictData, predictPipeline, ranksThatPay, type Machine, type Prediction, type StepWork } from "./cost.js";
import { measureLink } from "./link.js";

/** Options of {@link plan}. */
export interface PlanOptions {
  /** How many ranks there would be. */
  readonly ranks: number;
  /** Seconds until a small message has arrived. Default as measured where several ranks run, else 10 µs. */
  readonly latency?: number | undefined;
  /** Bytes a second between two ranks. Default likewise, else 4e9. */
  readonly bandwidth?: number | undefined;
  /** Ranks on one host. Default all of them. */
  readonly ranksPerHost?: number | undefined;
}

/** What a run would come to. */
export interface ParallelPlan {
  /** By strategy, the quickest first. */
  readonly predictions: readonly Prediction[];
  readonly machine: Machine;
  /** How many ranks of data parallelism still pay, of 1, 2, 4, … */
  readonly pays: number;
  /** All of it for people. */
  toString(): string;
}

/**
 * Predicts memory and time of a run by data parallelism and by pipelines, and says when more ranks will not pay. The passes of the
 * model are measured in this process, by `ATHANOR_THREADS` threads; latency and bandwidth are measured where `mpirun` has started several ranks.
 *
 * @param options those of `train.fit`.
 * @throws ArgumentError for options out of range, and what `train.fit` throws for its own.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(256), [64, 4]), y: array(new Float32Array(64), [64, 1]) });
 * const model = nn.sequential(nn.linear(4, 32), nn.relu(), nn.linear(32, 1));
 * const run = { loss: loss.mse(), optimizer: optim.adam({ lr: 1e-3 }), batchSize: 64 };
 * console.log(String(await parallel.plan(model, set, run, { ranks: 4 })));
 */
export async function plan(
  model: ModuleLike,
  dataset: Samples | BatchSource,
  options: FitOptions,
  planned: PlanOptions,
): Promise<ParallelPlan> {
  const where = "parallel.plan";
  checkOptions(where, planned, ["ranks", "latency", "bandwidth", "ranksPerHost"]);
  const { ranks } = planned;
  requireCount(where, "ranks", ranks, 1, 4096);
  for (const [name, value] of Object.entries({ latency: planned.latency, bandwidth: planned.bandwidth })) {
    if (value === undefined || (typeof value === "number" && value > 0)) continue;
    throw new ArgumentError(`${where}: ${name} must be a number above 0, got ${got(value)}`);
  }
  const link = await measureLink(planned);
  const machine: Machine = {
    ...link,
    ranksPerHost: planned.ranksPerHost ?? ranks,
    cores: availableParallelism(),
    threads: addon.threads(),
  };
  const measured = await measureRun(where, model, dataset, options);
  const counts = [...new Set([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048].filter((n) => n < ranks)), ranks];
  const { work, buckets } = measured;
  const divided = (n: number, zero: ZeroStage) =>
    predictData(work, machine, { ranks: n, shards: Math.min(defaultShards(n), work.batchSize), buckets, zero });
  const data = counts.filter((n) => n <= work.batchSize).map((n) => divided(n, 0));
  const zeros = ([1, 2, 3] as const)
    .filter(() => ranks > 1 && ranks <= work.batchSize)
    .map((zero) => divided(ranks, zero));
  const pipelines = await predictPipelines(measured, machine, ranks);
  const predictions = [...data, ...zeros, ...pipelines].sort((a, b) => a.seconds - b.seconds);
  const pays = ranksThatPay(data);
  return { predictions, machine, pays, toString: () => textOf(predictions, machine, pays, ranks) };
}

async function measureRun(where: string, model: ModuleLike, dataset: Samples | BatchSource, options: FitOptions) {
  const run = planFit(model, dataset, { ...options, parallel: undefined });
  const auxiliary = new AuxiliaryModules(run.seed);
  const source = { where, plan: run, columns: typesOfData(run.dataset), auxiliary, hooks: {} };
  const { batchSize } = run;
  const trace = (rows: number) =>
    traceStages({ ...passesOf(source, rows), bound: (made) => bindTo(source, made, bindLater) });
  const cutAt = async (rows: number, stages: number) => {
    const traced = trace(rows);
    try {
      return { ...(await measureCut({ where, traced, stages, balance: "measured" })), bound: traced.bound };
    } finally {
      call(() => traced.trace.graph.dispose());
    }
  };
  const total = ({ stages: [only] }: Awaited<ReturnType<typeof cutAt>>) => only!.cost.forward + only!.cost.backwardInput + only!.cost.backwardWeight; // prettier-ignore
  const whole = await cutAt(batchSize, 1);
  const quarter = Math.max(1, Math.floor(batchSize / 4));
  const part = quarter === batchSize ? whole : await cutAt(quarter, 1);
  const perRow = quarter === batchSize ? total(whole) / batchSize : Math.max(0, (total(whole) - total(part)) / (batchSize - quarter)); // prettier-ignore
  const fixed = Math.max(0, total(whole) - perRow * batchSize);
  const parameters = whole.bound.parameters.reduce((sum, { size }) => sum + size, 0);
  const shapes = whole.bound.parameters.map(({ shape }) => shape);
  const states = stateElements(whole.bound.optimizer, shapes) / Math.max(1, parameters);
  const work: StepWork = {
    batchSize,
    parameters,
    states,
    seconds: (rows) => fixed + perRow * rows,
    update: (4 * parameters * (3 + 2 * states)) / copyBandwidth(),
    keptPerRow: whole.stages[0]!.cost.kept / batchSize,
  };
  return { work, cutAt, buckets: Math.max(1, Math.ceil((4 * parameters) / (25 * 2 ** 20))) };
}

// Bytes a second of memory that is read and written, by a copy that does not fit in cache.
function copyBandwidth(): number {
  const [from, to] = [new Float32Array(2 ** 22).fill(1), new Float32Array(2 ** 22)];
  to.set(from);
  const begun = performance.now();
  to.set(from);
  return (2 * from.byteLength) / ((performance.now() - begun) / 1e3);
}

async function predictPipelines(
  { work, cutAt }: Awaited<ReturnType<typeof measureRun>>,
  machine: Machine,
  ranks: number,
) {
  const found: Prediction[] = [];
  for (const stages of [2, 4, 8, 16].filter((p) => p <= ranks && ranks % p === 0)) {
    const copies = ranks / stages;
    const microBatches = Math.min(4 * stages, Math.floor(work.batchSize / copies));
    const rows = Math.floor(work.batchSize / copies / microBatches);
    if (rows < 1 || microBatches < stages) continue;
    const cut = await cutAt(rows, stages).catch((thrown: unknown) => {
      if (thrown instanceof ArgumentError) return undefined; // fewer layers than stages
      throw thrown;
    });
    if (!cut) continue;
    const costs = cut.stages.map(({ cost }) => cost);
    const sends = cut.stages.map(({ sends: bytes }) => bytes);
    for (const name of ["1f1b", "zero-bubble"] as const) {
      const schedule = makeSchedule("parallel.plan", name, { ranks: stages, microBatches });
      found.push(predictPipeline(work, machine, { schedule, costs, sends, copies, largest: cut.largest }));
    }
  }
  return found;
}

function textOf(predictions: readonly Prediction[], machine: Machine, pays: number, ranks: number): string {
  const rows = predictions.map(({ strategy, seconds, exposed, held, kept }) => [
    strategy,
    `${(1e3 * seconds).toPrecision(3)} ms`,
    `${(1e3 * exposed).toPrecision(2)} ms`,
    showBytes(Math.round(held)),
    showBytes(Math.round(kept)),
  ]);
  const table = [["strategy", "a step", "messages", "weights and states", "activations"], ...rows];
  const widths = table[0]!.map((_, c) => Math.max(...table.map((row) => row[c]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, c) => cell.padEnd(widths[c]!))
      .join("  ")
      .trimEnd(),
  );
  const verdict =
    pays < ranks
      ? `Data parallelism: more than ${pays} ${pays === 1 ? "rank does" : "ranks do"} not pay; doubling them saves less than a tenth of a step.`
      : `Data parallelism pays up to all ${ranks} ranks.`;
  const link = `${(1e6 * machine.latency).toPrecision(3)} µs, ${(machine.bandwidth / 1e9).toPrecision(3)} GB/s`;
  return [
    ...lines,
    "",
    `${verdict} Messages: ${link}; ${machine.cores} cores a host, ${machine.threads} threads a rank.`,
  ].join("\n");
}
