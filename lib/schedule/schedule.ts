// A schedule is a pure function of the step: value = schedule(step, total), closed form, no state. That makes a run
// resumable anywhere (the value at step N never depends on how one got there) and composition plain function composition.
// Spans (warmup, every, steps …) below 1 are fractions of the run and resolve once `total` is known; from 1 on they are
// whole steps, so 1 means one step; "3 epochs" resolves where the steps of an epoch are known.

import { requireFinite } from "../guidance/arguments.js";
import { ArgumentError } from "../errors.js";
import type { ScheduleSpec, Span } from "./spec.js";

/**
 * The value of a hyperparameter at zero-based `step` of a run of `total` steps.
 *
 * Learning rate, momentum, weight decay, pruning ratio, temperature: whatever changes over a run takes one. Any function
 * `(step, total) => number` is a schedule; those of this module also carry `toJSON`, the description that a checkpoint keeps.
 * `total` may be `Infinity` where the length of the run is not known, and the steps of an epoch undefined; a schedule that needs them
 * then throws `ArgumentError`.
 *
 * @example
 * const lr: schedule.Schedule = (step, total) => 1e-3 * (1 - step / total);
 */
export interface Schedule {
  (step: number, total: number, stepsPerEpoch?: number): number;
  readonly toJSON?: () => ScheduleSpec;
}

/** A schedule of this module: one with a description. */
export type DescribedSchedule = Schedule & { readonly toJSON: () => ScheduleSpec };

/** What an option that may change over the run accepts: a plain number (constant), or a schedule. */
export type ScheduleLike = number | Schedule;

/** Attaches its description to a schedule. */
export function describeAs(
  spec: ScheduleSpec,
  at: (step: number, total: number, stepsPerEpoch?: number) => number,
): DescribedSchedule {
  return Object.assign(at, { toJSON: () => spec });
}

/**
 * A schedule from a number (constant) or a function; a schedule comes back unchanged.
 *
 * @throws ArgumentError if it is neither, or the number is not finite.
 */
export function from(like: ScheduleLike, where = "schedule.from"): Schedule {
  if (typeof like === "function") return like;
  if (typeof like === "number") {
    requireFinite(where, "value", like);
    return describeAs({ kind: "constant", value: like }, () => like);
  }
  throw new ArgumentError(`${where}: expected a number or a function of (step, total), got ${nameOf(like)}`);
}

/** The plain-data description of a schedule; `{ kind: "custom" }` for a function of the user's own. */
export function describe(like: ScheduleLike): ScheduleSpec {
  const schedule = from(like, "schedule.describe");
  return schedule.toJSON?.() ?? { kind: "custom", name: schedule.name };
}

const inEpochs = /^(\d+(?:\.\d+)?) epochs?$/;

/** Steps in a span, for a run of `total` steps with so many an epoch. */
export function stepsIn(where: string, span: Span, total: number, perEpoch: number | undefined): number {
  if (typeof span === "string") {
    if (perEpoch !== undefined) return Math.round(Number(inEpochs.exec(span)![1]) * perEpoch);
    throw new ArgumentError(
      `${where}: "${span}" needs the number of steps in an epoch, which is not known here; give the span in whole steps`,
    );
  }
  if (span >= 1 || span === 0) return span;
  return Math.round(span * knownTotal(where, total));
}

/** `total`, or an error that says how to do without it. */
export function knownTotal(where: string, total: number): number {
  if (Number.isFinite(total)) return total;
  throw new ArgumentError(
    `${where}: the length of the run is not known here; give spans in whole steps (and \`steps\` for the length of a decay)`,
  );
}

/** How far `step` is through `steps`, from 0 to 1 and clamped there; 0 at step 0 even of an empty span. */
export function progress(step: number, steps: number): number {
  if (step <= 0) return 0;
  return step < steps ? step / steps : 1;
}

/** Length of a decay: `steps`, or the whole run. */
export function decaySteps(
  where: string,
  steps: Span | undefined,
  total: number,
  perEpoch: number | undefined,
): number {
  return steps === undefined ? knownTotal(where, total) : stepsIn(where, steps, total, perEpoch);
}

/** `a` at u = 0 and `b` at u = 1, exact at both ends (a + (b − a) · 1 need not be b in floating point). */
export function blend(a: number, b: number, u: number): number {
  return a * (1 - u) + b * u;
}

/** `steps` for a description: left out where it is not given. */
export function given(options: { readonly steps: Span | undefined }): { readonly steps?: Span } {
  return options.steps === undefined ? {} : { steps: options.steps };
}

/** Checks the ends of a decay and its length. */
export function requireEnds(where: string, initial: number, final: number, steps: Span | undefined): void {
  requireFinite(where, "initial", initial);
  requireFinite(where, "final", final);
  if (steps !== undefined) requireSpan(where, "steps", steps, 1);
}

/** Checks a span; `least` is 0 where an empty span makes sense. */
export function requireSpan(where: string, name: string, span: unknown, least: 0 | 1): void {
  if (typeof span === "number" && span > 0 && (span < 1 || Number.isInteger(span))) return;
  if (span === 0 && least === 0) return;
  if (typeof span === "string" && Number(inEpochs.exec(span)?.[1] ?? 0) > 0) return;
  const hint =
    typeof span === "number" && span > 1 && Number.isFinite(span) ? `; did you mean ${Math.round(span)}?` : "";
  throw new ArgumentError(
    `${where}: ${name} must be a fraction of the run between 0 and 1, a whole number of steps, or epochs such as "3 epochs", got ${nameOf(span)}${hint}`,
  );
}

export function nameOf(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value !== "object") return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : "an object";
}
