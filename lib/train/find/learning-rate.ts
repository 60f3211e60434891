// The learning-rate range test (Smith 2017, arXiv:1506.01186): a short run whose rate rises exponentially. A good peak rate is where the loss
// falls well and is a good part of a decade from where it turns: here the rate at which the averaged loss has made half of its fall, which
// is a place that noise moves little, unlike that of the steepest slope.
import { requireCount } from "../../guidance/arguments.js";
import { checkOptions, ArgumentError, NonFiniteError } from "../../errors.js";
import { got } from "../../names/got.js";
import type { BatchSource, Samples } from "../../data/index.js";
import type { DeviceOption } from "../../device/index.js";
import type { Loss } from "../../loss/index.js";
import { Module } from "../../nn/index.js";
import type { Optimizer } from "../../optim/index.js";
import type { Schedule } from "../../schedule/index.js";
import { fit } from "../fit.js";

/** Options of {@link findLearningRate}. */
export interface LearningRateOptions {
  readonly loss: Loss;
  /** The optimizer with a learning rate that is tried: `(lr) => optim.adamW({ lr, weightDecay: 0.01 })`. */
  readonly optimizer: (lr: Schedule) => Optimizer;
  /** Samples a step. Default 32. */
  readonly batchSize?: number | undefined;
  /** The first rate and the last. Default 1e-7 and 10. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Steps, each with a higher rate. Default 200. */
  readonly steps?: number | undefined;
  readonly seed?: number | undefined;
  readonly device?: DeviceOption | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What {@link findLearningRate} has seen. */
export interface FoundLearningRate {
  readonly suggestion: number;
  /** The rate of every step that was taken. */
  readonly rates: readonly number[];
  /** The moving average of the losses (decay 0.9, without the bias to its start) after every step. */
  readonly losses: readonly number[];
}

const where = "train.findLearningRate";
const smoothing = 0.9;
/** The fall has to be so many times the scatter of the losses at the start. */
const clear = 4;
/** The test ends where the averaged loss is so many times its least: nothing is learned beyond. */
const lost = 4;

/**
 * Tries rising learning rates on a copy of the model, and says which is good to train with, as the peak of a schedule. The model is not
 * changed. `report.plotLearningRate` draws what was found.
 *
 * @returns the suggestion, with the rates and averaged losses that it is read from.
 * @throws ArgumentError for options out of range, and where the loss falls nowhere; what `train.fit` throws.
 * @example
 * const set = data.fromArrays({ x: array(new Float32Array(80).map((_, i) => Math.sin(i)), [40, 2]), y: array(new Uint8Array(40).map((_, i) => (Math.sin(2 * i) > 0 ? 1 : 0))) });
 * const { suggestion } = await train.findLearningRate(nn.linear(2, 2), set, {
 *   loss: loss.crossEntropy(), optimizer: (lr) => optim.adam({ lr }), batchSize: 8,
 * });
 * console.log(suggestion);
 */
export async function findLearningRate(
  model: Module,
  dataset: Samples | BatchSource,
  options: LearningRateOptions,
): Promise<FoundLearningRate> {
  checkOptions(where, options, ["loss", "optimizer", "batchSize", "from", "to", "steps", "seed", "device", "signal"]);
  const { from = 1e-7, to = 10, steps = 200, optimizer, loss, batchSize, seed, device, signal } = options;
  requireModel(model);
  requireRates(from, to);
  requireCount(where, "steps", steps);
  if (steps < 20) throw new ArgumentError(`${where}: steps must be 20 or more, to see a curve, got ${steps}`);
  if (typeof optimizer !== "function") {
    throw new ArgumentError(
      `${where}: optimizer must be a function of the learning rate, such as (lr) => optim.adam({ lr }), got ${got(optimizer)}`,
    );
  }
  const rateAt = (step: number) => from * (to / from) ** (step / (steps - 1));
  const rates: number[] = [];
  const losses: number[] = [];
  const copy = model.clone();
  let [average, least] = [0, Infinity];
  try {
    const run = fit(copy, dataset, { loss, optimizer: optimizer(rateAt), steps, batchSize, seed, device, signal });
    for await (const { index, loss: value } of run) {
      average = smoothing * average + (1 - smoothing) * value;
      const unbiased = average / (1 - smoothing ** (index + 1));
      rates.push(rateAt(index));
      losses.push(unbiased);
      least = Math.min(least, unbiased);
      if (unbiased > lost * least && index > steps / 10) break;
    }
  } catch (thrown) {
    if (!(thrown instanceof NonFiniteError) || losses.length === 0) throw thrown; // a rate too high: the end of what there is to see
  } finally {
    copy.dispose();
  }
  return { suggestion: middleOfFall(rates, losses, steps), rates, losses };
}

/** @internal The rate at which the averaged losses have made half of their fall; the first tenth of the steps tells where it begins. */
export function middleOfFall(rates: readonly number[], losses: readonly number[], steps: number): number {
  const calm = losses.slice(0, Math.max(2, Math.floor(steps / 10)));
  const start = calm.reduce((a, b) => a + b, 0) / calm.length;
  const scatter = Math.sqrt(calm.reduce((sum, value) => sum + (value - start) ** 2, 0) / calm.length);
  const least = Math.min(...losses);
  if (!(start - least > clear * scatter)) {
    throw new ArgumentError(
      `${where}: the loss falls at no rate between ${rates[0]!.toExponential(1)} and ${rates.at(-1)!.toExponential(1)}; begin lower (from), end higher (to), or look at the data and the loss`,
    );
  }
  return rates[losses.findIndex((value) => value <= (start + least) / 2)]!;
}

function requireModel(model: unknown): asserts model is Module {
  if (model instanceof Module) return;
  throw new ArgumentError(`${where}: expected a module of nn, of which a copy is trained, got ${got(model)}`);
}

function requireRates(from: unknown, to: unknown): void {
  const isRate = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value > 0;
  if (isRate(from) && isRate(to) && from < to) return;
  throw new ArgumentError(`${where}: from and to must be rates above 0, the first below the second, got ${got(from)} and ${got(to)}`); // prettier-ignore
}
