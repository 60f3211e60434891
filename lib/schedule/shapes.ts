// The elementary schedules: constant, step, exponential, linear, polynomial, cosine, piecewise.
// With t the step and n the length of the decay (the run, unless `steps` says otherwise), u = min(t / n, 1):
// the initial value stands at t = 0 and the final one at t = n, as in PyTorch's schedulers.

import { requireAboveZero, requireFinite } from "../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { warmup as withWarmup } from "./compose.js";
import {
  blend,
  decaySteps,
  describeAs,
  given,
  nameOf,
  progress,
  requireEnds,
  requireSpan,
  stepsIn,
  type DescribedSchedule,
} from "./schedule.js";
import type {
  CosineOptions,
  ExponentialOptions,
  LinearOptions,
  PiecewiseOptions,
  PolynomialOptions,
  Span,
  StepOptions,
} from "./spec.js";

/**
 * The same value at every step; a plain number does the same.
 *
 * @example
 * schedule.constant(0.1)(7, 100); // 0.1
 */
export function constant(value: number): DescribedSchedule {
  requireFinite("schedule.constant", "value", value);
  return describeAs({ kind: "constant", value }, () => value);
}

/**
 * Stairs: `initial · factor^⌊t / every⌋` (PyTorch's `StepLR`).
 *
 * @throws ArgumentError for a value that is not finite, a factor that is not above 0, or a span of 0.
 * @example
 * schedule.step({ initial: 0.1, every: 30, factor: 0.5 })(60, 90); // 0.025
 */
export function step(options: StepOptions): DescribedSchedule {
  const where = "schedule.step";
  checkOptions(where, options, ["initial", "every", "factor"]);
  const { initial, every, factor = 0.1 } = options;
  requireFinite(where, "initial", initial);
  requireSpan(where, "every", every, 1);
  requireAboveZero(where, "factor", factor);
  return describeAs({ kind: "step", initial, every, factor }, (t, total, perEpoch) => {
    const stride = Math.max(1, stepsIn(where, every, total, perEpoch));
    return initial * factor ** Math.floor(t / stride);
  });
}

/**
 * Geometric decay: `initial · factor^(t / every)` (PyTorch's `ExponentialLR`), or `initial · (final / initial)^u`.
 *
 * @throws ArgumentError unless exactly one of `factor` and `final` is given and all values are above 0.
 * @example
 * schedule.exponential({ initial: 1e-2, final: 1e-4 })(50, 100); // 1e-3
 */
export function exponential(options: ExponentialOptions): DescribedSchedule {
  const where = "schedule.exponential";
  checkOptions(where, options, ["initial", "factor", "every", "final", "steps"]);
  const { initial, factor, final } = options;
  requireAboveZero(where, "initial", initial);
  if ((factor === undefined) === (final === undefined)) {
    throw new ArgumentError(
      `${where}: expected either factor or final, got ${factor === undefined ? "neither" : "both"}`,
    );
  }
  if (final !== undefined) {
    if (options.every !== undefined)
      throw new ArgumentError(`${where}: every goes with factor; with final, give steps`);
    const { steps } = options;
    requireAboveZero(where, "final", final);
    if (steps !== undefined) requireSpan(where, "steps", steps, 1);
    return describeAs({ kind: "exponential", initial, final, ...given({ steps }) }, (t, total, perEpoch) => {
      return initial * (final / initial) ** progress(t, decaySteps(where, steps, total, perEpoch));
    });
  }
  if (options.steps !== undefined) throw new ArgumentError(`${where}: steps goes with final; with factor, give every`);
  const { every = 1 } = options;
  requireAboveZero(where, "factor", factor);
  requireSpan(where, "every", every, 1);
  return describeAs({ kind: "exponential", initial, factor: factor!, every }, (t, total, perEpoch) => {
    return initial * factor! ** (t / Math.max(1, stepsIn(where, every, total, perEpoch)));
  });
}

/**
 * A straight line from `initial` to `final`, then level: `initial + (final − initial) · u`.
 *
 * @example
 * schedule.linear({ initial: 1, final: 0 })(25, 100); // 0.75
 */
export function linear(options: LinearOptions): DescribedSchedule {
  const where = "schedule.linear";
  checkOptions(where, options, ["initial", "final", "steps"]);
  const { initial, final = 0, steps } = options;
  requireEnds(where, initial, final, steps);
  return describeAs({ kind: "linear", initial, final, ...given({ steps }) }, (t, total, perEpoch) => {
    return blend(initial, final, progress(t, decaySteps(where, steps, total, perEpoch)));
  });
}

/**
 * Polynomial decay: `final + (initial − final) · (1 − u)^power` (PyTorch's `PolynomialLR`).
 *
 * @example
 * schedule.polynomial({ initial: 0, final: 0.9, power: 3 })(50, 100); // 0.7875
 */
export function polynomial(options: PolynomialOptions): DescribedSchedule {
  const where = "schedule.polynomial";
  checkOptions(where, options, ["initial", "final", "steps", "power"]);
  const { initial, final = 0, steps, power = 2 } = options;
  requireEnds(where, initial, final, steps);
  requireAboveZero(where, "power", power);
  return describeAs({ kind: "polynomial", initial, final, power, ...given({ steps }) }, (t, total, perEpoch) => {
    return blend(final, initial, (1 - progress(t, decaySteps(where, steps, total, perEpoch))) ** power);
  });
}

/**
 * Half a cosine from `peak` to `final` (PyTorch's `CosineAnnealingLR`; Loshchilov and Hutter, 2017), after a linear warmup:
 * `final + (peak − final) · (1 + cos πu) / 2`.
 *
 * @throws ArgumentError for values that are not finite or a span that is neither a fraction nor whole steps.
 * @example
 * schedule.cosine({ peak: 1e-3, warmup: 0.05 }); // warmup over 5 % of the run
 * schedule.cosine({ peak: 1e-3, warmup: 300, final: 1e-5 }); // warmup over 300 steps
 */
export function cosine(options: CosineOptions): DescribedSchedule {
  const where = "schedule.cosine";
  checkOptions(where, options, ["peak", "warmup", "final", "steps"]);
  const { peak, warmup = 0, final = 0, steps } = options;
  requireFinite(where, "peak", peak);
  requireFinite(where, "final", final);
  requireSpan(where, "warmup", warmup, 0);
  if (steps !== undefined) requireSpan(where, "steps", steps, 1);
  const decay = (t: number, n: number) => blend(final, peak, (1 + Math.cos(Math.PI * progress(t, n))) / 2);
  const rise = withWarmup(decay, warmup);
  return describeAs({ kind: "cosine", peak, warmup, final, ...given({ steps }) }, (t, total, perEpoch) => {
    return rise(t, decaySteps(where, steps, total, perEpoch), perEpoch);
  });
}

/**
 * A schedule through `[position, value]` points; positions are spans from the start, the first is 0.
 *
 * @throws ArgumentError if there is no point, the first is not at 0, or positions do not rise.
 * @example
 * schedule.piecewise([[0, 0.1], [0.5, 0.01], [0.75, 0.001]])(60, 100); // 0.01
 */
export function piecewise(
  points: readonly (readonly [Span, number])[],
  options: PiecewiseOptions = {},
): DescribedSchedule {
  const where = "schedule.piecewise";
  checkOptions(where, options, ["between"]);
  const { between = "hold" } = options;
  if (between !== "hold" && between !== "linear") {
    throw new ArgumentError(`${where}: between must be "hold" or "linear", got ${nameOf(between)}`);
  }
  requirePoints(where, points);
  const kept = points.map(([position, value]) => [position, value] as const);
  return describeAs({ kind: "piecewise", points: kept, between }, (t, total, perEpoch) => {
    const starts = kept.map(([position]) => stepsIn(where, position, total, perEpoch));
    const i = starts.findLastIndex((start) => start <= t);
    const [value, next] = [kept[Math.max(i, 0)]![1], kept[i + 1]?.[1]];
    if (between === "hold" || next === undefined || i < 0) return value;
    return blend(value, next, (t - starts[i]!) / (starts[i + 1]! - starts[i]!));
  });
}

function requirePoints(where: string, points: readonly (readonly [Span, number])[]): void {
  const listed: unknown = points; // Array.isArray would turn a readonly array into any[]
  if (!Array.isArray(listed) || listed.length === 0) {
    throw new ArgumentError(`${where}: expected at least one [position, value], got ${nameOf(points)}`);
  }
  const stray = listed.findIndex((point) => !Array.isArray(point));
  if (stray >= 0)
    throw new ArgumentError(`${where}: point ${stray} must be [position, value], got ${nameOf(listed[stray])}`);
  points.forEach(([position, value], i) => {
    requireSpan(where, `the position of point ${i}`, position, 0);
    requireFinite(where, `the value of point ${i}`, value);
    if (i === 0 && position !== 0) {
      throw new ArgumentError(`${where}: the first point must be at 0, got ${position}; add [0, value] before it`);
    }
    const before = points[i - 1]?.[0] ?? 0;
    // A fraction, a number of steps and epochs compare only once the run's length is known.
    const comparable = before === 0 || unitOf(before) === unitOf(position);
    if (i > 0 && comparable && sizeOf(position) <= sizeOf(before)) {
      throw new ArgumentError(`${where}: positions must rise, got ${position} after ${before} at point ${i}`);
    }
  });
}

const sizeOf = (span: Span): number => (typeof span === "number" ? span : parseFloat(span));
const unitOf = (span: Span): string => (typeof span === "string" ? "epochs" : span < 1 ? "run" : "steps");
