// What `fit` is asked for and what it answers; and the check of the former before anything is touched.
// Long because every option stands beside its check and its default.
import { requireCount, requireFlag } from "../guidance/arguments.js";
import { deviceName, type DeviceName, type DeviceOption } from "../device/index.js";
import { ArgumentError, UnsupportedError, checkOptions } from "../errors.js";
import {
  checkAllow,
  checkResume,
  millisecondsOf,
  planCheckpoint,
  planEvery,
  type CheckpointOptions,
  type CheckpointPlan,
  type Duration,
  type Every,
  type EveryOption,
  type Resume,
  type Section,
} from "../checkpoint/index.js";
import { isSource, type BatchSource, type Samples } from "../data/index.js";
import type { Loss } from "../loss/index.js";
import { requireLoss } from "../loss/loss.js";
import { requireModule, type ModuleLike } from "../nn/module.js";
import type { Optimizer } from "../optim/index.js";
import { got } from "../names/got.js";
import { checkAveraging, type WeightAveraging } from "./averaging.js";
import { checkLossTerms, type LossTerms } from "./distillation.js";
import {
  checkedParallelism,
  type DataParallelism,
  type Parallelism,
  type PipelineParallelism,
} from "./ranks/parallelism.js";
import { EarlyStopping, type EarlyStoppingOptions } from "./run/early-stopping.js";
import { monitorsOf } from "./run/monitors.js";
import { Plateau, type PlateauOptions } from "./run/plateau.js";
import { checkMetrics } from "./evaluate/metric-pass.js";
import type { ProgressStream } from "./run/progress.js";
import type { EpochRecord, FitResult, Monitor, ScalarMetrics, StepEvent, ValidationRecord } from "./run/records.js";
import { planGuard, type GuardPlan, type GuardPolicy, type RewindOptions, type SpikeOptions } from "./run/guard.js";
import { planLog, type LogOptions, type LogPlan } from "./run/run-log.js";
import { checkedData, trainingPart, type RunData } from "./data/run-data.js";
import type { FitTrial } from "./run/trial.js";
import { checkOptimizer } from "./step/checks.js";
import { requireFields } from "../guidance/arguments.js";

/** Functions called on the way; the run waits for those that return a promise. */
export interface Callbacks<Metrics extends ScalarMetrics = ScalarMetrics> {
  onStep?(event: StepEvent): unknown;
  onEpoch?(record: EpochRecord<Metrics>): unknown;
  onValidate?(record: ValidationRecord<Metrics>): unknown;
  onEnd?(result: FitResult<Metrics>): unknown;
}

/** How a run is validated. */
export interface ValidateOptions<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly on: Samples | BatchSource;
  /** After every epoch, every so many steps, or after a time such as "5 min". Default "epoch". */
  readonly every?: EveryOption | undefined;
  /** By name, each one number. Default none: the loss alone. */
  readonly metrics?: Metrics | undefined;
  /**
   * Also measures the training samples, all of them or the first so many, as `train.loss` and `train.<metric>`: what was learned, without dropout
   * and as of one moment, beside what holds elsewhere. Default false.
   */
  readonly training?: boolean | number | undefined;
  /** Samples at a time. Default 256 or the training batch, whichever is larger. */
  readonly batchSize?: number | undefined;
}

/** Options of {@link fit}. */
export interface FitOptions<Metrics extends ScalarMetrics = ScalarMetrics> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** What the steps and the validation run on. The model is nowhere in particular: what a device trained, the CPU reads. Default "cpu". */
  readonly device?: DeviceOption | undefined;
  /** Samples a step. Default 32. */
  readonly batchSize?: number | undefined;
  /** Batches whose gradients make one step: it is the step of one batch of `accumulate` · `batchSize` samples. Default 1. */
  readonly accumulate?: number | undefined;
  /** Passes over the data. Default 1, unless `steps` is given. */
  readonly epochs?: number | undefined;
  /** Length of the run in steps instead. */
  readonly steps?: number | undefined;
  /** Decides the order of the samples, dropout and all other randomness of the run. Default 0. */
  readonly seed?: number | undefined;
  /** A new order for every epoch. Default true; a source of samples has its own order (`source.shuffle(10_000)`). */
  readonly shuffle?: boolean | undefined;
  /** Leave out the samples that do not fill a batch. Default false. */
  readonly dropLast?: boolean | undefined;
  readonly validate?: ValidateOptions<Metrics> | undefined;
  /** How the run is divided among the ranks that `mpirun` or `srun` has started: `parallel.data()` or
   * `parallel.pipeline()`. Default not at all. */
  readonly parallel?: DataParallelism | PipelineParallelism | undefined;
  /** What the training loss carries beside `loss`, such as `distill.kd({ teacher })`; validation is by `loss` alone. */
  readonly distill?: LossTerms | undefined;
  readonly earlyStopping?: EarlyStoppingOptions<Monitor<NoInfer<Metrics>>> | undefined;
  /** Lowers the learning rates when a metric no longer improves, on top of their schedules. Default never. */
  readonly reduceOnPlateau?: PlateauOptions<Monitor<NoInfer<Metrics>>> | undefined;
  /** Averages the weights, by `train.ema` or `train.swa`: validations and the model at the end are of the average. Default not. */
  readonly average?: WeightAveraging | undefined;
  /** Ends the run after a time such as "2 h", earlier processes of it included. Default never. */
  readonly maxTime?: Duration | undefined;
  /**
   * What a loss or gradient that is not finite does: it ends the run, its step is left out and counted, or the run goes back to its last
   * checkpoint, see `rewind`. Default "stop".
   */
  readonly onNonFinite?: GuardPolicy | undefined;
  /** What a step does whose loss is far above those before it; no weight has moved by then. Default: nothing is a spike. */
  readonly onSpike?: SpikeOptions | undefined;
  /** Of policy "rewind": what the learning rates are multiplied by each time (`rate`, 0.5), and how often at most (`most`, 5). */
  readonly rewind?: RewindOptions | undefined;
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
  /** Keeps a log in the folder of the run, with run.json, which says what the run is. Default none. */
  readonly log?: LogOptions | undefined;
  /** Show progress on stderr (a bar on a terminal, lines elsewhere), or on a stream. Default false. */
  readonly progress?: boolean | ProgressStream | undefined;
  readonly callbacks?: Callbacks<NoInfer<Metrics>> | undefined;
  /**
   * The trial of a search (`tune`) that the run belongs to: its signal ends the run; after every epoch the run reports what early stopping
   * monitors, else `val.loss` or `loss`, and rejects with `TrialPrunedError` where the pruner ends it; with a folder of the trial
   * it keeps checkpoints there and goes on from them.
   */
  readonly trial?: FitTrial | undefined;
}

/** How a run is validated, checked. */
export interface ValidationPlan {
  readonly on: RunData;
  /** Training samples that are measured too. */
  readonly training: RunData | undefined;
  readonly every: Every;
  readonly metrics: ScalarMetrics;
  readonly batchSize: number;
}

/** Options that have been checked, defaults filled in. */
export interface FitPlan {
  readonly model: ModuleLike;
  readonly dataset: RunData;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly device: DeviceName | undefined;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly average: WeightAveraging | undefined;
  /** Milliseconds of the run. */
  readonly maxTime: number;
  readonly guard: GuardPlan;
  readonly seed: number;
  readonly shuffle: boolean;
  /** Undefined where only the end of an epoch tells. */
  readonly stepsPerEpoch: number | undefined;
  /** Steps of the whole run. */
  readonly steps: number;
  readonly dropLast: boolean;
  readonly validate: ValidationPlan | undefined;
  readonly distill: LossTerms | undefined;
  readonly parallel: Parallelism | undefined;
  readonly stopping: EarlyStopping | undefined;
  readonly plateau: Plateau | undefined;
  readonly checkpoint: CheckpointPlan | undefined;
  readonly resume: Resume;
  readonly allow: readonly Section[];
  readonly signals: boolean;
  readonly log: LogPlan | undefined;
  readonly signal: AbortSignal | undefined;
  readonly progress: boolean | ProgressStream;
  readonly callbacks: Callbacks;
}

const names = [
  "loss",
  "optimizer",
  "device",
  "batchSize",
  "accumulate",
  "average",
  "maxTime",
  "onNonFinite",
  "onSpike",
  "rewind",
  "epochs",
  "steps",
  "seed",
  "shuffle",
  "dropLast",
  "validate",
  "distill",
  "parallel",
  "earlyStopping",
  "reduceOnPlateau",
  "checkpoint",
  "resume",
  "allow",
  "signals",
  "signal",
  "log",
  "progress",
  "callbacks",
  "trial",
];
const where = "train.fit";

/** @throws ArgumentError, ShapeError, NonFiniteError for what no run can start on. */
export function planFit(model: ModuleLike, samples: unknown, options: FitOptions): FitPlan {
  requireModule(where, model);
  const dataset = checkedData(where, samples as Samples);
  checkOptions(where, options, names);
  requireLoss(where, options.loss);
  checkOptimizer(where, options.optimizer);
  const { batchSize = 32, seed = 0, dropLast = false, callbacks = {}, signals = false } = options;
  const { shuffle = !isSource(dataset) } = options;
  const { resume = false, allow = [], accumulate = 1, average } = options;
  requireCount(where, "batchSize", batchSize);
  requireCount(where, "accumulate", accumulate);
  checkAveraging(where, average);
  requireCount(where, "seed", seed, 0);
  checkLossTerms(where, options.distill);
  requireFlag(where, "shuffle", shuffle);
  requireFlag(where, "dropLast", dropLast);
  requireFlag(where, "signals", signals);
  const checkpoint = planCheckpoint(where, options.checkpoint);
  checkResume(where, resume, checkpoint);
  checkAllow(where, allow);
  checkOptions(`${where}: callbacks`, callbacks, ["onStep", "onEpoch", "onValidate", "onEnd"]);
  checkTogether(options, shuffle && isSource(dataset));
  const { batch, stepsPerEpoch } = epochOf(dataset.length, batchSize, accumulate, dropLast);
  const validate = planValidation(options.validate, dataset, Math.max(256, batch));
  const monitors = monitorsOf(validate?.metrics);
  return {
    model,
    dataset,
    loss: options.loss,
    optimizer: options.optimizer,
    device: deviceName(where, options.device),
    batchSize: batch,
    accumulate,
    average,
    maxTime: timeOf(options.maxTime),
    guard: planGuard(where, options, checkpoint !== undefined),
    seed,
    shuffle,
    dropLast,
    stepsPerEpoch,
    steps: lengthOf(options, stepsPerEpoch),
    validate,
    distill: options.distill,
    parallel: checkedParallelism(where, options.parallel, { ...options, validate, checkpoint, model }),
    stopping: options.earlyStopping && new EarlyStopping(`${where}: earlyStopping`, options.earlyStopping, monitors),
    plateau:
      options.reduceOnPlateau === undefined
        ? undefined
        : new Plateau(`${where}: reduceOnPlateau`, options.reduceOnPlateau, monitors),
    checkpoint,
    resume,
    allow,
    signals,
    log: planLog(where, options.log),
    signal: options.signal,
    progress: checkedProgress(options.progress),
    callbacks,
  };
}

// What does not go together.
function checkTogether(options: FitOptions, shuffledSource: boolean): void {
  const { parallel, accumulate = 1, average, onNonFinite, onSpike } = options;
  if (onSpike && (accumulate > 1 || parallel !== undefined)) {
    throw new UnsupportedError(
      `${where}: onSpike does not go with accumulate or parallel yet; leave one of them out, or clip gradients (clipNorm: 1)`,
    );
  }
  if (parallel !== undefined && onNonFinite === "rewind") {
    throw new UnsupportedError(`${where}: onNonFinite: "rewind" does not go with parallel yet; "skip" and "stop" do`);
  }
  if (parallel !== undefined && (accumulate > 1 || average)) {
    throw new UnsupportedError(`${where}: accumulate and average do not go with parallel yet; leave one of them out`);
  }
  if (!shuffledSource) return;
  throw new ArgumentError(
    `${where}: shuffle: a source has an order of its own; mix it on the way, source.shuffle(10_000), and leave the option out`,
  );
}

function timeOf(maxTime: unknown): number {
  const ms = maxTime === undefined ? Infinity : millisecondsOf(maxTime);
  if (ms !== undefined) return ms;
  throw new ArgumentError(`${where}: maxTime must be a time such as "90 s", "30 min" or "2 h", got ${got(maxTime)}`);
}

function epochOf(rows: number | undefined, batchSize: number, accumulate: number, dropLast: boolean) {
  if (rows === undefined) return { batch: batchSize, stepsPerEpoch: undefined };
  if (rows === 0) throw new ArgumentError(`${where}: expected at least one sample to train on`);
  if (dropLast && batchSize * accumulate > rows) {
    throw new ArgumentError(
      `${where}: batchSize ${accumulate > 1 ? `${batchSize} · accumulate ${accumulate}` : batchSize} is more than the ${rows} samples, and dropLast leaves nothing; lower it to ${rows} at most`,
    );
  }
  const batch = Math.min(batchSize, rows);
  const steps = rows / (batch * accumulate);
  return { batch, stepsPerEpoch: dropLast ? Math.floor(steps) : Math.ceil(steps) };
}

function lengthOf({ epochs, steps }: FitOptions, stepsPerEpoch: number | undefined): number {
  if (epochs !== undefined && steps !== undefined) {
    throw new ArgumentError(`${where}: give epochs or steps, got both (${epochs} and ${steps})`);
  }
  if (steps !== undefined) {
    requireCount(where, "steps", steps);
    return steps;
  }
  requireCount(where, "epochs", epochs ?? 1);
  if (stepsPerEpoch === undefined) {
    throw new ArgumentError(
      `${where}: the source does not know how many samples an epoch has; give the length of the run in steps, or count them once: await source.counted()`,
    );
  }
  return (epochs ?? 1) * stepsPerEpoch;
}

function planValidation(
  given: ValidateOptions | undefined,
  dataset: RunData,
  defaultBatch: number,
): ValidationPlan | undefined {
  if (given === undefined) return undefined;
  const at = `${where}: validate`;
  checkOptions(at, given, ["on", "every", "metrics", "training", "batchSize"]);
  const { every = "epoch", metrics = {}, batchSize = defaultBatch } = given;
  checkMetrics(at, metrics);
  requireNumbers(at, metrics);
  requireCount(at, "batchSize", batchSize);
  const on = checkedData(`${at}.on`, given.on);
  if (on.length === 0) throw new ArgumentError(`${at}: expected at least one sample to validate on`);
  return { on, every: planEvery(at, every), metrics, training: trainingPart(at, given.training, dataset), batchSize };
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

function checkedProgress(progress: FitOptions["progress"] = false): boolean | ProgressStream {
  if (typeof progress !== "boolean")
    requireFields(`${where}: progress`, progress, ["write"], "true, false or a stream such as process.stderr");
  return progress;
}
