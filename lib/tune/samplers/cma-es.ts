// CMA-ES.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { cardinality, type FlatSpace, type Params } from "../space/index.js";
import { candidates, distinct, propose } from "./propose.js";
import { keyOf } from "./distinct.js";
import type { SampleRequest, Sampler } from "./sampler.js";
import { TrialTables, type TrialTable } from "./trial-table.js";

/** Options of {@link cmaEs}. */
export interface CmaEsOptions {
  /** Trials in a generation. Default `4 + ⌊3 ln d⌋` for `d` numeric parameters. */
  readonly population?: number;
  /** First standard deviation in units of each parameter's range. Default 1/6. */
  readonly sigma?: number;
  /** Only the diagonal of the covariance matrix: for many parameters. Default from 60 parameters on. */
  readonly separable?: boolean;
  /**
   * When a run has converged, begin another: `"ipop"` with twice the population, `"bipop"` with large and small ones in turn,
   * `"none"` with the same. Default `"ipop"`.
   */
  readonly restarts?: "none" | "ipop" | "bipop";
}

const kinds = ["none", "ipop", "bipop"] as const;

/**
 * Covariance matrix adaptation evolution strategy (Hansen, arXiv 1604.00772), with negative weights, a margin for integers
 * (arXiv 2205.13482), draws from a scrambled Sobol sequence, so that a generation lies evenly around its mean (Teytaud and Gelly 2007),
 * and restarts: for numeric parameters and several hundred trials or more. Choices, and parameters that exist only in a
 * branch, are chosen by {@link tpe}, given the others. It has no state of its own: generations are the complete trials of the study in
 * their order. Several objectives: the first counts.
 *
 * @throws ArgumentError for options out of their range.
 * @example
 * const study = await tune({ x: tune.uniform(-5, 5), y: tune.uniform(-5, 5) },
 *   (_, { params }) => (params.x - 1) ** 2 + 100 * (params.y + 2) ** 2,
 *   { trials: 100, sampler: tune.cmaEs() },
 * );
 * console.log(study.best?.value);
 */
export function cmaEs(options: CmaEsOptions = {}): Sampler {
  checkOptions("tune.cmaEs", options, ["population", "sigma", "separable", "restarts"]);
  const { population, sigma = 1 / 6, separable, restarts = "ipop" } = options;
  if (population !== undefined) requireCount("tune.cmaEs", "population", population);
  if (typeof sigma !== "number" || !(sigma > 0 && sigma <= 2)) {
    throw new ArgumentError(
      `tune.cmaEs: sigma: expected a number above 0, at most 2, in units of the range, got ${got(sigma)}`,
    );
  }
  if (!kinds.includes(restarts)) {
    throw new ArgumentError(`tune.cmaEs: restarts: expected "none", "ipop" or "bipop", got ${got(restarts)}`);
  }
  const tables = new TrialTables();
  return {
    name: "cmaEs",
    settings: { population: population ?? null, sigma, separable: separable ?? null, restarts },
    async sample(request) {
      const table = tables.of(request);
      const diagonal = separable ?? request.space.parameters.length >= 60;
      const strategy = [population ?? 0, sigma, diagonal ? 1 : 0, kinds.indexOf(restarts)];
      return choose(request, table, strategy);
    },
  };
}

/** Names of the parameters that the strategy moves: numbers that always exist. */
function numericNames({ parameters }: FlatSpace): string[] {
  return parameters
    .filter(({ distribution, conditions }) => {
      return distribution.kind !== "choice" && conditions.length === 0 && cardinality(distribution) > 1;
    })
    .map(({ name }) => name);
}

async function choose(request: SampleRequest, table: TrialTable, strategy: readonly number[]): Promise<Params> {
  const { space, fixed = {}, pending } = request;
  const numeric = numericNames(space);
  const rest = { sampler: "tpe", options: [48] };
  if (numeric.length === 0) return propose(request, table, rest);
  const draws = await candidates(request, table, { sampler: "cma", options: strategy });
  if (numeric.length === space.parameters.length) {
    const taken = table.taken(pending);
    const points = draws.map((params) => ({ ...params, ...fixed }));
    return points.find((params) => !taken.has(keyOf(space, params))) ?? distinct(request, table, points[0]!);
  }
  const moved = Object.fromEntries(numeric.map((name) => [name, draws[0]![name]!]));
  const given = { ...moved, ...fixed };
  const params = (await candidates(request, table, { ...rest, fixed: given }))[0]!;
  return distinct(request, table, params);
}
