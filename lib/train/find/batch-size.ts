// How large a batch may be: the memory that a step of every size would take, as the engine plans it, without a step being taken; and how
// many samples a second the sizes that fit come to.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import type { BatchSource, Samples } from "../../data/index.js";
import type { Loss } from "../../loss/index.js";
import { Module } from "../../nn/index.js";
import type { Optimizer } from "../../optim/index.js";
import { fit } from "../fit.js";
import { stepPlanner } from "./memory-plan.js";

/** Options of {@link findBatchSize}. */
export interface BatchSizeOptions {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Bytes that a step may take beside the weights and the optimizer's states, as a number or as "2 GiB". */
  readonly memory: number | `${number} ${"MiB" | "GiB"}`;
  /** Steps that each size is timed by; 0 for none. Default 5. */
  readonly steps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One size of batch. */
export interface TriedBatchSize {
  readonly batchSize: number;
  /** Bytes of a step beside weights and states. */
  readonly bytes: number;
  /** Median over the steps; undefined for sizes that were not timed. */
  readonly samplesPerSecond: number | undefined;
}

/** What {@link findBatchSize} has found. */
export interface FoundBatchSize {
  /** The smallest power of two that comes to 95 % of the most samples a second; without timing the largest that fits. */
  readonly suggestion: number;
  /** The largest batch that fits, at most all samples. */
  readonly largest: number;
  /** Powers of two, and the largest, in order. */
  readonly tried: readonly TriedBatchSize[];
}

const where = "train.findBatchSize";
const enough = 0.95;

/**
 * The largest batch whose step fits in so much memory, and the size from which on a larger one is no faster. Memory is what the engine
 * plans for a compiled step, so that nothing is run until it fails. A copy of the model is trained; the model is not changed.
 * `report.plotBatchSize` draws what was found.
 *
 * @throws ArgumentError for options out of range, and where one sample does not fit; what `train.fit` throws.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(256), [64, 4]), y: array(new Uint8Array(64)) });
 * const { largest, suggestion } = await train.findBatchSize(nn.linear(4, 2), set, {
 *   loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-3 }), memory: "1 GiB",
 * });
 * console.log(largest, suggestion); // 64, all samples; what is fastest here
 */
export async function findBatchSize(
  model: Module,
  dataset: Samples | BatchSource,
  options: BatchSizeOptions,
): Promise<FoundBatchSize> {
  checkOptions(where, options, ["loss", "optimizer", "memory", "steps", "signal"]);
  const { loss, optimizer, steps = 5, signal } = options;
  if (!(model instanceof Module)) {
    throw new ArgumentError(`${where}: expected a module of nn, of which a copy is trained, got ${got(model)}`);
  }
  requireCount(where, "steps", steps, 0);
  const limit = bytesOf(options.memory);
  const copy = model.clone();
  const planner = stepPlanner(where, copy, dataset, loss, optimizer);
  try {
    const { largest, bytes } = largestWithin(limit, (rows) => planner.bytes(rows), dataset);
    const tried: TriedBatchSize[] = [];
    for (const batchSize of bytes.keys()) {
      const isTimed = steps > 0 && (Number.isInteger(Math.log2(batchSize)) || batchSize === largest);
      const samplesPerSecond = isTimed
        ? await speedOf(copy, dataset, { loss, optimizer, batchSize, steps: steps + 1, signal })
        : undefined;
      tried.push({ batchSize, bytes: bytes.get(batchSize)!, samplesPerSecond });
    }
    const most = Math.max(...tried.map(({ samplesPerSecond }) => samplesPerSecond ?? 0));
    const fast = tried.find(({ samplesPerSecond }) => (samplesPerSecond ?? 0) >= enough * most);
    return { suggestion: most > 0 ? fast!.batchSize : largest, largest, tried };
  } finally {
    planner.dispose();
    copy.dispose();
  }
}

type Planner = (rows: number) => number;

// Doubles until it does not fit, then halves the way between.
function largestWithin(limit: number, bytesFor: Planner, dataset: Samples | BatchSource) {
  const all = ("read" in dataset ? dataset.length : dataset.x.shape[0]) ?? 2 ** 20;
  const bytes = new Map<number, number>();
  const fits = (rows: number): boolean => {
    const needed = bytesFor(rows);
    if (needed <= limit) bytes.set(rows, needed);
    else if (rows === 1) {
      throw new ArgumentError(`${where}: a batch of one sample takes ${needed} bytes, and memory allows ${limit}; give more, or a smaller model`); // prettier-ignore
    }
    return needed <= limit;
  };
  let [good, bad] = [1, Infinity];
  fits(1);
  while (bad === Infinity && good < all) {
    const next = Math.min(all, good * 2);
    if (fits(next)) good = next;
    else bad = next;
  }
  while (bad - good > Math.max(1, good / 64) && bad !== Infinity) {
    const middle = Math.floor((good + bad) / 2);
    if (fits(middle)) good = middle;
    else bad = middle;
  }
  const powers = [...bytes].filter(([rows]) => Number.isInteger(Math.log2(rows)) || rows === good);
  return { largest: good, bytes: new Map(powers.sort(([a], [b]) => a - b)) };
}

async function speedOf(
  model: Module,
  dataset: Samples | BatchSource,
  options: Pick<BatchSizeOptions, "loss" | "optimizer" | "signal"> & { batchSize: number; steps: number },
): Promise<number> {
  const speeds: number[] = [];
  for await (const { index, samplesPerSecond } of fit(model, dataset, options)) if (index > 0) speeds.push(samplesPerSecond); // prettier-ignore
  return speeds.sort((a, b) => a - b)[speeds.length >> 1]!;
}

function bytesOf(memory: unknown): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?) ?(MiB|GiB)$/.exec(typeof memory === "string" ? memory : "") ?? [];
  const bytes = typeof memory === "number" ? memory : Number(count) * (unit === "GiB" ? 2 ** 30 : 2 ** 20);
  if (Number.isFinite(bytes) && bytes > 0) return bytes;
  throw new ArgumentError(`${where}: memory must be a number of bytes or a text such as "2 GiB", got ${got(memory)}`);
}
