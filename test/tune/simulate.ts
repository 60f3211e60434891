// Studies in a loop, without storage or workers: what samplers are tested with.
import type { FlatSpace, Params } from "../../lib/tune/space/index.js";
import type { SampleRequest, Sampler } from "../../lib/tune/samplers/index.js";
import type { Direction, TrialRecord } from "../../lib/tune/study/record.js";

/** What an objective gives: values, with constraints where there are some. */
export interface Outcome {
  readonly values: readonly number[];
  readonly constraints?: readonly number[];
}

/** Options of {@link simulate}. */
export interface Simulation {
  readonly trials: number;
  readonly seed?: number;
  readonly directions?: readonly Direction[];
  /** How many trials are pending when the next one is asked for. */
  readonly lag?: number;
  readonly budget?: number;
}

export function record(number: number, params: Params, outcome: Outcome | undefined): TrialRecord {
  const state =
    outcome === undefined ? "failed" : outcome.values.every(Number.isFinite) ? "complete" : ("infinite" as const);
  return { number, state, params, intermediate: [], ...outcome };
}

export function requestOf(
  space: FlatSpace,
  history: readonly TrialRecord[],
  more: Partial<SampleRequest> = {},
): SampleRequest {
  return { space, number: history.length, seed: 1, directions: ["minimize"], history, pending: [], ...more };
}

/** Runs a study one trial after the other; every trial sees the results up to `lag` trials before it. */
export async function simulate(
  sampler: Sampler,
  space: FlatSpace,
  objective: (params: Params, number: number) => Outcome | number | undefined,
  { trials, seed = 1, directions = ["minimize"], lag = 0, budget }: Simulation,
): Promise<TrialRecord[]> {
  const records: TrialRecord[] = [];
  for (let number = 0; number < trials; number++) {
    const seen = Math.max(0, number - lag);
    const history = records.slice(0, seen);
    const pending = records.slice(seen).map(({ number: n, params }) => ({
      number: n,
      state: "running" as const,
      params,
      intermediate: [],
    }));
    const more = budget === undefined ? {} : { budget };
    const params = await sampler.sample({ space, number, seed, directions, history, pending, ...more });
    if (params === undefined) break;
    const outcome = objective(params, number);
    records.push(record(number, params, typeof outcome === "number" ? { values: [outcome] } : outcome));
  }
  return records;
}

/** The least value of a study. */
export function least(records: readonly TrialRecord[]): number {
  return Math.min(...records.map(({ values }) => values?.[0] ?? Infinity));
}
