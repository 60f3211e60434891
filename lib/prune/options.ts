// What `prune` is asked for, and the check of it before anything is touched.
import { requireCount, requireOneOf, requireWithin } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";
import { isSource, type BatchSource, type Samples } from "../data/index.js";
import { calibrationSamples, firstOf } from "../data/sources/in-memory.js";
import type { Loss } from "../loss/index.js";
import type { ParameterMatches } from "../nn/match.js";
import { Module } from "../nn/module.js";
import { checkedDataset } from "../train/data/run-data.js";
import type { FitOptions, ScalarMetrics } from "../train/index.js";
import { l1, type Criterion, type Scope } from "./criteria.js";
import type { MaskPlan } from "./masker.js";
import { oneShot, type LotterySchedule, type PruningSchedule } from "./schedule.js";
import type { Calibration } from "./statistics.js";
import { patternOf, requireFit, type Structure } from "./structure.js";
import { requireAmount, targetsOf, type Amount } from "./targets.js";

/** Options of {@link mask}. */
export interface MaskOptions {
  /** The share of weights to prune, from 0 to below 1; one for all or by name. With "N:M" it is given by the structure. */
  readonly amount?: Amount | undefined;
  /**
   * Weights are compared within a parameter ("layer", the default), over all parameters ("global"), or within an output
   * ("row"). Some criteria have another default.
   */
  readonly scope?: Scope | undefined;
  /**
   * With scope "global": every parameter keeps at least this share of what pruning all evenly would leave it, and as many weights as
   * it has outputs where that many stay at all. Default 0.25; 0 lets layers be emptied.
   */
  readonly floor?: number | undefined;
  /** What a weight is worth. Default {@link l1}, the magnitude. */
  readonly criterion?: Criterion | undefined;
  /** Default "unstructured". */
  readonly structure?: Structure | undefined;
  /** Parameters to prune instead of all weights of two dimensions or more that are no embeddings. */
  readonly match?: ParameterMatches | undefined;
  /** Parameters not to prune. */
  readonly keep?: ParameterMatches | undefined;
  /** Samples for criteria that read gradients or inputs; of a source the first 1024. Default the first 1024 of `during.data`. */
  readonly calibrate?: Samples | BatchSource | undefined;
  /** The loss for criteria that read gradients. Default that of `during`. */
  readonly loss?: Loss | undefined;
  /** Samples of `calibrate` at a time. Default that of `during`, else 64. */
  readonly batchSize?: number | undefined;
  /** Of the criterion's random numbers. Default 0. */
  readonly seed?: number | undefined;
  /** Gives the work up. */
  readonly signal?: AbortSignal | undefined;
}

/** A training run, as {@link FitOptions}, with its data. */
export interface During<Metrics extends ScalarMetrics = ScalarMetrics> extends FitOptions<Metrics> {
  readonly data: Samples | BatchSource;
}

/** Options of {@link prune}. */
export interface PruneOptions<Metrics extends ScalarMetrics = ScalarMetrics> extends MaskOptions {
  /** When how much is pruned. Default {@link oneShot}. */
  readonly schedule?: PruningSchedule | LotterySchedule | undefined;
  /** Training that goes on under the masks. Without it the weights that are left keep their values. */
  readonly during?: During<Metrics> | undefined;
}

const maskNames = [
  "amount",
  "scope",
  "floor",
  "criterion",
  "structure",
  "match",
  "keep",
  "calibrate",
  "loss",
  "batchSize",
  "seed",
  "signal",
];

/** @throws ArgumentError for options that do not fit the model or one another. */
export function planMask(where: string, model: Module, options: MaskOptions, during?: During): MaskPlan {
  const { criterion = l1, seed = 0, floor = 0.25 } = options;
  if (typeof criterion !== "function") {
    throw new ArgumentError(
      `${where}: criterion must be a function such as prune.l1 or prune.wanda, got ${got(criterion)}`,
    );
  }
  const scope = options.scope ?? criterion.scope ?? "layer";
  requireOneOf(where, "scope", scope, ["layer", "global", "row"]);
  requireCount(where, "seed", seed, 0);
  requireWithin(where, "floor", floor, 0, 1);
  const pattern = patternOf(where, options.structure);
  const amount = amountOf(where, options, pattern.kind === "nm" ? 1 - pattern.n / pattern.m : undefined);
  if (options.scope !== undefined && pattern.kind === "nm") {
    throw new ArgumentError(`${where}: "N:M" compares weights within their groups of M, so there is no scope to give`);
  }
  if (scope === "global" && typeof amount !== "number") {
    throw new ArgumentError(`${where}: scope "global" ranks all weights together, so amount must be one number`);
  }
  const { match, keep } = options;
  const targets = targetsOf(where, model, { amount, match, keep });
  for (const { name, parameter } of targets) requireFit(where, pattern, name, parameter.shape);
  return {
    where,
    model,
    targets,
    criterion,
    scope,
    floor,
    pattern,
    calibration: calibrationOf(where, options, during),
    seed,
  };
}

/** @throws ArgumentError for unknown options and what is no model. */
export function planPrune(where: string, model: Module, options: PruneOptions): MaskPlan {
  requireOptions(where, model, options, [...maskNames, "schedule", "during"]);
  const { during, schedule = oneShot() } = options;
  if (during !== undefined && (typeof during !== "object" || during?.data === undefined)) {
    throw new ArgumentError(`${where}: during must be the options of train.fit and data: { x, y }`);
  }
  if (typeof schedule !== "object" || schedule === null || typeof schedule.kind !== "string") {
    throw new ArgumentError(`${where}: schedule must be one of prune, such as prune.cubic({ steps: 2000 })`);
  }
  if (!during && (schedule.kind === "lottery" || schedule.length > 0)) {
    throw new ArgumentError(
      `${where}: the schedule prune.${schedule.kind} goes by training steps: give during: { data, loss, optimizer, … }`,
    );
  }
  return planMask(where, model, options, during);
}

/** @throws ArgumentError for unknown options and what is no model. */
export function requireMaskOptions(where: string, model: Module, options: MaskOptions): void {
  requireOptions(where, model, options, maskNames);
}

function requireOptions(where: string, model: unknown, options: unknown, names: readonly string[]): void {
  if (!(model instanceof Module)) {
    throw new ArgumentError(
      `${where}: expected a module, whose parameters it can list${typeof model === "function" ? ", got a function" : ""}; put it into nn.sequential(…)`,
    );
  }
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError(`${where}: expected options such as { amount: 0.9 }, got ${String(options)}`);
  }
  checkOptions(where, options, names);
  const { loss, batchSize } = options as MaskOptions; // wrong also where the criterion reads no samples
  if (batchSize !== undefined) requireCount(where, "batchSize", batchSize);
  if (loss !== undefined && typeof loss !== "function") {
    throw new ArgumentError(`${where}: loss must be one of loss, such as loss.crossEntropy(), got ${got(loss)}`);
  }
}

function amountOf(where: string, { amount }: MaskOptions, given: number | undefined): Amount {
  if (given === undefined) {
    if (amount !== undefined) return amount;
    throw new ArgumentError(`${where}: give amount, the share of weights to prune, such as { amount: 0.9 }`);
  }
  if (amount === undefined) return given;
  if (typeof amount === "number") requireAmount(where, "amount", amount);
  if (amount === given) return given;
  throw new ArgumentError(
    `${where}: the structure says how much is pruned, ${given}; leave amount out, and parameters with keep`,
  );
}

/** Options whose calibration samples are in memory: a source, of their own or of training, is read as far as it stands for all. */
export async function readCalibration<
  Options extends Pick<MaskOptions, "calibrate"> & { readonly during?: During | undefined },
>(options: Options): Promise<Options> {
  const { calibrate, during } = options;
  if (isSource(calibrate)) return { ...options, calibrate: await firstOf(calibrate) };
  return calibrate === undefined && isSource(during?.data)
    ? { ...options, calibrate: await firstOf(during.data) }
    : options;
}

/** The samples that criteria may read. @throws ArgumentError */
export function calibrationOf(
  where: string,
  options: Pick<MaskOptions, "calibrate" | "loss" | "batchSize">,
  during: During | undefined,
): Calibration | undefined {
  const samples = options.calibrate
    ? checkedDataset(`${where}: calibrate`, options.calibrate)
    : during && checkedDataset(`${where}: during.data`, during.data).take(calibrationSamples);
  if (!samples) return undefined;
  if (samples.length === 0) throw new ArgumentError(`${where}: expected at least one sample to calibrate on`);
  const batchSize = options.batchSize ?? during?.batchSize ?? 64;
  requireCount(where, "batchSize", batchSize);
  const loss = options.loss ?? during?.loss;
  return { samples, loss, batchSize };
}
