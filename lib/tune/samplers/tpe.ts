// The tree-structured Parzen estimator.
import { requireCount } from "../../guidance/arguments.js";
import { checkOptions } from "../../errors.js";
import { branchTurn } from "./branches.js";
import { distinct, propose } from "./propose.js";
import { quasiParams } from "./quasi-point.js";
import type { Sampler } from "./sampler.js";
import { TrialTables } from "./trial-table.js";

/** Options of {@link tpe}. */
export interface TpeOptions {
  /** Trials by Sobol's sequence before it begins to learn. Default 10. */
  readonly startup?: number;
  /** Candidates for a trial, of which the most promising is taken. Default 48. */
  readonly candidates?: number;
}

/**
 * Tree-structured Parzen estimator (Bergstra et al. 2011): models where the better trials lie and where the others do, and tries
 * what is likelier among the better ones. All parameters are in one density (Falkner et al. 2018), also those of conditional
 * sub-spaces; trials that are still running count as bad, so that parallel trials keep apart (constant liar); trials that break
 * constraints count as worse than all that do not; of several objectives, trials are ordered by fronts and hypervolume
 * (Ozaki et al. 2022). In a space of finitely many points none comes twice until all were tried.
 *
 * @throws ArgumentError for options that are not whole numbers of 1 or more.
 * @example
 * const study = await tune({ x: tune.uniform(-5, 5) }, (_, { params }) => (params.x - 1) ** 2, {
 *   trials: 30, sampler: tune.tpe(),
 * });
 * console.log(study.best?.params.x);
 */
export function tpe(options: TpeOptions = {}): Sampler {
  checkOptions("tune.tpe", options, ["startup", "candidates"]);
  const { startup = 10, candidates = 48 } = options;
  requireCount("tune.tpe", "startup", startup);
  requireCount("tune.tpe", "candidates", candidates);
  const tables = new TrialTables();
  return {
    name: "tpe",
    settings: { startup, candidates },
    async sample(request) {
      const table = tables.of(request);
      if (table.length < startup) return distinct(request, table, quasiParams("sobol", request));
      const { fixed, point } = branchTurn(request);
      if (point !== undefined) return distinct(request, table, point);
      return propose(request, table, { sampler: "tpe", options: [candidates], fixed });
    },
  };
}
