// From a request to candidates of the engine, and from these to the first that was not tried yet.
import { addon, callAsync } from "../../native/index.js";
import { Draws } from "../random/philox.js";
import type { Params } from "../space/index.js";
import { keyOf, points, type TakenKeys } from "./distinct.js";
import { quasiParams } from "./quasi-point.js";
import { drawParams, unusedPoint } from "./random.js";
import type { SampleRequest } from "./sampler.js";
import type { TrialTable } from "./trial-table.js";

/** How a sampler of the engine is asked. */
export interface Question {
  readonly sampler: string;
  readonly options: readonly number[];
  /** Values that the answer has to have; those of the request, or more of them. */
  readonly fixed?: Params | undefined;
  /** Whether the sampler ranks candidates that it is given. Default true. */
  readonly ranks?: boolean;
  /** Candidates to rank instead of the sampler's own. */
  readonly given?: readonly Params[];
}

const nothing = new Float64Array(0);

/** The engine's candidates, the best first. */
export async function candidates(request: SampleRequest, table: TrialTable, question: Question): Promise<Params[]> {
  const { coordinates } = table;
  const { width } = coordinates;
  const { sampler, options, fixed = request.fixed, given = [] } = question;
  const rows = (list: readonly Params[]): Float64Array => {
    const encoded = new Float64Array(list.length * width);
    list.forEach((params, i) => coordinates.encode(params, encoded, i * width));
    return encoded;
  };
  const answer = await callAsync(() =>
    addon.propose(sampler, {
      space: coordinates.code,
      trials: table.trials,
      tiers: table.tiers,
      keys: table.keys,
      objectives: request.directions.length,
      constraints: table.constraints(request.constraints ?? 0),
      pending: rows(request.pending.map(({ params }) => params)),
      fixed: fixed === undefined ? nothing : rows([fixed]),
      given: rows(given),
      options: Float64Array.from(options),
      seed: request.seed,
      number: request.number,
    }),
  );
  return Array.from({ length: answer.length / width }, (_, i) => coordinates.decode(answer, i * width, fixed));
}

const mostGiven = 256;
const mostAttempts = 100;

/**
 * The best candidate that was not tried, if the space is finite; where all of the engine's own were, it ranks points that were not.
 * When all points are used up, the best candidate; where the engine has none, a point of Sobol's sequence.
 */
export async function propose(request: SampleRequest, table: TrialTable, question: Question): Promise<Params> {
  const own = await candidates(request, table, question);
  if (own.length === 0) {
    return distinct(
      request,
      table,
      quasiParams("sobol", { ...request, ...(question.fixed && { fixed: question.fixed }) }),
    );
  }
  const taken = table.taken(request.pending);
  if (taken.size === 0 || taken.size >= table.size) return own[0]!;
  const fresh = own.find((params) => !taken.has(keyOf(request.space, params)));
  if (fresh !== undefined) return fresh;
  const given = untried(request, table, taken);
  if (given.length === 0 || question.ranks === false) return given[0] ?? own[0]!;
  return (await candidates(request, table, { ...question, fixed: request.fixed, given }))[0]!;
}

function untried(request: SampleRequest, table: TrialTable, taken: TakenKeys): Params[] {
  const { space, seed, number, fixed } = request;
  const free = new Map<string, Params>();
  const offer = (params: Params): void => {
    const key = keyOf(space, params);
    if (!taken.has(key)) free.set(key, params);
  };
  if (table.size <= mostGiven) {
    for (const params of points(space)) if (agrees(params, fixed)) offer(params);
  } else {
    for (let attempt = 0; attempt < mostAttempts; attempt++) offer(drawParams(space, seed, number, { fixed, attempt }));
    if (free.size === 0) {
      const last = unusedPoint(space, taken, new Draws(seed, number, "unused"), fixed);
      if (last !== undefined) offer(last);
    }
  }
  return [...free.values()];
}

const agrees = (params: Params, fixed: Params = {}): boolean =>
  Object.entries(fixed).every(([name, value]) => params[name] === undefined || params[name] === value);

/** `first`, or where it was tried before, a point that was not. */
export function distinct(request: SampleRequest, table: TrialTable, first: Params): Params {
  const taken = table.taken(request.pending);
  if (taken.size >= table.size || !taken.has(keyOf(request.space, first))) return first;
  return untried(request, table, taken)[0] ?? first;
}
