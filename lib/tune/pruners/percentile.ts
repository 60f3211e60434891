// The median stopping rule of Golovin et al., "Google Vizier: a service for black-box optimization" (KDD 2017), section 3.2: a
// trial ends at step s if its best value so far is strictly worse than the median of the running averages, up to s, of all
// completed trials. `percentile` is the same rule with another share than one half.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import type { Direction, TrialRecord } from "../study/record.js";
import { checkBetween, checkSchedule, completed, isDue, lossesOf, percentileOf, type Schedule } from "./compare.js";
import type { PruneRequest, Pruner } from "./pruner.js";

/** Options of {@link median} and {@link percentile}. */
export interface PercentileOptions extends Schedule {
  /**
   * What of the completed trials is compared with: the average of their reports up to the step ("average", the rule of the paper, the
   * default), or their report at the step ("step").
   */
  readonly against?: "average" | "step";
}

const names = ["startupTrials", "warmupSteps", "interval", "against"];

/**
 * Ends a trial whose best report so far is worse than the median of what completed trials had reported on average until then
 * (Vizier's median stopping rule).
 *
 * @throws ArgumentError
 * @example
 * const objective = (trial: Trial, { params }: { params: { x: number } }) => {
 *   for (let step = 0; step < 10; step++) {
 *     trial.report(step, params.x / (step + 1));
 *     if (trial.shouldPrune()) trial.prune();
 *   }
 *   return params.x / 10;
 * };
 * const study = await tune({ x: tune.uniform(0, 1) }, objective, { trials: 30, pruner: tune.median({ warmupSteps: 2 }) });
 * console.log(study.trials.filter(({ state }) => state === "pruned").length);
 */
export function median(options: PercentileOptions = {}): Pruner {
  return rule("median", 50, options);
}

/**
 * Keeps trials whose best report so far is among the best `percent` percent of what completed trials had until then.
 *
 * @throws ArgumentError unless `percent` lies between 0 and 100.
 */
export function percentile(percent: number, options: PercentileOptions = {}): Pruner {
  checkBetween("tune.percentile", "percent", percent, [0, 100]);
  return rule("percentile", percent, options);
}

function rule(name: "median" | "percentile", percent: number, options: PercentileOptions): Pruner {
  const where = `tune.${name}`;
  checkOptions(where, options, names);
  checkSchedule(where, options);
  const { startupTrials = 5, against = "average" } = options;
  if (against !== "average" && against !== "step") {
    throw new ArgumentError(`${where}: against: expected "average" or "step", got ${got(against)}`);
  }
  return {
    name,
    settings: { ...(name === "percentile" ? { percent } : {}), ...options },
    prune({ reports, history, direction }: PruneRequest): boolean {
      const others = completed(history);
      if (others.length < startupTrials || !isDue(reports, options)) return false;
      const { step } = reports.at(-1)!;
      const peers = others.flatMap((trial) => peerLoss(trial, step, { against, direction }));
      if (peers.length === 0) return false;
      const best = Math.min(...lossesOf(reports, direction));
      return best === Infinity || best > percentileOf(peers, percent);
    },
  };
}

// What a completed trial had come to by the step, as a list of one; none where it had not reported.
function peerLoss(
  { intermediate }: TrialRecord,
  step: number,
  { against, direction }: { against: "average" | "step"; direction: Direction },
): number[] {
  if (against === "step") {
    return lossesOf(
      intermediate.filter((report) => report.step === step),
      direction,
    );
  }
  const losses = lossesOf(
    intermediate.filter((report) => report.step <= step),
    direction,
  );
  return losses.length === 0 ? [] : [losses.reduce((sum, loss) => sum + loss, 0) / losses.length];
}
