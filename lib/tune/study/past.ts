// Trials of another study for a sampler to begin with.
import { ArgumentError } from "../../errors.js";
import { got } from "../../names/got.js";
import { encode, isComplete, type FlatSpace } from "../space/index.js";
import type { FinishedTrial } from "./finished.js";
import { isEnded, type Direction, type TrialRecord } from "./record.js";

/**
 * The ended trials of `study` whose parameters are all of this space, numbered from −n to −1.
 *
 * @throws ArgumentError where none is.
 */
export function pastOf(
  space: FlatSpace,
  directions: readonly Direction[],
  study: { readonly trials: readonly FinishedTrial[] } | undefined,
): readonly TrialRecord[] {
  if (study === undefined) return [];
  if (typeof study !== "object" || study === null || !Array.isArray(study.trials)) {
    throw new ArgumentError(
      `tune: warmStart: expected a study, such as await tune.load("study.db"), got ${got(study)}`,
    );
  }
  const usable = study.trials.flatMap((trial: FinishedTrial) => {
    if (!isEnded(trial.state) || (trial.values.length > 0 && trial.values.length !== directions.length)) return [];
    try {
      const params = encode("tune: warmStart", space, trial.params);
      return isComplete(space, params) ? [{ trial, params }] : [];
    } catch (thrown) {
      if (thrown instanceof ArgumentError) return [];
      throw thrown;
    }
  });
  if (usable.length === 0) {
    throw new ArgumentError(
      `tune: warmStart: none of the ${study.trials.length} trials given has all parameters of this space within their ranges and ${directions.length === 1 ? "one value" : `${directions.length} values`}`,
    );
  }
  return usable.map(({ trial: { state, values, intermediate, constraints }, params }, i) => ({
    number: i - usable.length,
    state,
    params,
    intermediate,
    ...(values.length > 0 ? { values } : {}),
    ...(constraints.length > 0 ? { constraints } : {}),
  }));
}
