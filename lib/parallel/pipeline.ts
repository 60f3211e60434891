// Pipeline parallelism: every rank has some of the model's layers, and micro-batches go through the ranks one after another.
import { requireFields, requireCount } from "../guidance/arguments.js";
import { ArgumentError, checkOptions, nearestName } from "../errors.js";
import { got } from "../names/got.js";

import {
  drawPipeline,
  makeSchedule,
  printPipeline,
  scheduleNames,
  simulatePipeline,
  type PipelineSchedule,
  type PipelineScheduleName,
  type PipelineSimulation,
  type StageCost,
  type TimedAction,
} from "../pipeline/index.js";
import type { PipelineParallelism, PipelinePlan } from "../train/ranks/parallelism.js";
import { DEADLINE } from "../train/ranks/ranks.js";
import { checkedBytes, checkedDeadline } from "./data.js";

/** Options of {@link pipeline}. */
export interface PipelineOptions {
  /** Ranks of one pipeline. With more ranks there are several pipelines, which divide the batch. Default all ranks. */
  readonly stages?: number | undefined;
  /**
   * Parts that every batch is cut into, over all pipelines together. Weights have the same bits for any number of stages and pipelines, and those of
   * `parallel.data({ shards })` with as many shards. Default 4 for each rank.
   */
  readonly microBatches?: number | undefined;
  /** The order of work, by name or made by {@link pipelineSchedule}. Default "1f1b". */
  readonly schedule?: PipelineScheduleName | PipelineSchedule | undefined;
  /** Parts of the model on each rank, at most 5, with the schedule "interleaved". Default 1; 2 with "interleaved". */
  readonly chunks?: number | undefined;
  /** Whether the model is cut by the time that its layers take on rank 0, or by their operations. Default "measured". */
  readonly balance?: "measured" | "flops" | undefined;
  /** Seconds within which a rank has to answer the others. Default 120. */
  readonly deadline?: number | undefined;
  /** Bytes of gradients that pipelines exchange at a time. Default 25 MiB. */
  readonly bucketBytes?: number | undefined;
  /** Told by rank 0, before the first step, where the model was cut and what the schedule would come to. */
  readonly onPlan?: ((plan: PipelinePlan) => void) | undefined;
  /** Told, on every rank and now and then, when it did what in the last step. */
  readonly onTimeline?: ((timeline: readonly TimedAction[]) => void) | undefined;
}

/**
 * Cuts a model in stages of equal cost, one or more on each rank that `mpirun -n 4 node script.js` has started, and sends micro-batches through
 * them: activations forward, their gradients backward, without JavaScript. A model that is traced is cut between its layers; what skips stages is
 * handed on, and a weight that several stages use is stepped by one of them and sent to the others. Each rank keeps weights, gradients and
 * optimizer states of its own layers alone; all weights are there at validations, checkpoints and the end.
 *
 * @throws ArgumentError for options out of range, and a schedule that would never end. The run throws ArgumentError for more stages than layers, and
 *   CommunicationError on all ranks when one of them fails.
 * @see GPipe, arXiv:1811.06965; PipeDream-flush, arXiv:2006.09503; interleaved 1F1B, arXiv:2104.04473; zero bubble, arXiv:2401.10241.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(64), [16, 4]), y: array(new Float32Array(16), [16, 1]) });
 * const model = nn.sequential(nn.linear(4, 8), nn.relu(), nn.linear(8, 1));
 * await train.fit(model, set, {
 *   loss: loss.mse(),
 *   optimizer: optim.adam({ lr: 1e-3 }),
 *   batchSize: 16,
 *   parallel: parallel.pipeline({ microBatches: 4, schedule: "zero-bubble" }),
 * });
 */
export function pipeline(options: PipelineOptions = {}): PipelineParallelism {
  const where = "parallel.pipeline";
  checkOptions(where, options, ["stages", "microBatches", "schedule", "chunks", "balance", "deadline", "bucketBytes", "onPlan", "onTimeline"]); // prettier-ignore
  const { stages, microBatches, schedule = "1f1b", balance = "measured" } = options;
  const { deadline = DEADLINE, bucketBytes = 25 * 2 ** 20, onPlan, onTimeline } = options;
  for (const [name, value] of [
    ["stages", stages],
    ["microBatches", microBatches],
    ["chunks", options.chunks],
  ] as const) {
    if (value !== undefined) requireCount(where, name, value, 1, 4096);
  }
  const isMade = typeof schedule === "object" && schedule !== null;
  if (isMade) {
    requireFields(where, schedule, ["ranks", "microBatches", "actions"], "a schedule of parallel.pipelineSchedule");
    simulatePipeline(where, schedule);
  } else requireName(where, schedule);
  const chunks = options.chunks ?? (isMade ? schedule.chunks : schedule === "interleaved" ? 2 : 1);
  if (balance !== "measured" && balance !== "flops") {
    throw new ArgumentError(`${where}: balance must be "measured" or "flops", got ${got(balance)}`);
  }
  for (const [name, value] of Object.entries({ onPlan, onTimeline })) {
    if (value !== undefined && typeof value !== "function") {
      throw new ArgumentError(`${where}: ${name} must be a function, got ${got(value)}`);
    }
  }
  checkedDeadline(where, deadline);
  checkedBytes(where, bucketBytes);
  return Object.freeze({
    kind: "pipeline",
    stages,
    microBatches,
    schedule,
    chunks,
    balance,
    deadline,
    bucketBytes,
    onPlan,
    onTimeline,
  });
}

function requireName(where: string, name: unknown): asserts name is PipelineScheduleName {
  if (scheduleNames.includes(name as PipelineScheduleName)) return;
  const near = typeof name === "string" ? nearestName(name, scheduleNames) : undefined;
  throw new ArgumentError(
    `${where}: schedule must be one of ${scheduleNames.map((each) => `"${each}"`).join(", ")}, or made by parallel.pipelineSchedule, got ${got(name)}${near === undefined ? "" : `; did you mean "${near}"?`}`,
  );
}

/** What {@link pipelineSchedule} takes. */
export interface PipelineScheduleOptions {
  /** Ranks of the pipeline. */
  readonly stages: number;
  readonly microBatches: number;
  /** Parts of the model on each rank, with "interleaved". Default 1. */
  readonly chunks?: number | undefined;
}

/**
 * The order in which every rank of a pipeline takes its passes: forward (F), backward (B), or the halves of backward by inputs (I) and by
 * weights (W).
 *
 * @throws ArgumentError for numbers that the schedule does not take: "interleaved" takes a multiple of the stages as microBatches.
 * @example
 * const schedule = parallel.pipelineSchedule("1f1b", { stages: 4, microBatches: 8 });
 * console.log(parallel.simulate(schedule).text);
 */
export function pipelineSchedule(name: PipelineScheduleName, options: PipelineScheduleOptions): PipelineSchedule {
  const where = "parallel.pipelineSchedule";
  requireName(where, name);
  checkOptions(where, options, ["stages", "microBatches", "chunks"]);
  const { stages, microBatches, chunks } = options;
  return makeSchedule(where, name, { ranks: stages, microBatches, chunks });
}

/** What a schedule would come to. */
export interface Simulated extends PipelineSimulation {
  /** Schedule, bubble and peak memory for people. */
  readonly text: string;
  /** The same drawn, as SVG. */
  readonly svg: string;
}

/**
 * Runs a schedule by the costs of its stages, before anything runs: when every rank does what, its bubble (the share of time in which ranks have
 * nothing to do), and the most memory that each keeps. Where forward pass and both halves of the backward pass take the same time, the bubble is
 * (p − 1) / (m + p − 1) for GPipe and 1F1B with p ranks and m micro-batches, (p − 1) / (v m + p − 1) interleaved with v stages a rank, and
 * (p − 1) / (3 m + p − 1) for zero-bubble.
 *
 * @param costs of every stage, or of all alike; seconds and bytes. Default one unit a pass (a whole backward pass is two), and messages that take no time.
 * @throws ArgumentError for a schedule that is not complete, and one that would never end: who waits for what.
 * @example
 * const schedule = parallel.pipelineSchedule("gpipe", { stages: 2, microBatches: 8 });
 * const { bubble, peakMicroBatches } = parallel.simulate(schedule);
 * console.log(bubble, peakMicroBatches); // 0.111… [8, 8]
 */
export function simulate(schedule: PipelineSchedule, costs?: StageCost | readonly StageCost[]): Simulated {
  requireFields(
    "parallel.simulate",
    schedule,
    ["ranks", "actions", "chunks"],
    'a schedule such as parallel.schedules["1f1b"]',
  );
  const simulation = simulatePipeline("parallel.simulate", schedule, costs);
  return {
    ...simulation,
    text: printPipeline(simulation, costs === undefined ? "units" : "s"),
    svg: drawPipeline({ ...simulation, chunks: schedule.chunks }, `${schedule.name}, bubble ${(100 * simulation.bubble).toFixed(1)} %`), // prettier-ignore
  };
}
