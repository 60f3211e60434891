// Training: `train` of the package.
export { evaluate, predict, type EvaluateOptions, type Evaluation, type PredictOptions } from "./evaluate/evaluate.js";
export { layerStatistics } from "./evaluate/layer-statistics.js";
export type {
  LayerStatistics,
  LayerStatisticsOptions,
  ParameterStatistics,
  UnitStatistics,
} from "./evaluate/layer-statistics.js";
export { progress } from "./run/progress.js";
export type { EpochProgress, Progress, ProgressOptions, ProgressStream, StepProgress } from "./run/progress.js";
export { step, TrainStep } from "./step/step.js";
export type { Batch, BatchTensors, XY, StepMetrics, TrainStepOptions } from "./step/step-types.js";
export type { StepOutcome } from "./step/step-program.js";
export type { MetricResults, MetricSet } from "./evaluate/metric-pass.js";
export { fit, type FitRun } from "./fit.js";
export { lbfgs, type LbfgsIteration, type LbfgsOptions, type LbfgsResult } from "./lbfgs/lbfgs.js";
export { Run } from "./run/run.js";
export type { Callbacks, FitOptions, ValidateOptions } from "./fit-options.js";
export type {
  EpochRecord,
  MetricValues,
  FitResult,
  Monitor,
  ScalarMetrics,
  StepEvent,
  ValidationRecord,
} from "./run/records.js";
export type { DistillationRun, DistillationStep, LossTerms } from "./distillation.js";
export * as log from "../log/index.js";
export { ema, swa, type WeightAveraging } from "./averaging.js";
export type { LogOptions } from "./run/run-log.js";
export type { GuardPolicy, RewindOptions, SpikeOptions } from "./run/guard.js";
export type { PlateauOptions } from "./run/plateau.js";
export type { EarlyStoppingOptions } from "./run/early-stopping.js";
export { checkpoints, Checkpoints, type CheckpointsOptions, type Resumed } from "./checkpoints.js";
export type { CheckpointOptions, Resume, Section } from "../checkpoint/index.js";
export type { FitTrial } from "./run/trial.js";
export { findLearningRate, type FoundLearningRate, type LearningRateOptions } from "./find/learning-rate.js";
export { planMemory, type MemoryPlan, type MemoryPlanOptions } from "./find/memory-plan.js";
export { findBatchSize, type BatchSizeOptions, type FoundBatchSize, type TriedBatchSize } from "./find/batch-size.js";
