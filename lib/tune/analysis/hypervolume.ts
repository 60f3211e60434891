// How good a front is, as one number.
import { requireFields } from "../../guidance/arguments.js";
import { ArgumentError } from "../../errors.js";
import { addon, callAsync } from "../../native/index.js";
import { got } from "../../names/got.js";
import type { Analysed } from "./importance.js";

/**
 * The hypervolume of a study with several objectives: the volume of what its complete trials, constraints held, dominate on the near side
 * of a reference point (one value for each objective, in the objective's own direction). Trials that are not better than the
 * reference in every objective add nothing.
 *
 * @throws ArgumentError unless `reference` has a finite number for each objective.
 * @example
 * const study = await tune({ x: tune.uniform(0, 1) }, (_, { params }) => [params.x, 1 - params.x], {
 *   direction: ["minimize", "minimize"], trials: 30, sampler: tune.sobol(),
 * });
 * console.log(await tune.hypervolume(study, [1, 1])); // near 0.5
 */
export async function hypervolume(study: Omit<Analysed, "space">, reference: readonly number[]): Promise<number> {
  requireFields("tune.hypervolume", study, ["directions", "records"], "a study, as tune or tune.load gives it");
  const { directions, records } = study;
  if (!Array.isArray(reference) || reference.length !== directions.length || !reference.every(Number.isFinite)) {
    throw new ArgumentError(
      `tune.hypervolume: reference: expected ${directions.length} finite numbers, one for each objective, got ${got(reference)}`,
    );
  }
  const signed = (values: readonly number[]): number[] =>
    values.map((value, j) => (directions[j] === "maximize" ? -value : value));
  const feasible = records.filter(({ state, values, constraints }) => {
    return state === "complete" && values !== undefined && (constraints ?? []).every((c) => c <= 0);
  });
  const values = Float64Array.from(feasible.flatMap((record) => signed(record.values!)));
  return callAsync(() => addon.hypervolume(values, Float64Array.from(signed(reference))));
}
