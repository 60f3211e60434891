// The options of every schedule, and from them its description as plain data, which checkpoints and reports keep.

/** A length of time: a fraction of the run if below 1, a whole number of steps from 1 on. */
export type Span = number;

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

/** The plain-data description of a schedule: its kind and its options, nested where it is composed. */
export type ScheduleSpec =
  | { readonly kind: "constant"; readonly value: number }
  | ({ readonly kind: "step" } & StepOptions)
  | ({ readonly kind: "exponential" } & ExponentialOptions)
  | ({ readonly kind: "linear" } & LinearOptions)
  | ({ readonly kind: "polynomial" } & PolynomialOptions)
  | ({ readonly kind: "cosine" } & CosineOptions)
  | ({ readonly kind: "piecewise"; readonly points: readonly (readonly [Span, number])[] } & PiecewiseOptions)
  | { readonly kind: "warmup"; readonly schedule: ScheduleSpec; readonly span: Span; readonly from: number }
  | {
      readonly kind: "sequence";
      readonly parts: readonly (readonly [ScheduleSpec, Span])[];
      readonly last: ScheduleSpec;
    }
  | { readonly kind: "scale"; readonly schedule: ScheduleSpec; readonly by: ScheduleSpec }
  | { readonly kind: "repeat"; readonly schedule: ScheduleSpec; readonly every: Span }
  | { readonly kind: "custom"; readonly name: string };
