// What a rank does in a step, as the list that the engine goes through: passes in the order of the schedule, messages around them, and the
// pieces of memory that they use. A message is asked for one pass early, so that it travels while that pass runs.
import { InternalError } from "../errors.js";
import type { NativePipelineInstruction } from "../native/ranks.js";
import type { ValueId } from "../native/index.js";
import type { Boundaries, CompiledPass } from "./passes.js";
import { stageOf, type PipelineAction, type PipelinePass, type PipelineSchedule } from "./schedule.js";

/** A micro-batch of so many rows as the rank's stages see it. */
export interface MicroBatchStages {
  readonly boundaries: Boundaries;
  readonly bytes: readonly number[];
  /** A pass of a stage of this rank; undefined where it has nothing to do. */
  pass(stage: number, pass: PipelinePass): CompiledPass | undefined;
}

/** What {@link planInstructions} takes. */
export interface InstructionSource {
  readonly schedule: PipelineSchedule;
  readonly rank: number;
  /** Number of the first micro-batch of this pipeline among those of all. */
  readonly firstShard: number;
  /** By micro-batch of this pipeline; undefined for one without rows. */
  readonly microBatches: readonly (MicroBatchStages | undefined)[];
  /** Number of a program of this rank. */
  readonly numberOf: (program: CompiledPass) => number;
  /** Number of the exchange that takes what a pass of a chunk delivers, -1 for none. */
  readonly exchangeOf: (chunk: number, pass: PipelinePass) => number;
}

/** A step of one rank. */
export interface InstructionPlan {
  readonly instructions: readonly NativePipelineInstruction[];
  /** By instruction: the work that it is, if it runs a pass. */
  readonly actions: readonly (PipelineAction | undefined)[];
  /** Bytes of every slot. */
  readonly slots: readonly number[];
}

/** Stages on a rank that the channels of messages are enough for. */
export const mostChunks = 5;

/** Where a result goes that has no slot: nowhere, or what the step tells of itself. */
const marks = { "": -1, loss: -2, "#count": -3 } as const;

interface Draft {
  readonly kind: "run" | "send" | "receive" | "skip";
  readonly action?: PipelineAction;
  readonly microBatch: number;
  readonly program?: CompiledPass;
  readonly exchange?: number;
  readonly values?: readonly ValueId[];
  readonly peer?: number;
  readonly channel?: number;
  readonly detail?: string;
}

/** The step of a rank. */
export function planInstructions(source: InstructionSource): InstructionPlan {
  const drafts = draft(source);
  const { slotOf, slots } = placeSlots(source, drafts);
  const instructions = drafts.map((each, at): NativePipelineInstruction => {
    const slot = (value: ValueId) => slotOf(value, at);
    const shard = source.firstShard + each.microBatch;
    if (each.kind === "skip") return { kind: "skip", shard, exchange: each.exchange! };
    if (each.kind === "run") {
      const { feeds, results } = each.program!;
      return {
        kind: "run",
        shard,
        program: source.numberOf(each.program!),
        exchange: each.exchange!,
        feeds: feeds.map((value) => (value === undefined ? -1 : slot(value))),
        results: results.map((value) => (typeof value === "number" ? slot(value) : marks[value])),
      };
    }
    const { kind, values, peer, channel, detail } = each;
    return { kind, slots: values!.map(slot), peer: peer!, channel: channel!, detail: detail! };
  });
  return { instructions, slots, actions: drafts.map(({ kind, action }) => (kind === "run" ? action : undefined)) };
}

// Passes with the messages that they need and give.
function draft({ schedule, rank, microBatches, exchangeOf }: InstructionSource): Draft[] {
  const { ranks, chunks } = schedule;
  const last = ranks * chunks - 1;
  const drafts: Draft[] = [];
  const pieces = schedule.actions[rank]!.map((action) => {
    const { pass, chunk, microBatch } = action;
    const stage = stageOf(ranks, rank, chunk);
    const stages = microBatches[microBatch];
    const exchange = exchangeOf(chunk, pass);
    const none: { receive?: Draft; run?: Draft; send?: Draft } = {};
    if (!stages) return exchange < 0 ? none : { run: { kind: "skip" as const, microBatch, exchange } };
    const isForward = pass === "F";
    const { up, down } = stages.boundaries;
    const message = (boundary: number, kind: "send" | "receive"): Draft | undefined => {
      const values = (isForward ? up : down)[boundary]!;
      if (values.length === 0 || ranks === 1) return undefined;
      const [from, to] = isForward ? [boundary, boundary + 1] : [boundary + 1, boundary];
      const what = isForward ? "activations" : "gradients";
      const detail = `${what} of micro-batch ${microBatch} from stage ${from} to ${to}`;
      const peer = (kind === "send" ? to : from) % ranks;
      const channel = 2 * Math.floor(from / ranks) + (isForward ? 0 : 1);
      return { kind, microBatch, values, peer, channel, detail };
    };
    const program = stages.pass(stage, pass);
    const run: Draft | undefined = program
      ? { kind: "run", action, microBatch, program, exchange }
      : exchange < 0
        ? undefined
        : { kind: "skip", microBatch, exchange };
    if (pass === "W") return { run };
    const receives = isForward ? stage > 0 : stage < last;
    const sends = isForward ? stage < last : stage > 0;
    return {
      receive: receives ? message(isForward ? stage - 1 : stage, "receive") : undefined,
      run,
      send: sends ? message(isForward ? stage : stage - 1, "send") : undefined,
    };
  });
  pieces.forEach(({ run, send }, i) => {
    if (i === 0 && pieces[0]!.receive) drafts.push(pieces[0]!.receive);
    if (pieces[i + 1]?.receive) drafts.push(pieces[i + 1]!.receive!);
    if (run) drafts.push(run);
    if (send) drafts.push(send);
  });
  return drafts;
}

// A value has a slot from what makes it to its last use; then the slot is another's of the same size.
function placeSlots({ microBatches }: InstructionSource, drafts: readonly Draft[]) {
  const used = (each: Draft): ValueId[] => {
    if (each.kind === "send") return [...each.values!];
    if (each.kind !== "run") return [];
    return each.program!.feeds.filter((value) => value !== undefined);
  };
  const made = (each: Draft): ValueId[] => {
    if (each.kind === "receive") return [...each.values!];
    if (each.kind !== "run") return [];
    return each.program!.results.filter((value) => typeof value === "number");
  };
  const lastUse = new Map<string, number>();
  drafts.forEach((each, at) => {
    for (const value of [...made(each), ...used(each)]) lastUse.set(`${each.microBatch} ${value}`, at);
  });
  const slots: number[] = [];
  const free = new Map<number, number[]>();
  const held = new Map<string, number>();
  const at = drafts.map((each, i) => {
    const own = new Map<ValueId, number>();
    for (const value of made(each)) {
      const key = `${each.microBatch} ${value}`;
      const bytes = microBatches[each.microBatch]!.bytes[value]!;
      const slot = free.get(bytes)?.pop() ?? slots.push(bytes) - 1;
      held.set(key, slot);
      own.set(value, slot);
    }
    for (const value of used(each)) {
      const slot = held.get(`${each.microBatch} ${value}`);
      if (slot === undefined) throw new InternalError(`pipeline: value ${value} is used before it is made`);
      own.set(value, slot);
    }
    for (const [value, slot] of own) {
      if (lastUse.get(`${each.microBatch} ${value}`) !== i) continue;
      const bytes = slots[slot]!;
      free.set(bytes, [slot, ...(free.get(bytes) ?? [])]); // the one that was freed first is taken first: its message has gone
    }
    return own;
  });
  return { slots, slotOf: (value: ValueId, i: number) => at[i]!.get(value)! };
}
