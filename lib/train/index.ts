// Training: `train` of the package.
export { evaluate, predict, type EvaluateOptions, type Evaluation, type PredictOptions } from "./evaluate.js";
export { progress } from "./progress.js";
export type { EpochProgress, Progress, ProgressOptions, ProgressStream, StepProgress } from "./progress.js";
export { step, TrainStep } from "./step.js";
export type { Batch, BatchTensors, XY, StepFigures, TrainStepOptions } from "./step-types.js";
export type { StepOutcome } from "./step-program.js";
export type { MetricResults, MetricSet } from "./metric-pass.js";
export { fit, type FitRun } from "./fit.js";
export { Run } from "./run.js";
export type { Callbacks, FitOptions, ValidateOptions } from "./fit-options.js";
export type {
  EpochRecord,
  Figures,
  FitResult,
  Monitor,
  ScalarMetrics,
  StepEvent,
  ValidationRecord,
} from "./records.js";
export type { DistillationRun, DistillationStep, LossTerms } from "./distillation.js";
export * as log from "../log/index.js";
export { ema, swa, type WeightAveraging } from "./averaging.js";
export type { LogOptions } from "./run-log.js";
export type { EarlyStoppingOptions } from "./early-stopping.js";
export { checkpoints, Checkpoints, type CheckpointsOptions, type Resumed } from "./checkpoints.js";
export type { CheckpointOptions, Resume, Section } from "../checkpoint/index.js";
export type { FitTrial } from "./trial.js";
