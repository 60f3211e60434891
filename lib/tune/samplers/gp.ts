// Bayesian optimization by Gaussian processes.
import { requireCount } from "../../guidance/arguments.js";
import { checkOptions } from "../../errors.js";
import { branchTurn } from "./branches.js";
import { distinct, propose } from "./propose.js";
import { quasiParams } from "./quasi-point.js";
import type { Sampler } from "./sampler.js";
import { TrialTables } from "./trial-table.js";

/** Options of {@link gp}. */
export interface GpOptions {
  /** Trials by Sobol's sequence before it begins to learn. Default 10. */
  readonly startup?: number;
}

/**
 * Bayesian optimization: a Gaussian process (Matérn 5/2, a length scale for every parameter with the prior of arXiv 2402.02229,
 * hyper-parameters fitted anew for every trial) and the logarithm of the expected improvement (arXiv 2310.20708). The sampler of choice
 * for trials that take long: it needs the fewest, and some milliseconds of its own for each; beyond 400 trials it learns
 * from the best of them and an even choice of the others.
 *
 * Every branch of a conditional space has a process of its own, and some trials go to the branch with the fewest. Constraints
 * are modelled beside the objective; results of trials that still run are drawn from the process (arXiv 1206.2944); several
 * objectives are scalarized at random (Knowles 2006). Trials that failed or gave Infinity count as the worst finite one, pruned ones
 * as no better than the median. In a space of finitely many points none comes twice until all were tried.
 *
 * @throws ArgumentError for options that are not whole numbers of 1 or more.
 * @example
 * const study = await tune({ x: tune.uniform(-5, 5) }, (_, { params }) => (params.x - 1) ** 2, {
 *   trials: 20, sampler: tune.gp(),
 * });
 * console.log(study.best?.params.x);
 */
export function gp(options: GpOptions = {}): Sampler {
  checkOptions("tune.gp", options, ["startup"]);
  const { startup = 10 } = options;
  requireCount("tune.gp", "startup", startup);
  const tables = new TrialTables();
  return {
    name: "gp",
    settings: { startup },
    async sample(request) {
      const table = tables.of(request);
      if (table.length < startup) return distinct(request, table, quasiParams("sobol", request));
      const { fixed, point } = branchTurn(request);
      if (point !== undefined) return distinct(request, table, point);
      return propose(request, table, { sampler: "gp", options: [], fixed });
    },
  };
}
