// Hyperparameters that change over a run, as pure functions of the step.

export { chain, clamp, repeat, scale, sequence, warmup, type SequenceParts } from "./compose.js";
export { cosineRestarts, cyclic, oneCycle, oneCycleMomentum } from "./cycles.js";
export { inverseSqrt, multiStep, rex, tanh, warmupStableDecay } from "./decays.js";
export { noise } from "./noise.js";
export { fromJSON, same } from "./restore.js";
export { describe, from, type DescribedSchedule, type Schedule, type ScheduleLike } from "./schedule.js";
export { constant, cosine, exponential, linear, piecewise, polynomial, step } from "./shapes.js";
export type {
  ClampOptions,
  CosineOptions,
  CosineRestartsOptions,
  CyclicOptions,
  ExponentialOptions,
  InverseSqrtOptions,
  LinearOptions,
  MultiStepOptions,
  NoiseOptions,
  OneCycleMomentumOptions,
  OneCycleOptions,
  PiecewiseOptions,
  PolynomialOptions,
  ScheduleSpec,
  Span,
  StepOptions,
  TanhOptions,
  WarmupOptions,
  WarmupStableDecayOptions,
} from "./spec.js";
