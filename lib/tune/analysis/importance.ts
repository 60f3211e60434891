// Which parameters matter.
import { requireCount, requireFields } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { addon, callAsync } from "../../native/index.js";
import { coordinatesOf } from "../samplers/coordinates.js";
import { cardinality, type FlatSpace } from "../space/index.js";
import type { Direction, TrialRecord } from "../study/record.js";

/** What of a study counts here; a study itself will do. */
export interface Analysed {
  readonly space: FlatSpace;
  readonly directions: readonly Direction[];
  readonly records: readonly TrialRecord[];
}

/** Options of {@link importance}. */
export interface ImportanceOptions {
  /**
   * `"fanova"`: the share of the variance that a parameter explains by itself (Hutter et al. 2014), 0 to 1, all together at most 1, the
   * rest is in how they act together. `"permutation"`: how much worse a forest predicts where the parameter's values are
   * shuffled (Breiman 2001), as a share of the sum over all. Default `"fanova"`.
   */
  readonly method?: "fanova" | "permutation";
  /** Which of several objectives. Default 0. */
  readonly objective?: number;
  /** Trees of the forest. Default 64. */
  readonly trees?: number;
  /** Of the forest. Default 0. */
  readonly seed?: number;
}

/** How much a parameter matters. */
export interface Importance {
  readonly name: string;
  readonly share: number;
}

const fewest = 4;

/**
 * How much each parameter matters for an objective, by a random forest of the complete trials: the most important first. Parameters
 * with one value have the share 0; one that a trial does not have counts as if it stood in the middle of its range.
 *
 * @throws ArgumentError for unknown options, or fewer than 4 complete trials.
 * @example
 * const study = await tune({ x: tune.uniform(-1, 1), y: tune.uniform(-1, 1) },
 *   (_, { params }) => 3 * params.x + params.y, { trials: 40, sampler: tune.sobol() });
 * console.log(await tune.importance(study)); // x: about 0.9, y: about 0.1
 */
export async function importance(study: Analysed, options: ImportanceOptions = {}): Promise<Importance[]> {
  const where = "tune.importance";
  checkOptions(where, options, ["method", "objective", "trees", "seed"]);
  requireFields(where, study, ["directions", "records"], "a study, as tune or tune.load gives it");
  const { method = "fanova", objective = 0, trees = 64, seed = 0 } = options;
  if (method !== "fanova" && method !== "permutation") {
    throw new ArgumentError(`${where}: method: expected "fanova" or "permutation", got ${got(method)}`);
  }
  requireCount(where, "trees", trees);
  if (!Number.isInteger(objective) || objective < 0 || objective >= study.directions.length) {
    throw new ArgumentError(
      `${where}: objective: expected a whole number from 0 to ${study.directions.length - 1}, got ${got(objective)}`,
    );
  }
  const trials = study.records.filter(({ state, values }) => state === "complete" && values !== undefined);
  if (trials.length < fewest) {
    throw new ArgumentError(`${where}: expected at least ${fewest} complete trials, got ${trials.length}`);
  }
  const { space } = study;
  const coordinates = coordinatesOf(space);
  const { width } = coordinates;
  const rows = new Float64Array(trials.length * width);
  trials.forEach(({ params }, i) => coordinates.encode(params, rows, i * width));
  const middle = space.parameters.map(({ distribution }) => {
    return distribution.kind === "choice" ? Math.floor(cardinality(distribution) / 2) : 0.5;
  });
  rows.forEach((value, i) => Number.isNaN(value) && (rows[i] = middle[i % width]!));
  const values = Float64Array.from(trials, ({ values: list }) => list![objective]!);
  const shares = await callAsync(() => addon.importance(method, coordinates.code, rows, values, trees, seed));
  const sum =
    method === "fanova"
      ? 1
      : Math.max(
          shares.reduce((a, b) => a + b, 0),
          Number.MIN_VALUE,
        );
  return space.parameters.map(({ name }, i) => ({ name, share: shares[i]! / sum })).sort((a, b) => b.share - a.share);
}
