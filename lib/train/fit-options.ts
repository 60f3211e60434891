// What `fit` is asked for and what it answers; and the check of the former before anything is touched.
import { ArgumentError } from "../errors.js";
import {
  checkAllow,
  checkResume,
  planCheckpoint,
  planEvery,
  type CheckpointOptions,
  type CheckpointPlan,
  type Every,
  type EveryOption,
  type Resume,
  type Section,
} from "../checkpoint/index.js";
import type { Dataset, Samples } from "../data/index.js";
import { requireSamples } from "../data/samples.js";
import type { Loss } from "../loss/index.js";
import { requireLoss } from "../loss/loss.js";
import type { Metric } from "../metrics/index.js";
import { requireModule, type ModuleLike } from "../nn/module.js";
import type { Optimizer } from "../optim/index.js";
import { checkLossTerms, type LossTerms } from "./distillation.js";
import { EarlyStopping, monitorsOf, type EarlyStoppingOptions } from "./early-stopping.js";
import { checkedDataset } from "./evaluate.js";
import { checkCount, checkMetrics, checkObject } from "./metric-pass.js";
import type { ProgressStream } from "./progress.js";
import { checkFlag, checkOptimizer, checkSeed } from "./checks.js";

/** Metrics that give one number, by name. */
export type ScalarMetrics = Readonly<Record<string, Metric>>;

/** Figures by name: "loss" of training, "val.loss" and "val.<metric>" where there was a validation. */
export type Figures<Metrics extends ScalarMetrics = ScalarMetrics> = { readonly loss: number } & Readonly<
  Partial<Record<"val.loss" | `val.${keyof Metrics & string}`, number>>
>;

/** A figure that early stopping can watch. */
export type Monitor<Metrics extends ScalarMetrics = ScalarMetrics> =
  "loss" | "val.loss" | `val.${keyof Metrics & string}`;

/** After a training step; `index` and `epoch` count from 0. */
export interface StepEvent {
  readonly index: number;
  readonly epoch: number;
  readonly loss: number;
  /** Learning rate of this step. */
  readonly lr: number;
  /** L2 norm of all gradients before clipping; with `clipNorm` only. */
  readonly gradNorm?: number;
  readonly samplesPerSecond: number;
}

/** An epoch that has ended. */
export interface EpochRecord<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly epoch: number;
  /** Steps taken until its end, from the start of the run. */
  readonly steps: number;
  /** The training loss of the epoch (the mean over what counted; of reduction "sum" the sum), and the last validation in it. */
  readonly figures: Figures<Metrics>;
  /** Of this epoch, validation included. */
  readonly seconds: number;
}

/** A validation. */
export interface ValidationRecord<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly epoch: number;
  /** Steps taken until then. */
  readonly steps: number;
  readonly figures: Omit<Figures<Metrics>, "loss">;
}

/** What comes out of a run. */
export interface FitResult<Metrics extends ScalarMetrics = ScalarMetrics> {
  /**
   * When the monitored figure was best (`val.loss`, or `loss` without validation, if nothing was monitored) and the figures
   * then; `undefined` if there was no check that counts. The model has these weights if early stopping restores the best.
   */
  readonly best:
    { readonly epoch: number; readonly steps: number; readonly figures: Partial<Figures<Metrics>> } | undefined;
  /** Every epoch that came to its end; the last one may be cut short by `steps`. */
  readonly history: readonly EpochRecord<Metrics>[];
  /** Every validation. */
  readonly validations: readonly ValidationRecord<Metrics>[];
  /** Why it ended: all steps done, early stopping, or the reader left the loop. */
  readonly stopped: "done" | "early" | "break";
  /** Steps taken. */
  readonly steps: number;
  /** Steps that an earlier process had taken, where the run went on from a checkpoint. */
  readonly resumed: number | undefined;
  /** Of this process. */
  readonly seconds: number;
}

/** Functions called on the way; the run waits for those that return a promise. */
export interface Callbacks<Metrics extends ScalarMetrics = ScalarMetrics> {
  onStep?(event: StepEvent): unknown;
  onEpoch?(record: EpochRecord<Metrics>): unknown;
  onValidate?(record: ValidationRecord<Metrics>): unknown;
  onEnd?(result: FitResult<Metrics>): unknown;
}

/** How a run is validated. */
export interface ValidateOptions<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly on: Samples;
  /** After every epoch, every so many steps, or after a time such as "5 min". Default "epoch". */
  readonly every?: EveryOption | undefined;
  /** By name, each one number. Default none: the loss alone. */
  readonly metrics?: Metrics | undefined;
  /** Samples at a time. Default 256 or the training batch, whichever is larger. */
  readonly batchSize?: number | undefined;
}

/** Options of {@link fit}. */
export interface FitOptions<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Samples a step. Default 32. */
  readonly batchSize?: number | undefined;
  /** Passes over the data. Default 1, unless `steps` is given. */
  readonly epochs?: number | undefined;
  /** Length of the run in steps instead. */
  readonly steps?: number | undefined;
  /** Decides the order of the samples, dropout and all other randomness of the run. Default 0. */
  readonly seed?: number | undefined;
  /** A new order for every epoch. Default true. */
  readonly shuffle?: boolean | undefined;
  /** Leave out the samples that do not fill a batch. Default false. */
  readonly dropLast?: boolean | undefined;
  readonly validate?: ValidateOptions<Metrics> | undefined;
  /** What the training loss carries beside `loss`, such as `distill.kd({ teacher })`; validation is by `loss` alone. */
  readonly distill?: LossTerms | undefined;
  readonly earlyStopping?: EarlyStoppingOptions<Monitor<NoInfer<Metrics>>> | undefined;
  /** Keeps the state of the run on the disk, so that it can go on after its process ended. Default not at all. */
  readonly checkpoint?: CheckpointOptions | undefined;
  /** The checkpoint to go on from. Default false, from the start. */
  readonly resume?: Resume | undefined;
  /** What may differ from the run of the checkpoint. Default nothing. */
  readonly allow?: readonly Section[] | undefined;
  /**
   * SIGINT (Ctrl-C) and SIGTERM end the run: the first after the step that runs, with a checkpoint where they are kept, and the
   * run rejects with `InterruptedError`; the second ends the process. Default false: a library leaves signals to its program.
   */
  readonly signals?: boolean | undefined;
  /** Ends the run; it rejects with `AbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** Show progress on stderr (a bar on a terminal, lines elsewhere), or on a stream. Default false. */
  readonly progress?: boolean | ProgressStream | undefined;
  readonly callbacks?: Callbacks<NoInfer<Metrics>> | undefined;
}

/** How a run is validated, checked. */
export interface ValidationPlan {
  readonly on: Dataset;
  readonly every: Every;
  readonly metrics: ScalarMetrics;
  readonly batchSize: number;
}

/** Options that have been checked, defaults filled in. */
export interface FitPlan {
  readonly model: ModuleLike;
  readonly dataset: Dataset;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly batchSize: number;
  readonly seed: number;
  readonly shuffle: boolean;
  readonly stepsPerEpoch: number;
  /** Steps of the whole run. */
  readonly steps: number;
  readonly dropLast: boolean;
  readonly validate: ValidationPlan | undefined;
  readonly distill: LossTerms | undefined;
  readonly stopping: EarlyStopping | undefined;
  readonly checkpoint: CheckpointPlan | undefined;
  readonly resume: Resume;
  readonly allow: readonly Section[];
  readonly signals: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: boolean | ProgressStream;
  readonly callbacks: Callbacks;
}

const names = [
  "loss",
  "optimizer",
  "batchSize",
  "epochs",
  "steps",
  "seed",
  "shuffle",
  "dropLast",
  "validate",
  "distill",
  "earlyStopping",
  "checkpoint",
  "resume",
  "allow",
  "signals",
  "signal",
  "progress",
  "callbacks",
];
const where = "train.fit";

/** @throws ArgumentError, ShapeError, NonFiniteError for what no run can start on. */
export function planFit(model: ModuleLike, samples: unknown, options: FitOptions): FitPlan {
  requireModule(where, model);
  requireSamples(where, samples);
  checkObject(where, options, names);
  requireLoss(where, options.loss);
  checkOptimizer(where, options.optimizer);
  const { batchSize = 32, seed = 0, shuffle = true, dropLast = false, callbacks = {}, signals = false } = options;
  const { resume = false, allow = [] } = options;
  checkCount(where, "batchSize", batchSize);
  checkSeed(where, seed);
  checkLossTerms(where, options.distill);
  checkFlag(where, "shuffle", shuffle);
  checkFlag(where, "dropLast", dropLast);
  checkFlag(where, "signals", signals);
  const checkpoint = planCheckpoint(where, options.checkpoint);
  checkResume(where, resume, checkpoint);
  checkAllow(where, allow);
  checkObject(`${where}: callbacks`, callbacks, ["onStep", "onEpoch", "onValidate", "onEnd"]);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new ArgumentError(`${where}: signal must be an AbortSignal, such as AbortSignal.timeout(60_000)`);
  }
  const dataset = checkedDataset(where, samples);
  const rows = dataset.length;
  if (rows === 0) throw new ArgumentError(`${where}: expected at least one sample to train on`);
  if (dropLast && batchSize > rows) {
    throw new ArgumentError(
      `${where}: batchSize ${batchSize} is more than the ${rows} samples, and dropLast leaves nothing; lower it to ${rows} at most`,
    );
  }
  const batch = Math.min(batchSize, rows);
  const stepsPerEpoch = dropLast ? Math.floor(rows / batch) : Math.ceil(rows / batch);
  const validate = planValidation(options.validate, Math.max(256, batch));
  return {
    model,
    dataset,
    loss: options.loss,
    optimizer: options.optimizer,
    batchSize: batch,
    seed,
    shuffle,
    dropLast,
    stepsPerEpoch,
    steps: lengthOf(options, stepsPerEpoch),
    validate,
    distill: options.distill,
    stopping:
      options.earlyStopping &&
      new EarlyStopping(`${where}: earlyStopping`, options.earlyStopping, monitorsOf(validate?.metrics)),
    checkpoint,
    resume,
    allow,
    signals,
    signal: options.signal,
    progress: options.progress ?? false,
    callbacks,
  };
}

function lengthOf({ epochs, steps }: FitOptions, stepsPerEpoch: number): number {
  if (epochs !== undefined && steps !== undefined) {
    throw new ArgumentError(`${where}: give epochs or steps, got both (${epochs} and ${steps})`);
  }
  if (steps !== undefined) {
    checkCount(where, "steps", steps);
    return steps;
  }
  checkCount(where, "epochs", epochs ?? 1);
  return (epochs ?? 1) * stepsPerEpoch;
}

function planValidation(given: ValidateOptions | undefined, defaultBatch: number): ValidationPlan | undefined {
  if (given === undefined) return undefined;
  const at = `${where}: validate`;
  checkObject(at, given, ["on", "every", "metrics", "batchSize"]);
  const { every = "epoch", metrics = {}, batchSize = defaultBatch } = given;
  checkMetrics(at, metrics);
  requireNumbers(at, metrics);
  checkCount(at, "batchSize", batchSize);
  const on = checkedDataset(`${at}.on`, given.on);
  if (on.length === 0) throw new ArgumentError(`${at}: expected at least one sample to validate on`);
  return { on, every: planEvery(at, every), metrics, batchSize };
}

// A run keeps numbers alone; what a metric gives is seen from a pass over nothing.
function requireNumbers(at: string, metrics: ScalarMetrics): void {
  for (const [name, metric] of Object.entries(metrics)) {
    if (typeof metric.start().result() === "number") continue;
    throw new ArgumentError(
      `${at}: "${name}" gives no single number, which a run could compare; measure it afterwards: await train.evaluate(model, set, { metrics: { ${name} } })`,
    );
  }
}
