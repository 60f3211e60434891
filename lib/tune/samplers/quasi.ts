// Sequences that fill the space more evenly than independent draws.
import { distinct } from "./propose.js";
import { quasiParams } from "./quasi-point.js";
import type { Sampler } from "./sampler.js";
import { TrialTables } from "./trial-table.js";

function quasi(sequence: "sobol" | "halton"): Sampler {
  const tables = new TrialTables();
  return {
    name: sequence,
    sample: (request) => distinct(request, tables.of(request), quasiParams(sequence, request)),
  };
}

/**
 * Sobol's sequence (direction numbers of Joe and Kuo 2008) with Owen scrambling by the study's seed (Burley 2020): the first 2^m
 * trials have one value in each of 2^m parts of every range. A trial's point depends on its number alone. In a space of finitely
 * many points none comes twice until all were tried.
 *
 * @example
 * const study = await tune({ lr: tune.logUniform(1e-5, 1e-1) }, (_, { params }) => Math.log10(params.lr) ** 2, {
 *   trials: 16, sampler: tune.sobol(),
 * });
 * console.log(study.best?.value);
 */
export function sobol(): Sampler {
  return quasi("sobol");
}

/**
 * Halton's sequence, its digits scrambled by the study's seed (Owen 1995). {@link sobol} is the more even one where the number of
 * trials is a power of two; Halton's has no such preference.
 *
 * @example
 * const study = await tune({ lr: tune.logUniform(1e-5, 1e-1) }, (_, { params }) => Math.log10(params.lr) ** 2, {
 *   trials: 20, sampler: tune.halton(),
 * });
 * console.log(study.best?.value);
 */
export function halton(): Sampler {
  return quasi("halton");
}
