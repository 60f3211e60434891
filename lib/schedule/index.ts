// Hyperparameters that change over a run, as pure functions of the step.

export { repeat, scale, sequence, warmup, type SequenceParts } from "./compose.js";
export { fromJSON, same } from "./restore.js";
export { describe, from, type DescribedSchedule, type Schedule, type ScheduleLike } from "./schedule.js";
export { constant, cosine, exponential, linear, piecewise, polynomial, step } from "./shapes.js";
export type {
  CosineOptions,
  ExponentialOptions,
  LinearOptions,
  PiecewiseOptions,
  PolynomialOptions,
  ScheduleSpec,
  Span,
  StepOptions,
  WarmupOptions,
} from "./spec.js";
