// Orders of work of pipeline parallelism. A model of p · v stages is divided among p ranks, v stages ("chunks") on each: stage s is chunk
// ⌊s / p⌋ of rank s mod p. A batch is cut into m micro-batches that follow one another through the stages.
//   GPipe                     Huang et al. 2019, arXiv:1811.06965
//   1F1B                      Narayanan et al. 2019, PipeDream-flush in arXiv:2006.09503
//   interleaved 1F1B          Narayanan et al. 2021, arXiv:2104.04473
//   zero bubble               Qi et al. 2023, arXiv:2401.10241: the backward pass is split in its halves by inputs and by weights
// Every stage takes the backward passes of its micro-batches in their order, whichever the schedule: sums of gradients have the same bits.
import { ArgumentError } from "../errors.js";
import { got } from "../names/got.js";

/** What a rank does at a time: forward, whole backward, backward by inputs, backward by weights. */
export type PipelinePass = "F" | "B" | "I" | "W";

/** One piece of work. */
export interface PipelineAction {
  readonly pass: PipelinePass;
  /** Which of the rank's stages, from 0 on. */
  readonly chunk: number;
  readonly microBatch: number;
}

/** Names of the built-in schedules. */
export type PipelineScheduleName = "gpipe" | "1f1b" | "interleaved" | "zero-bubble";

/** What every rank does, in order. */
export interface PipelineSchedule {
  readonly name: string;
  /** How many ranks the pipeline has. */
  readonly ranks: number;
  /** Stages on each rank. */
  readonly chunks: number;
  readonly microBatches: number;
  /** Of every rank. */
  readonly actions: readonly (readonly PipelineAction[])[];
}

/** What a schedule is made for. */
export interface PipelineShape {
  readonly ranks: number;
  readonly microBatches: number;
  /** Stages on each rank; more than 1 with "interleaved" alone. */
  readonly chunks?: number | undefined;
}

/** Number of a stage of the model. */
export const stageOf = (ranks: number, rank: number, chunk: number): number => chunk * ranks + rank;

/** The schedules that can be named. */
export const scheduleNames: readonly PipelineScheduleName[] = ["gpipe", "1f1b", "interleaved", "zero-bubble"];

/** @throws ArgumentError for numbers that the schedule does not take. */
export function makeSchedule(where: string, name: PipelineScheduleName, shape: PipelineShape): PipelineSchedule {
  const { ranks, microBatches, chunks = 1 } = shape;
  for (const [what, value, most] of [
    ["stages", ranks, 4096],
    ["microBatches", microBatches, 4096],
    ["chunks", chunks, 64],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= 1 && value <= most) continue;
    throw new ArgumentError(`${where}: ${what} must be a whole number from 1 to ${most}, got ${got(value)}`);
  }
  if (name !== "interleaved" && chunks !== 1) {
    throw new ArgumentError(
      `${where}: the schedule "${name}" has one stage on each rank, got chunks: ${chunks}; use schedule: "interleaved", or leave chunks out`,
    );
  }
  if (name === "interleaved" && microBatches % ranks !== 0) {
    throw new ArgumentError(
      `${where}: the schedule "interleaved" takes a multiple of its ${ranks} ranks as microBatches, got ${microBatches}; give ${Math.ceil(microBatches / ranks) * ranks}`,
    );
  }
  return { name, ranks, chunks, microBatches, actions: makers[name](ranks, microBatches, chunks) };
}

const one = (pass: PipelinePass, microBatch: number, chunk = 0): PipelineAction => ({ pass, chunk, microBatch });
const each = <T>(count: number, body: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => body(i));

const makers: Readonly<Record<PipelineScheduleName, (p: number, m: number, v: number) => PipelineAction[][]>> = {
  gpipe: (p, m) => each(p, () => [...each(m, (i) => one("F", i)), ...each(m, (i) => one("B", i))]),
  "1f1b": (p, m) =>
    each(p, (rank) =>
      oneByOne(
        m,
        Math.min(m, p - 1 - rank),
        (i) => one("F", i),
        (i) => one("B", i),
      ),
    ),
  interleaved,
  "zero-bubble": zeroBubble,
};

// `ahead` forward passes, then one forward and one backward in turn, then the backward passes that are left.
function oneByOne(
  total: number,
  ahead: number,
  forward: (i: number) => PipelineAction,
  backward: (i: number) => PipelineAction,
): PipelineAction[] {
  const actions = each(ahead, forward);
  for (let i = ahead; i < total; i++) actions.push(forward(i), backward(i - ahead));
  for (let i = total - ahead; i < total; i++) actions.push(backward(i));
  return actions;
}

// Micro-batches in groups of p, each group through the chunks in turn.
function interleaved(p: number, m: number, v: number): PipelineAction[][] {
  const total = m * v;
  const at = (k: number, pass: PipelinePass): PipelineAction => {
    const within = k % (p * v);
    const chunk = Math.floor(within / p);
    return one(pass, Math.floor(k / (p * v)) * p + (k % p), pass === "F" ? chunk : v - 1 - chunk);
  };
  return each(p, (rank) => {
    const warm = v === 1 ? p - 1 - rank : 2 * (p - 1 - rank) + (v - 1) * p;
    return oneByOne(
      total,
      Math.min(total, warm),
      (k) => at(k, "F"),
      (k) => at(k, "B"),
    );
  });
}

// A list schedule where all three passes take one unit of time: backward by inputs first, for others wait for it; then forward, while fewer
// than `most` micro-batches are in memory; then backward by weights. With as many as ranks in memory it is ZB-H1; from 3 ranks on a few
// more save the last idle units, at most 2p - 1. The least memory that gives the shortest step is taken.
function zeroBubble(p: number, m: number): PipelineAction[][] {
  let best: { readonly actions: PipelineAction[][]; readonly time: number } | undefined;
  for (let most = p; most <= Math.max(p, Math.min(2 * p - 1, m)); most++) {
    const made = halved(p, m, most);
    if (!best || made.time < best.time) best = made;
    if (best.time === 3 * m + p - 1) break; // the last rank begins after p - 1 units and is never idle
  }
  return best!.actions;
}

function halved(p: number, m: number, most: number) {
  const actions = each(p, (): PipelineAction[] => []);
  // When forward and backward by inputs of a micro-batch have ended, by rank.
  const ended = { F: each(p, () => [] as number[]), I: each(p, () => [] as number[]) };
  const weights = each(p, () => 0);
  let time = 0;
  for (; weights.some((done) => done < m); time++) {
    const taken = each(p, (rank): PipelineAction | undefined => {
      const f = ended.F[rank]!.length;
      const i = ended.I[rank]!.length;
      const w = weights[rank]!;
      const above = rank === p - 1 ? ended.F[rank]![i] : ended.I[rank + 1]![i];
      if (i < f && above !== undefined && above <= time) return one("I", i);
      const below = rank === 0 ? 0 : ended.F[rank - 1]![f];
      if (f < m && f - w < most && below !== undefined && below <= time) return one("F", f);
      return w < i ? one("W", w) : undefined;
    });
    taken.forEach((action, rank) => {
      if (!action) return;
      actions[rank]!.push(action);
      if (action.pass === "W") weights[rank]!++;
      else ended[action.pass as "F" | "I"][rank]!.push(time + 1);
    });
  }
  return { actions, time };
}
