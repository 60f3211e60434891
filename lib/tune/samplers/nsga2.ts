// NSGA-II.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { distinct, propose } from "./propose.js";
import { quasiParams } from "./quasi-point.js";
import type { Sampler } from "./sampler.js";
import { TrialTables } from "./trial-table.js";

/** Options of {@link nsga2}. */
export interface Nsga2Options {
  /** Trials that children descend from, and the first ones, which are Sobol's sequence. Default 20. */
  readonly population?: number;
  /** How likely a child has two parents. Default 0.9. */
  readonly crossover?: number;
}

/**
 * The genetic algorithm NSGA-II (Deb et al. 2002) for several objectives and many cheap trials: parents are the best trials so far by front
 * and crowding distance, children come of simulated binary crossover and polynomial mutation. A result counts for the very next
 * trial, not for the next generation. Trials that break constraints come after all that do not.
 *
 * @throws ArgumentError for a population that is no whole number, or a probability outside 0 to 1.
 * @example
 * const study = await tune({ x: tune.uniform(0, 1) }, (_, { params }) => [params.x ** 2, (params.x - 1) ** 2], {
 *   direction: ["minimize", "minimize"], trials: 50, sampler: tune.nsga2(),
 * });
 * console.log(study.front.length);
 */
export function nsga2(options: Nsga2Options = {}): Sampler {
  checkOptions("tune.nsga2", options, ["population", "crossover"]);
  const { population = 20, crossover = 0.9 } = options;
  requireCount("tune.nsga2", "population", population);
  if (typeof crossover !== "number" || !(crossover >= 0 && crossover <= 1)) {
    throw new ArgumentError(`tune.nsga2: crossover: expected a probability from 0 to 1, got ${got(crossover)}`);
  }
  const tables = new TrialTables();
  return {
    name: "nsga2",
    settings: { population, crossover },
    async sample(request) {
      const table = tables.of(request);
      if (table.length < population) return distinct(request, table, quasiParams("sobol", request));
      return propose(request, table, { sampler: "nsga2", options: [population, crossover], ranks: false });
    },
  };
}
