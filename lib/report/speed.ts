// How fast loaded models are beside each other. They take turns, A B C, A B C, …: what slows the machine down for a while slows all
// of them, and a ratio within one round is worth more than two medians from different minutes. Each round begins one model later.
import { requireCount, requireListOf } from "../guidance/arguments.js";
import { setImmediate } from "node:timers/promises";
import type { LoadedModel } from "../artifact/index.js";
import { AbortedError, ArgumentError, checkOptions } from "../errors.js";
import { NdArray } from "../tensor/nd-array.js";
import { quantile, spreadOf, type Spread } from "./spread.js";

/** A model that takes part in {@link compareSpeed}. */
export interface Contender {
  readonly name: string;
  readonly model: LoadedModel;
  /** Samples `[n, …]`: the first is what latency is measured with, up to `batch` of them throughput. */
  readonly x: NdArray;
}

/** Options of {@link compareSpeed}. */
export interface SpeedOptions {
  /** Samples at a time for the throughput. Default 256, or as many as there are. */
  readonly batch?: number;
  /** Turns of every model. Default 40; fewer, but at least 5, when `seconds` are over. */
  readonly rounds?: number;
  /** About how long it may take in all. Default 2 seconds a model. */
  readonly seconds?: number;
  /** The model whose speed is 1. Default the first. */
  readonly reference?: string;
  readonly signal?: AbortSignal;
}

/** What {@link compareSpeed} finds of one model. */
export interface Speed {
  /** Microseconds of one `predictSync` at batch 1: medians of the rounds. `p99` is of single calls. */
  readonly latencyMicros: Spread & { readonly p99: number };
  /** Samples a second of `predict` at a large batch. */
  readonly samplesPerSecond: Spread;
  /** How many times as fast as the reference within the same round: above 1 is faster. */
  readonly speedup: { readonly latency: Spread; readonly throughput: Spread };
  readonly rounds: number;
}

interface Lane extends Contender {
  readonly one: NdArray;
  readonly many: NdArray;
  /** Calls in a round: as many as take about two milliseconds, and about five. */
  readonly calls: number;
  readonly repeats: number;
  readonly latencies: number[];
  readonly singles: number[];
  readonly rates: number[];
}

const LEAST_ROUNDS = 5;
const WARM_CALLS = 5;

/**
 * Latency at batch 1 and throughput at a large batch of several models, measured in turns, with the spread over the rounds and the
 * speed relative to one of them.
 *
 * @throws ArgumentError for no model, no samples, two of one name or an unknown reference; ShapeError if samples do not fit;
 *   AbortedError.
 * @example
 * const x = set.train.take(256).x;
 * const speeds = await report.compareSpeed([{ name: "dense", model: dense, x }, { name: "pruned", model: pruned, x }]);
 * console.log(speeds.get("pruned")?.speedup.latency.median);
 */
export async function compareSpeed(
  contenders: readonly Contender[],
  options: SpeedOptions = {},
): Promise<Map<string, Speed>> {
  const where = "report.compareSpeed";
  requireListOf(where, contenders, "a list of contenders { name, model }");
  checkOptions(where, options, ["batch", "rounds", "seconds", "reference", "signal"]);
  const { batch = 256, rounds = 40, seconds = 2 * contenders.length, signal } = options;
  requireCount(where, "batch", batch);
  requireCount(where, "rounds", rounds);
  const reference = referenceOf(where, contenders, options.reference);
  const lanes: Lane[] = [];
  for (const contender of contenders) lanes.push(await prepared(where, contender, batch));
  const until = performance.now() + 1e3 * seconds;
  for (let round = 0; round < rounds && (round < LEAST_ROUNDS || performance.now() < until); round++) {
    for (let turn = 0; turn < lanes.length; turn++) {
      if (signal?.aborted) throw new AbortedError(`${where}: interrupted`, { cause: signal.reason });
      await takeTurn(lanes[(round + turn) % lanes.length]!);
      await setImmediate(); // the event loop's own turn
    }
  }
  return new Map(lanes.map((lane) => [lane.name, speedOf(lane, lanes[reference]!)]));
}

function referenceOf(where: string, contenders: readonly Contender[], asked: string | undefined): number {
  const names = contenders.map(({ name }) => name);
  if (names.length === 0) throw new ArgumentError(`${where}: expected at least one model, got none`);
  if (new Set(names).size < names.length) {
    throw new ArgumentError(`${where}: expected a name of its own for every model, got ${names.join(", ")}`);
  }
  const place = asked === undefined ? 0 : names.indexOf(asked);
  if (place >= 0) return place;
  throw new ArgumentError(`${where}: the reference "${asked}" is not among the models; there are ${names.join(", ")}`);
}

async function prepared(where: string, contender: Contender, batch: number): Promise<Lane> {
  const { name, model, x } = contender;
  if (!(x instanceof NdArray) || !(x.shape[0]! > 0)) {
    throw new ArgumentError(`${where}: expected x with at least one sample for "${name}", an NdArray [n, …]`);
  }
  const [one, many] = [firstOf(x, 1), firstOf(x, batch)];
  const latency = micros(() => model.predictSync(one), 3);
  await model.predict(many);
  const begun = performance.now();
  await model.predict(many);
  const slow = performance.now() - begun;
  return {
    ...contender,
    one,
    many,
    calls: Math.max(1, Math.min(50, Math.round(2e3 / latency))),
    repeats: Math.max(1, Math.min(8, Math.round(5 / slow))),
    latencies: [],
    singles: [],
    rates: [],
  };
}

async function takeTurn(lane: Lane): Promise<void> {
  const { model, one, many, calls, repeats } = lane;
  for (let i = 0; i < Math.min(WARM_CALLS, calls); i++) model.predictSync(one); // its weights into the cache again
  const times = Array.from({ length: calls }, () => micros(() => model.predictSync(one), 1));
  for (const time of times) lane.singles.push(time);
  lane.latencies.push(spreadOf(times).median);
  await model.predict(many);
  const begun = performance.now();
  for (let i = 0; i < repeats; i++) await model.predict(many);
  lane.rates.push((1e3 * repeats * many.shape[0]!) / (performance.now() - begun));
}

function speedOf(lane: Lane, reference: Lane): Speed {
  const ratio = (ours: readonly number[], theirs: readonly number[]) => ours.map((value, i) => value / theirs[i]!);
  return {
    latencyMicros: {
      ...spreadOf(lane.latencies),
      p99: quantile(
        lane.singles.toSorted((a, b) => a - b),
        0.99,
      ),
    },
    samplesPerSecond: spreadOf(lane.rates),
    speedup: {
      latency: spreadOf(ratio(reference.latencies, lane.latencies)),
      throughput: spreadOf(ratio(lane.rates, reference.rates)),
    },
    rounds: lane.rates.length,
  };
}

function micros(work: () => void, times: number): number {
  const begun = process.hrtime.bigint();
  for (let i = 0; i < times; i++) work();
  return Number(process.hrtime.bigint() - begun) / 1e3 / times;
}

function firstOf({ data, shape, dtype }: NdArray, most: number): NdArray {
  const [n, ...sample] = shape as [number, ...number[]];
  const kept = Math.min(n, most);
  return new NdArray(data.slice(0, (data.length / n) * kept), [kept, ...sample], dtype);
}
