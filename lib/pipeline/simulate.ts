// What a schedule would come to before anything runs: when every rank does what, how long it is idle, how much it holds; and whether it would
// end at all.
import { ArgumentError } from "../errors.js";
import { stageOf, type PipelineAction, type PipelinePass, type PipelineSchedule } from "./schedule.js";

/** What the passes of a stage cost. */
export interface StageCost {
  /** Seconds of a forward pass of one micro-batch. */
  readonly forward: number;
  /** Seconds of the backward pass by inputs. */
  readonly backwardInput: number;
  /** Seconds of the backward pass by weights. */
  readonly backwardWeight: number;
  /** Bytes kept from the forward pass of a micro-batch to its backward pass. */
  readonly kept: number;
  /** Seconds until the next stage has what this one sends, in either direction. */
  readonly transfer: number;
}

/** A piece of work with its time. */
export interface TimedAction extends PipelineAction {
  readonly start: number;
  readonly end: number;
}

/** What {@link simulatePipeline} gives. */
export interface PipelineSimulation {
  readonly schedule: PipelineSchedule;
  /** Of every rank. */
  readonly timeline: readonly (readonly TimedAction[])[];
  /** Seconds of a step, without the update. */
  readonly seconds: number;
  /** Share of the ranks' time in which they have nothing to do. */
  readonly bubble: number;
  /** The most bytes that each rank keeps at a time. */
  readonly peakBytes: readonly number[];
  /** The most micro-batches, counted once a chunk, whose activations each rank keeps at a time. */
  readonly peakMicroBatches: readonly number[];
}

/** All passes of a stage take one unit of time and messages none. */
export const unitCost: StageCost = { forward: 1, backwardInput: 1, backwardWeight: 1, kept: 1, transfer: 0 };

const secondsOf = (cost: StageCost, pass: PipelinePass): number =>
  ({
    F: cost.forward,
    B: cost.backwardInput + cost.backwardWeight,
    I: cost.backwardInput,
    W: cost.backwardWeight,
  })[pass];

/** How an action is named: "B 3", "F 0.1" with the chunk where there are several. */
export const nameOf = ({ pass, chunk, microBatch }: PipelineAction, chunks: number): string =>
  `${pass}${microBatch}${chunks > 1 ? `.${chunk}` : ""}`;

/**
 * Runs a schedule by its costs.
 *
 * @param costs of every stage, or of all alike. Default {@link unitCost}.
 * @throws ArgumentError where it is not a schedule of its shape, or would never end: the first rank that waits in vain, and for what.
 */
export function simulatePipeline(
  where: string,
  schedule: PipelineSchedule,
  costs: StageCost | readonly StageCost[] = unitCost,
): PipelineSimulation {
  checkComplete(where, schedule);
  const { ranks } = schedule;
  const costOf = (rank: number, chunk: number): StageCost =>
    "forward" in costs ? costs : costs[stageOf(ranks, rank, chunk)]!;
  const done = new Map<string, number>();
  const timeline = schedule.actions.map((): TimedAction[] => []);
  const free = schedule.actions.map(() => 0);
  for (let moved = true; moved;) {
    moved = false;
    for (let rank = 0; rank < ranks; rank++) {
      for (let at = timeline[rank]!.length; at < schedule.actions[rank]!.length; at++) {
        const action = schedule.actions[rank]![at]!;
        const ready = readyAt(schedule, rank, action, done, costOf);
        if (typeof ready !== "number") break;
        const start = Math.max(free[rank]!, ready);
        const end = start + secondsOf(costOf(rank, action.chunk), action.pass);
        free[rank] = end;
        done.set(keyOf(action.pass, stageOf(ranks, rank, action.chunk), action.microBatch), end);
        timeline[rank]!.push({ ...action, start, end });
        moved = true;
      }
    }
  }
  requireEnd(where, schedule, timeline, (rank, action) => readyAt(schedule, rank, action, done, costOf));
  const seconds = Math.max(...free);
  const busy = timeline.flat().reduce((sum, { start, end }) => sum + end - start, 0);
  const held = timeline.map((actions, rank) => peakOf(actions, (chunk) => costOf(rank, chunk).kept));
  const counted = timeline.map((actions) => peakOf(actions, () => 1));
  const bubble = seconds === 0 ? 0 : 1 - busy / (seconds * ranks);
  return { schedule, timeline, seconds, bubble, peakBytes: held, peakMicroBatches: counted };
}

const keyOf = (pass: string, stage: number, microBatch: number): string => `${pass} ${stage} ${microBatch}`;

/** What a piece of work waits for: another of the same or of a neighbouring stage. */
export interface Dependency {
  readonly passes: readonly PipelinePass[];
  readonly stage: number;
  readonly microBatch: number;
}

/** What an action needs. */
export function needsOf(schedule: PipelineSchedule, rank: number, action: PipelineAction): Dependency[] {
  const { ranks, chunks } = schedule;
  const { pass, chunk, microBatch } = action;
  const stage = stageOf(ranks, rank, chunk);
  if (pass === "W") return [{ passes: ["I"], stage, microBatch }];
  if (pass === "F") return stage === 0 ? [] : [{ passes: ["F"], stage: stage - 1, microBatch }];
  const own: Dependency = { passes: ["F"], stage, microBatch };
  return stage === ranks * chunks - 1 ? [own] : [own, { passes: ["B", "I"], stage: stage + 1, microBatch }];
}

// The time at which an action can begin, or what it still waits for.
function readyAt(
  schedule: PipelineSchedule,
  rank: number,
  action: PipelineAction,
  done: ReadonlyMap<string, number>,
  costOf: (rank: number, chunk: number) => StageCost,
): number | Dependency {
  const stage = stageOf(schedule.ranks, rank, action.chunk);
  let ready = 0;
  for (const need of needsOf(schedule, rank, action)) {
    const ended = need.passes.map((pass) => done.get(keyOf(pass, need.stage, need.microBatch))).find((t) => t !== undefined); // prettier-ignore
    if (ended === undefined) return need;
    const travels = need.stage !== stage && schedule.ranks > 1;
    const sender = costOf(need.stage % schedule.ranks, Math.floor(need.stage / schedule.ranks));
    ready = Math.max(ready, ended + (travels ? sender.transfer : 0));
  }
  return ready;
}

function requireEnd(
  where: string,
  schedule: PipelineSchedule,
  timeline: readonly (readonly TimedAction[])[],
  waits: (rank: number, action: PipelineAction) => number | Dependency,
): void {
  const { ranks, chunks, actions } = schedule;
  const stuck = timeline
    .map((done, rank) => ({ rank, action: actions[rank]![done.length] }))
    .filter((each): each is { rank: number; action: PipelineAction } => each.action !== undefined);
  if (stuck.length === 0) return;
  const sentences = stuck.slice(0, 4).map(({ rank, action }) => {
    const { passes, stage, microBatch } = waits(rank, action) as Dependency;
    const needed = nameOf({ pass: passes[0]!, chunk: Math.floor(stage / ranks), microBatch }, chunks);
    return `rank ${rank} waits at ${nameOf(action, chunks)} for ${needed} of rank ${stage % ranks}`;
  });
  throw new ArgumentError(
    `${where}: the schedule "${schedule.name}" would never end: ${sentences.join(", ")}; every pass must come after those that it needs, on all ranks`,
  );
}

// Every micro-batch once forward, and once backward or once by each half; backward passes of a stage in the order of micro-batches.
function checkComplete(where: string, schedule: PipelineSchedule): void {
  const { ranks, chunks, microBatches, actions, name } = schedule;
  const refuse = (what: string) => new ArgumentError(`${where}: the schedule "${name}" ${what}`);
  if (actions.length !== ranks) throw refuse(`lists the work of ${actions.length} ranks, expected ${ranks}`);
  actions.forEach((list, rank) => {
    const seen = new Map<string, number>();
    const last = new Map<string, number>();
    for (const action of list) {
      const { pass, chunk, microBatch } = action;
      if (!(chunk >= 0 && chunk < chunks && microBatch >= 0 && microBatch < microBatches)) {
        throw refuse(
          `has ${nameOf(action, 2)} on rank ${rank}, expected chunks below ${chunks} and micro-batches below ${microBatches}`,
        );
      }
      const key = `${pass} ${chunk} ${microBatch}`;
      if (seen.has(key)) throw refuse(`has ${nameOf(action, chunks)} twice on rank ${rank}`);
      seen.set(key, microBatch);
      const kind = `${pass === "I" ? "B" : pass} ${chunk}`;
      if ((last.get(kind) ?? -1) > microBatch) {
        throw refuse(
          `takes ${nameOf(action, chunks)} on rank ${rank} after a later micro-batch; the passes of a stage go by the order of micro-batches, so that sums have the same bits`,
        );
      }
      last.set(kind, microBatch);
    }
    for (let chunk = 0; chunk < chunks; chunk++) {
      for (let i = 0; i < microBatches; i++) {
        const has = (pass: PipelinePass) => seen.has(`${pass} ${chunk} ${i}`);
        const whole = has("B") && !has("I") && !has("W");
        const halves = !has("B") && has("I") && has("W");
        if (has("F") && (whole || halves)) continue;
        throw refuse(
          `lacks a pass of micro-batch ${i} on rank ${rank}${chunks > 1 ? `, chunk ${chunk}` : ""}; expected F, and B or both I and W`,
        );
      }
    }
  });
}

// From the begin of the forward pass to the end of the last backward one.
function peakOf(actions: readonly TimedAction[], size: (chunk: number) => number): number {
  let held = 0;
  let peak = 0;
  for (const { pass, chunk } of actions) {
    if (pass === "F") held += size(chunk);
    peak = Math.max(peak, held);
    if (pass === "B" || pass === "W") held -= size(chunk);
  }
  return peak;
}
