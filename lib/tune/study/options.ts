// What `tune` is asked for, checked before anything is touched.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import type { ProgressStream } from "../../train/run/progress.js";
import { none } from "../pruners/none.js";
import type { Pruner } from "../pruners/pruner.js";
import { auto } from "../samplers/auto.js";
import type { Sampler } from "../samplers/sampler.js";
import type { Json } from "../space/index.js";
import type { Storage } from "../storage/storage.js";
import type { Direction } from "./record.js";
import type { FinishedTrial } from "./finished.js";
import { checkAllowed } from "./same.js";
import { requireCount, requireFields, requireListOf, requirePath } from "../../guidance/arguments.js";

/** What happens when an objective throws: the search goes on, ends, or tries the same parameters again up to so many times. */
export type FailurePolicy = "continue" | "stop" | { readonly retry: number };

/** Options of {@link tune}. */
export interface TuneOptions<P = Record<string, unknown>> {
  /** Trials of the study in all, those that it has already included. Default without end, for samplers or a `timeout` that ends it. */
  readonly trials?: number | undefined;
  /** Seconds after which no more trials begin. Default no limit. */
  readonly timeout?: number | undefined;
  /** Which way the value is to go, or each of several. Default "minimize". */
  readonly direction?: Direction | readonly Direction[] | undefined;
  /** Names of the values for reports. Default "value", or "value 0", "value 1", … */
  readonly labels?: readonly string[] | undefined;
  /** Which way reported values are to go. Default the direction of the first value. */
  readonly reports?: Direction | undefined;
  /** Default `tune.auto()`, which chooses by the space, the budget and the number of objectives. */
  readonly sampler?: Sampler | undefined;
  /** Default none. */
  readonly pruner?: Pruner | undefined;
  /** Decides every draw. Default 0. */
  readonly seed?: number | undefined;
  /** Trials at a time in this process. Default 1. */
  readonly concurrency?: number | undefined;
  /**
   * "deterministic" (default): the same trials for the same seed, whatever the number of workers and the order in which they
   * end. "free": every trial sees all results there are, which keeps workers busier and gives other trials every time.
   */
  readonly mode?: "deterministic" | "free" | undefined;
  /**
   * In deterministic mode, trial k sees the results of trials up to k − lag and no others, and at most `lag` trials run at a
   * time; twice the number of workers keeps them busy, 1 is strictly one after the other. Default 8.
   */
  readonly lag?: number | undefined;
  /** How many numbers every trial passes to `trial.constrain`. Default 0. */
  readonly constraints?: number | undefined;
  /**
   * What happens when the objective throws. Default "stop". A value of NaN and a `NonFiniteError` are results of bad parameters,
   * and never stop a search.
   */
  readonly failure?: FailurePolicy | undefined;
  /** Parameters to try first; those left out are chosen by the sampler. Of a new study only. */
  readonly enqueue?: readonly DeepPartial<P>[] | undefined;
  /** A study whose trials the sampler begins with, as far as their parameters are of this space. Of a new study only. */
  readonly warmStart?: { readonly trials: readonly FinishedTrial[] } | undefined;
  /** Where the study is kept: a storage, the path of an SQLite file, or a `postgres://` address. Default memory. */
  readonly storage?: Storage | string | undefined;
  /** The study's name in its storage; a study of that name goes on. Default "study". */
  readonly name?: string | undefined;
  /** Attributes of a new study. */
  readonly attributes?: Readonly<Record<string, Json>> | undefined;
  /** A folder in which every trial has its own for checkpoints (`trial.folder`). */
  readonly checkpoints?: string | undefined;
  /** Seconds without a sign of life after which another worker takes a trial on. Default 60. */
  readonly lease?: number | undefined;
  /** How many workers a trial may lose before it counts as failed. Default 3. */
  readonly losses?: number | undefined;
  /** What may differ from the study that goes on. Default nothing. */
  readonly allow?: readonly ("sampler" | "pruner" | "seed" | "mode" | "lag")[] | undefined;
  /** Ends the search; trials that run are given back, and it rejects with `AbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** SIGINT and SIGTERM end the search: trials that run are given back, everything is kept, and it rejects with `InterruptedError`. Default false. */
  readonly signals?: boolean | undefined;
  /** Show progress on stderr, or on a stream. Default false. */
  readonly progress?: boolean | ProgressStream | undefined;
  /** Called after every trial that ends in this process; the search waits for what it returns. */
  readonly onTrial?: ((trial: FinishedTrial<P>) => unknown) | undefined;
}

/** An object of which any part may be missing. */
export type DeepPartial<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: DeepPartial<T[K]> } : T; // prettier-ignore

/** Options that have been checked. */
export interface TunePlan {
  readonly options: TuneOptions;
  readonly budget: number | null;
  readonly directions: readonly Direction[];
  readonly labels: readonly string[];
  readonly reports: Direction;
  readonly sampler: Sampler;
  readonly pruner: Pruner;
  readonly seed: number;
  readonly concurrency: number;
  readonly mode: "deterministic" | "free";
  readonly lag: number;
  readonly constraints: number;
  readonly failure: FailurePolicy;
  readonly name: string;
  readonly lease: number;
  readonly losses: number;
}

const names: readonly (keyof TuneOptions)[] = [
  "trials",
  "timeout",
  "direction",
  "labels",
  "reports",
  "sampler",
  "pruner",
  "seed",
  "concurrency",
  "mode",
  "lag",
  "constraints",
  "failure",
  "enqueue",
  "warmStart",
  "storage",
  "name",
  "attributes",
  "checkpoints",
  "lease",
  "losses",
  "allow",
  "signal",
  "signals",
  "progress",
  "onTrial",
];

const where = "tune";

/** The sampler of a search that names none. */
export const defaultSampler = (): Sampler => auto();

function whole(key: "concurrency" | "lag" | "constraints" | "losses" | "trials", value: number, least: number): number {
  return requireCount(where, key, value, least);
}

function seconds(key: "lease" | "timeout", value: number): number {
  if (typeof value === "number" && value > 0) return value;
  throw new ArgumentError(`${where}: ${key}: expected seconds above 0, got ${got(value)}`);
}

/** What says where the study and its trials are kept, and how it is shown. @throws ArgumentError */
function checkRecord(options: TuneOptions): void {
  const { storage, checkpoints, progress, attributes = {}, allow = [] } = options;
  if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) {
    throw new ArgumentError(
      `${where}: attributes must be an object such as { commit: "1a2b3c" }, got ${got(attributes)}`,
    );
  }
  checkAllowed(allow);
  if (storage !== undefined && typeof storage !== "string")
    requireFields(`${where}: storage`, storage, ["create", "find", "close"], 'a path such as "study.db", a postgres:// address, or a storage'); // prettier-ignore
  if (checkpoints !== undefined) requirePath(`${where}: checkpoints`, checkpoints, "runs/study");
  if (progress !== undefined && typeof progress !== "boolean")
    requireFields(`${where}: progress`, progress, ["write"], "true, false or a stream such as process.stderr");
}

/** @throws ArgumentError */
export function planTune(options: TuneOptions): TunePlan {
  checkOptions(where, options, names);
  const { direction = "minimize", sampler = defaultSampler(), pruner = none(), mode = "deterministic" } = options;
  const { failure = "stop", name = "study", seed = 0 } = options;
  const directions = typeof direction === "string" ? [direction] : direction;
  requireListOf(`${where}: direction`, directions, '"minimize", "maximize", or a list of them');
  checkRecord(options);
  checkDirections(directions);
  const { reports = directions[0]!, labels = defaultLabels(directions.length) } = options;
  checkDirections([reports]);
  if (
    !Array.isArray(labels) ||
    labels.length !== directions.length ||
    !labels.every((label) => typeof label === "string")
  ) {
    throw new ArgumentError(`${where}: labels: expected ${directions.length} names, one for each direction, got ${got(labels)}`); // prettier-ignore
  }
  if (new Set(labels).size < labels.length) {
    throw new ArgumentError(`${where}: labels: expected a name of its own for each value, got ${got(labels)}`);
  }
  checkNamed("sampler", "sample", sampler, "tune.tpe()");
  checkNamed("pruner", "prune", pruner, "tune.median()");
  if (mode !== "deterministic" && mode !== "free") {
    throw new ArgumentError(`${where}: mode: expected "deterministic" or "free", got ${got(mode)}`);
  }
  if (typeof name !== "string" || name === "") {
    throw new ArgumentError(`${where}: name: expected the name of the study, got ${got(name)}`);
  }
  requireCount(where, "seed", seed, 0);
  checkFailure(failure);
  if (options.timeout !== undefined) seconds("timeout", options.timeout);
  return {
    options,
    budget: options.trials === undefined ? null : whole("trials", options.trials, 0),
    directions,
    labels,
    reports,
    sampler,
    pruner,
    seed,
    concurrency: whole("concurrency", options.concurrency ?? 1, 1),
    mode,
    lag: whole("lag", options.lag ?? 8, 1),
    constraints: whole("constraints", options.constraints ?? 0, 0),
    failure,
    name,
    lease: seconds("lease", options.lease ?? 60),
    losses: whole("losses", options.losses ?? 3, 0),
  };
}

const defaultLabels = (n: number): string[] =>
  n === 1 ? ["value"] : Array.from({ length: n }, (_, i) => `value ${i}`);

function checkDirections(directions: readonly unknown[]): void {
  const isKnown = (each: unknown) => each === "minimize" || each === "maximize";
  if (Array.isArray(directions) && directions.length > 0 && directions.every(isKnown)) return;
  throw new ArgumentError(
    `${where}: direction: expected "minimize", "maximize", or a list with one of them for each value, got ${got(directions.length === 1 ? directions[0] : directions)}`,
  );
}

function checkNamed(key: string, method: string, value: unknown, such: string): void {
  const has = typeof value === "object" && value !== null && typeof (value as Record<string, unknown>)[method] === "function"; // prettier-ignore
  if (has) return;
  const way = typeof value === "function" ? "call it: it gives one" : `write ${key}: ${such}`;
  throw new ArgumentError(`${where}: ${key}: expected a ${key}, got ${got(value)}; ${way}`);
}

function checkFailure(failure: unknown): void {
  if (failure === "continue" || failure === "stop") return;
  const retry = typeof failure === "object" && failure !== null ? (failure as { retry?: unknown }).retry : undefined;
  if (Number.isSafeInteger(retry) && (retry as number) >= 0) return;
  throw new ArgumentError(`${where}: failure: expected "continue", "stop" or { retry: 2 }, got ${got(failure)}`);
}
