// What a parameter can be: a distribution is plain data, kept in storages as it is. A value has an internal form that samplers and
// storages use, always a number: the value itself, or the index of a choice.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";

/** What a choice can be of: anything that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** A number between two others, both included. */
export interface UniformDistribution {
  readonly kind: "uniform";
  readonly low: number;
  readonly high: number;
  /** Only `low + k · step`; `high` is one of them. */
  readonly step?: number;
}

/** A number whose logarithm is uniform, between two positive ones, both included. */
export interface LogUniformDistribution {
  readonly kind: "logUniform";
  readonly low: number;
  readonly high: number;
}

/** A whole number between two others, both included. */
export interface IntDistribution {
  readonly kind: "int";
  readonly low: number;
  readonly high: number;
  /** Only `low + k · step`; `high` is one of them. */
  readonly step: number;
  /** The logarithm is uniform. */
  readonly log: boolean;
}

/** One of a list, without an order. */
export interface ChoiceDistribution<T = Json> {
  readonly kind: "choice";
  readonly choices: readonly T[];
}

/** The distribution of one parameter. */
export type Distribution = UniformDistribution | LogUniformDistribution | IntDistribution | ChoiceDistribution;

/** The value of a parameter with the distribution `D`. */
export type ValueOf<D> = D extends ChoiceDistribution<infer T> ? T : number;

const finite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function checkBounds(where: string, low: unknown, high: unknown): void {
  if (!finite(low) || !finite(high) || low > high || !Number.isFinite(high - low)) {
    const such = where === "tune.int" ? "(1, 8)" : "(0.1, 0.5)";
    throw new ArgumentError(
      `${where}: expected two finite numbers, the lower first, got ${got(low)} and ${got(high)}; write ${where}${such}`,
    );
  }
}

// The last of low, low + step, … that is at most high; within rounding error, high itself counts.
function lastOf(low: number, high: number, step: number): number {
  const steps = Math.floor((high - low) / step + 1e-9);
  const last = low + steps * step;
  return Math.abs(last - high) <= 1e-9 * Math.abs(step) ? high : last;
}

/**
 * A number between `low` and `high`, both included; with `step` only `low`, `low + step`, …
 *
 * @throws ArgumentError unless both are finite, `low` is at most `high` and `step` is positive.
 * @example
 * tune.uniform(0, 0.5);
 * tune.uniform(0, 1, { step: 0.25 });
 */
export function uniform(low: number, high: number, options: { readonly step?: number } = {}): UniformDistribution {
  const where = "tune.uniform";
  checkOptions(where, options, ["step"]);
  checkBounds(where, low, high);
  const { step } = options;
  if (step === undefined) return { kind: "uniform", low, high };
  if (!finite(step) || step <= 0) {
    throw new ArgumentError(`${where}: expected a positive step, got ${got(step)}; leave it out for any number`);
  }
  return { kind: "uniform", low, high: lastOf(low, high, step), step };
}

/**
 * A positive number between `low` and `high` whose logarithm is uniform: for learning rates and other scales.
 *
 * @throws ArgumentError unless `0 < low <= high`, both finite.
 * @example
 * tune.logUniform(1e-5, 1e-1);
 */
export function logUniform(low: number, high: number): LogUniformDistribution {
  checkBounds("tune.logUniform", low, high);
  if (low <= 0) {
    throw new ArgumentError(
      `tune.logUniform: expected a lower bound above 0, got ${low}; use tune.uniform where 0 is a value`,
    );
  }
  return { kind: "logUniform", low, high };
}

/**
 * A whole number between `low` and `high`, both included; with `step` only `low`, `low + step`, …; with `log` on a logarithmic
 * scale.
 *
 * @throws ArgumentError for bounds or steps that are not whole, `log` with a bound below 1, or `log` and `step` together.
 * @example
 * tune.int(1, 4);
 * tune.int(32, 512, { step: 32 });
 * tune.int(8, 4096, { log: true });
 */
export function int(
  low: number,
  high: number,
  options: { readonly step?: number; readonly log?: boolean } = {},
): IntDistribution {
  const where = "tune.int";
  checkOptions(where, options, ["step", "log"]);
  checkBounds(where, low, high);
  const { step = 1, log = false } = options;
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high)) {
    throw new ArgumentError(
      `${where}: expected whole numbers as bounds, got ${low} and ${high}; use tune.uniform for others`,
    );
  }
  if (!Number.isSafeInteger(step) || step < 1) {
    throw new ArgumentError(`${where}: expected a whole step of 1 or more, got ${got(step)}`);
  }
  if (log && step !== 1) {
    throw new ArgumentError(
      `${where}: log and step ${step} exclude each other; list the values: tune.choice([8, 16, 64])`,
    );
  }
  if (log && low < 1) {
    throw new ArgumentError(`${where}: expected a lower bound of 1 or more with log, got ${low}`);
  }
  return { kind: "int", low, high: low + Math.floor((high - low) / step) * step, step, log };
}

/**
 * One of a list of values without an order: strings, numbers, booleans, lists or plain objects.
 *
 * @throws ArgumentError for an empty list, equal values, or values that JSON cannot hold.
 * @example
 * tune.choice(["relu", "gelu"]);
 * tune.choice([[64], [64, 32]]);
 */
export function choice<const T extends Json>(choices: readonly T[]): ChoiceDistribution<T> {
  const where = "tune.choice";
  if (!Array.isArray(choices) || choices.length === 0) {
    throw new ArgumentError(`${where}: expected a list of at least one value, got ${got(choices)}`);
  }
  const seen = new Set<string>();
  for (const value of choices) {
    requireJson(where, value);
    const text = JSON.stringify(value);
    if (seen.has(text)) throw new ArgumentError(`${where}: ${text} is in the list twice; every value once`);
    seen.add(text);
  }
  return { kind: "choice", choices: [...(choices as readonly T[])] };
}

function requireJson(where: string, value: unknown): void {
  if (value === null || typeof value === "string" || typeof value === "boolean" || finite(value)) return;
  if (Array.isArray(value)) {
    value.forEach((item) => requireJson(where, item));
    return;
  }
  const isPlain = typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;
  if (isPlain) {
    Object.values(value).forEach((item) => requireJson(where, item));
    return;
  }
  throw new ArgumentError(
    `${where}: expected strings, finite numbers, booleans, null, lists or plain objects, got ${got(value)}; choose a name and look it up in the objective`,
  );
}

const kinds = ["uniform", "logUniform", "int", "choice"];

/** Whether something is a distribution. */
export function isDistribution(value: unknown): value is Distribution {
  return typeof value === "object" && value !== null && kinds.includes((value as { kind?: unknown }).kind as string);
}

/** How many values there are; Infinity for a range of real numbers, 1 where both ends are equal. */
export function cardinality(distribution: Distribution): number {
  if (distribution.kind === "choice") return distribution.choices.length;
  const { low, high } = distribution;
  if (low === high) return 1;
  const step = distribution.kind === "logUniform" ? undefined : distribution.step;
  return step === undefined ? Infinity : Math.round((high - low) / step) + 1;
}

/** The internal value with the index `i` of a distribution with finitely many. */
export function valueAt(distribution: Distribution, i: number): number {
  if (distribution.kind === "choice") return i;
  const step = distribution.kind === "logUniform" ? undefined : distribution.step;
  return i === cardinality(distribution) - 1 ? distribution.high : distribution.low + i * (step ?? 0);
}

/** Whether an internal value belongs to a distribution. */
export function contains(distribution: Distribution, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  if (distribution.kind === "choice") {
    return Number.isInteger(value) && value >= 0 && value < distribution.choices.length;
  }
  const { low, high } = distribution;
  if (value < low || value > high) return false;
  const step = distribution.kind === "logUniform" ? undefined : distribution.step;
  if (step === undefined) return true;
  const steps = (value - low) / step;
  return Math.abs(steps - Math.round(steps)) < 1e-9 * Math.max(1, Math.abs(steps));
}

/**
 * The internal value at `u` of [0, 1): the quantile function of the distribution. Values of a list or of a range with steps have
 * intervals of one length; those of a logarithmic range of whole numbers the length of log (n + ½) − log (n − ½).
 */
export function fromUnit(distribution: Distribution, u: number): number {
  const { kind } = distribution;
  if (kind === "logUniform") {
    const { low, high } = distribution;
    return clamp(Math.exp(Math.log(low) + u * (Math.log(high) - Math.log(low))), low, high);
  }
  if (kind === "int" && distribution.log) {
    const { low, high } = distribution;
    const from = Math.log(low - 0.5);
    return clamp(Math.round(Math.exp(from + u * (Math.log(high + 0.5) - from))), low, high);
  }
  const n = cardinality(distribution);
  if (n !== Infinity) return valueAt(distribution, clamp(Math.floor(u * n), 0, n - 1));
  const { low, high } = distribution as UniformDistribution;
  return clamp(low + u * (high - low), low, high);
}

/** Where an internal value lies in [0, 1]: the middle of its interval where there are finitely many. Inverse of {@link fromUnit}. */
export function toUnit(distribution: Distribution, value: number): number {
  const { kind } = distribution;
  if (kind === "choice") return (value + 0.5) / distribution.choices.length;
  const { low, high } = distribution;
  if (low === high) return 0.5;
  if (kind === "logUniform") return clamp(Math.log(value / low) / Math.log(high / low), 0, 1);
  if (kind === "int" && distribution.log) {
    const from = Math.log(low - 0.5);
    return clamp((Math.log(value) - from) / (Math.log(high + 0.5) - from), 0, 1);
  }
  const { step } = distribution;
  if (step === undefined) return clamp((value - low) / (high - low), 0, 1);
  return clamp(((value - low) / step + 0.5) / cardinality(distribution), 0, 1);
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
