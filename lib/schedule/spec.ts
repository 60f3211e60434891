// The options of every schedule, and from them its description as plain data, which checkpoints and reports keep.

/** A length of time: a fraction of the run if below 1, a whole number of steps from 1 on, or epochs such as "3 epochs" or "0.5 epochs". */
export type Span = number | `${number} epoch` | `${number} epochs`;

/** Options of {@link step}. */
export interface StepOptions {
  /** Value before the first drop. */
  readonly initial: number;
  /** Span between drops. */
  readonly every: Span;
  /** Multiplies the value at each drop. Default 0.1. */
  readonly factor?: number;
}

/** Options of {@link exponential}: either `factor` (with `every`) or `final` (with `steps`). */
export interface ExponentialOptions {
  /** Value at step 0. */
  readonly initial: number;
  /** Multiplies the value once in each `every`, smoothly in between. */
  readonly factor?: number;
  /** Span in which `factor` applies once. Default 1 step. */
  readonly every?: Span;
  /** Value at the end of the decay. */
  readonly final?: number;
  /** Length of the decay to `final`. Default the whole run. */
  readonly steps?: Span;
}

/** Options of {@link linear}. */
export interface LinearOptions {
  /** Value at step 0. */
  readonly initial: number;
  /** Value at the end. Default 0. */
  readonly final?: number;
  /** Length of the way from one to the other. Default the whole run. */
  readonly steps?: Span;
}

/** Options of {@link polynomial}. */
export interface PolynomialOptions extends LinearOptions {
  /** Exponent, above 0. Default 2; 1 is linear, 3 the cubic of gradual pruning (Zhu and Gupta, 2017). */
  readonly power?: number;
}

/** Options of {@link cosine}. */
export interface CosineOptions {
  /** Value at the top: at step 0, or where the warmup ends. */
  readonly peak: number;
  /** Linear rise to the peak before the decay, as in {@link withWarmup warmup}. Default 0, none. */
  readonly warmup?: Span;
  /** Value at the end. Default 0. */
  readonly final?: number;
  /** Length of warmup and decay together; level afterwards. Default the whole run. */
  readonly steps?: Span;
}

/** Options of {@link piecewise}. */
export interface PiecewiseOptions {
  /** Between two points: keep the earlier value (`"hold"`, the default) or draw a straight line (`"linear"`). */
  readonly between?: "hold" | "linear";
}

/** Options of {@link warmup}. */
export interface WarmupOptions {
  /** Where the rise begins, as a share of the value it rises to. Default 0. */
  readonly from?: number;
}

/** Options of {@link multiStep}. */
export interface MultiStepOptions {
  /** Value before the first milestone. */
  readonly initial: number;
  /** Spans from the start of the run; at each the value is multiplied. */
  readonly milestones: readonly Span[];
  /** Multiplies the value at each milestone. Default 0.1. */
  readonly factor?: number;
}

/** Options of {@link inverseSqrt}. */
export interface InverseSqrtOptions {
  /** Value where the warmup ends. */
  readonly peak: number;
  /** Linear rise to the peak, as in {@link warmup}. Default 0, none. */
  readonly warmup?: Span;
  /** Steps in which the square of the value halves for the first time. Default the warmup, or 10,000 without one. */
  readonly timescale?: number;
}

/** Options of {@link warmupStableDecay}. */
export interface WarmupStableDecayOptions {
  /** Value of the level stretch. */
  readonly peak: number;
  /** Linear rise to the peak, as in {@link warmup}. Default 0, none. */
  readonly warmup?: Span;
  /** Length of the decay at the end. Default 0.1. */
  readonly decay?: Span;
  /** The decay: a line (the default), half a cosine, or 1 − √u. */
  readonly shape?: "linear" | "cosine" | "sqrt";
  /** Value at the end. Default 0. */
  readonly final?: number;
  /** Length of all three together. Default the whole run. */
  readonly steps?: Span;
}

/** Options of {@link tanh}. */
export interface TanhOptions extends LinearOptions {
  /** Where on the tangent the decay begins. Default −7. */
  readonly lower?: number;
  /** Where on the tangent the decay ends. Default 3. */
  readonly upper?: number;
}

/** Options of {@link cosineRestarts}. */
export interface CosineRestartsOptions {
  /** Value at every restart. */
  readonly peak: number;
  /** Length of the first period. */
  readonly first: Span;
  /** Each period is this many times as long as the one before; 1 or more. Default 1. */
  readonly growth?: number;
  /** Value at the end of every period. Default 0. */
  readonly final?: number;
}

/** Options of {@link cyclic}. */
export interface CyclicOptions {
  /** Value at the bottom. */
  readonly low: number;
  /** Value at the top of the first cycle. */
  readonly high: number;
  /** Span from bottom to top. */
  readonly rise: Span;
  /** Span from top to bottom. Default `rise`. */
  readonly fall?: Span;
  /** How the height of the cycles changes (PyTorch's triangular, triangular2, exp_range). Default "constant". */
  readonly height?: "constant" | "halve" | "decay";
  /** With height "decay": multiplies the height at every step. Default 1. */
  readonly factor?: number;
}

/** Options of {@link oneCycle} and {@link oneCycleMomentum}: the course of the cycle. */
interface CycleCourse {
  /** Share of the cycle that the rise takes, between 0 and 1. Default 0.3. */
  readonly rise?: number;
  /** Half cosines (the default) or lines. */
  readonly anneal?: "cosine" | "linear";
  /** 2 (the default): up, and down to the end. 3: up, down to the initial value in the same time, and down to the end. */
  readonly phases?: 2 | 3;
  /** Length of the cycle. Default the whole run. */
  readonly steps?: Span;
}

/** Options of {@link oneCycle}. */
export interface OneCycleOptions extends CycleCourse {
  /** Value at the top. */
  readonly peak: number;
  /** `peak / divide` is the initial value. Default 25. */
  readonly divide?: number;
  /** The initial value divided by this is the last one. Default 10,000. */
  readonly finalDivide?: number;
}

/** Options of {@link oneCycleMomentum}. */
export interface OneCycleMomentumOptions extends CycleCourse {
  /** Momentum where the rate is highest. Default 0.85. */
  readonly low?: number;
  /** Momentum at both ends. Default 0.95. */
  readonly high?: number;
}

/** Options of {@link clamp}: at least one of them. */
export interface ClampOptions {
  readonly min?: number;
  readonly max?: number;
}

/** Options of {@link noise}. */
export interface NoiseOptions {
  /** Largest relative change (uniform) or its standard deviation (normal). */
  readonly amount: number;
  /** Which noise. Default "uniform". */
  readonly distribution?: "uniform" | "normal";
  /** Whole number; the same seed gives the same noise. Default 0. */
  readonly seed?: number;
}

/** The plain-data description of a schedule: its kind and its options, nested where it is composed. */
export type ScheduleSpec =
  | { readonly kind: "constant"; readonly value: number }
  | ({ readonly kind: "step" } & StepOptions)
  | ({ readonly kind: "exponential" } & ExponentialOptions)
  | ({ readonly kind: "linear" } & LinearOptions)
  | ({ readonly kind: "polynomial" } & PolynomialOptions)
  | ({ readonly kind: "cosine" } & CosineOptions)
  | ({ readonly kind: "multiStep" } & MultiStepOptions)
  | ({ readonly kind: "inverseSqrt" } & InverseSqrtOptions)
  | ({ readonly kind: "warmupStableDecay" } & WarmupStableDecayOptions)
  | ({ readonly kind: "tanh" } & TanhOptions)
  | ({ readonly kind: "rex" } & LinearOptions)
  | ({ readonly kind: "cosineRestarts" } & CosineRestartsOptions)
  | ({ readonly kind: "cyclic" } & CyclicOptions)
  | ({ readonly kind: "oneCycle" } & OneCycleOptions)
  | ({ readonly kind: "oneCycleMomentum" } & OneCycleMomentumOptions)
  | ({ readonly kind: "piecewise"; readonly points: readonly (readonly [Span, number])[] } & PiecewiseOptions)
  | { readonly kind: "warmup"; readonly schedule: ScheduleSpec; readonly span: Span; readonly from: number }
  | {
      readonly kind: "sequence";
      readonly parts: readonly (readonly [ScheduleSpec, Span])[];
      readonly last: ScheduleSpec;
    }
  | { readonly kind: "scale"; readonly schedule: ScheduleSpec; readonly by: ScheduleSpec }
  | { readonly kind: "chain"; readonly parts: readonly ScheduleSpec[] }
  | ({ readonly kind: "clamp"; readonly schedule: ScheduleSpec } & ClampOptions)
  | ({ readonly kind: "noise"; readonly schedule: ScheduleSpec } & NoiseOptions)
  | { readonly kind: "repeat"; readonly schedule: ScheduleSpec; readonly every: Span }
  | { readonly kind: "custom"; readonly name: string };
