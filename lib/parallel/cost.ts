// What a step would take on more ranks, from what it takes on one: compute by measured seconds, messages by latency and bandwidth (the α–β
// model of Hockney 1994), pipelines by their simulated schedule. Pure: the same numbers give the same prediction.
import { simulatePipeline, type PipelineSchedule, type StageCost } from "../pipeline/index.js";

/** The machine, or many alike. */
export interface Machine {
  /** Seconds until a small message has arrived. */
  readonly latency: number;
  /** Bytes a second between two ranks. */
  readonly bandwidth: number;
  /** Ranks on one host, and its cores; ranks that share cores slow each other down. */
  readonly ranksPerHost: number;
  readonly cores: number;
  /** Threads that each rank computes with, as when its passes were measured. */
  readonly threads: number;
}

/** A step on one rank. */
export interface StepWork {
  /** Samples of a batch, of all ranks. */
  readonly batchSize: number;
  /** Trained parameters, f32. */
  readonly parameters: number;
  /** States that the optimizer keeps for each parameter. */
  readonly states: number;
  /** Seconds of forward and backward pass over so many rows. */
  readonly seconds: (rows: number) => number;
  /** Seconds of the optimizer's pass over all parameters. */
  readonly update: number;
  /** Bytes kept between the passes, for each row. */
  readonly keptPerRow: number;
}

/** A way to divide a run, and what it would come to. */
export interface Prediction {
  readonly strategy: string;
  readonly ranks: number;
  /** Seconds of a step. */
  readonly seconds: number;
  /** Of them, what messages take that no computation hides. */
  readonly exposed: number;
  /** Bytes of parameters, gradients and optimizer states on the rank that has most. */
  readonly held: number;
  /** Bytes kept between the passes, at most. */
  readonly kept: number;
}

const sharing = ({ ranksPerHost, cores, threads }: Machine, ranks: number): number =>
  Math.max(1, (Math.min(ranks, ranksPerHost) * threads) / cores);

/** Data parallelism over a fixed number of shards. Gradients of all buckets but the last travel while the last shard's backward pass goes on. */
export function predictData(
  work: StepWork,
  machine: Machine,
  {
    ranks,
    shards,
    buckets,
    zero = 0,
  }: { readonly ranks: number; readonly shards: number; readonly buckets: number; readonly zero?: 0 | 1 | 2 | 3 },
): Prediction {
  const slow = sharing(machine, ranks);
  const rows = work.batchSize / shards;
  const pass = work.seconds(rows) * slow;
  const compute = Math.ceil(shards / ranks) * pass;
  const volume = ((zero === 3 ? 3 : 2) * (ranks - 1) * 4 * work.parameters) / ranks;
  const exchange = ranks === 1 ? 0 : volume / machine.bandwidth + 2 * (ranks - 1) * machine.latency;
  const hidden = Math.min(exchange * (1 - 1 / buckets), (2 / 3) * pass);
  const agreement = ranks === 1 ? 0 : (ranks - 1) * machine.latency;
  const update = zero > 0 ? (work.update * slow) / ranks : work.update * slow;
  const exposed = exchange - hidden + agreement;
  const bytes = 4 * work.parameters;
  const share = (from: number) => (zero >= from ? 1 / ranks : 1);
  return {
    strategy: `data ${ranks}${zero === 0 ? "" : `, ZeRO-${zero}`}`,
    ranks,
    seconds: compute + exposed + update,
    exposed,
    held: bytes * (share(3) + share(2) + work.states * share(1)),
    kept: work.keptPerRow * rows,
  };
}

/** Pipelines, `copies` of them, each over the ranks of its schedule. `costs`: of a micro-batch on every stage, without messages. */
export function predictPipeline(
  work: StepWork,
  machine: Machine,
  { schedule, costs, sends, copies, largest }: PipelineQuestion,
): Prediction {
  const ranks = schedule.ranks * copies;
  const slow = sharing(machine, ranks);
  const timed = costs.map((cost, s): StageCost => ({
    ...cost,
    forward: cost.forward * slow,
    backwardInput: cost.backwardInput * slow,
    backwardWeight: cost.backwardWeight * slow,
    transfer: machine.latency + sends[s]! / machine.bandwidth,
  }));
  const { seconds, peakBytes } = simulatePipeline("plan", schedule, timed);
  const volume = (2 * (copies - 1) * 4 * work.parameters * largest) / copies;
  const exchange = copies === 1 ? 0 : volume / machine.bandwidth + 2 * (copies - 1) * machine.latency;
  const agreement = 2 * (ranks - 1) * machine.latency;
  return {
    strategy: `pipeline ${schedule.ranks}${copies > 1 ? ` × data ${copies}` : ""}, ${schedule.name}`,
    ranks,
    seconds: seconds + exchange + agreement + work.update * slow * largest,
    exposed: exchange + agreement,
    held: 4 * work.parameters * (2 + work.states) * largest, // weights, gradients and states of its own
    kept: Math.max(...peakBytes),
  };
}

/** What {@link predictPipeline} is asked. */
export interface PipelineQuestion {
  readonly schedule: PipelineSchedule;
  readonly costs: readonly StageCost[];
  /** Bytes that each stage sends on for a micro-batch. */
  readonly sends: readonly number[];
  readonly copies: number;
  /** Share of the parameters on the rank that has most. */
  readonly largest: number;
}

/** From which number of ranks on more of them do not pay: the last one that still saves a tenth of the step over the one before. */
export function ranksThatPay(predictions: readonly Pick<Prediction, "ranks" | "seconds">[]): number {
  let paying = predictions[0]!;
  for (const next of predictions.slice(1)) if (next.seconds < 0.9 * paying.seconds) paying = next;
  return paying.ranks;
}
