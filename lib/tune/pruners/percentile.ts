// The median stopping rule of Golovin et al., "Google Vizier: a service for black-box optimization" (KDD 2017), section 3.2: a
// trial ends at step s if its best value so far is strictly worse than the median of the running averages, up to s, of all
// completed trials. `percentile` is the same rule with another share than one half.
import { requireBetween } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { Following } from "../study/follow.js";
import type { Direction, TrialRecord } from "../study/record.js";
import { bestLossOf, checkSchedule, isCompleted, isDue, lossOf, type Schedule } from "./compare.js";
import { Known } from "./known.js";
import type { PruneRequest, Pruner } from "./pruner.js";
import { SortedNumbers } from "./sorted.js";

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
  requireBetween("tune.percentile", "percent", percent, 0, 100);
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
  const known = new Known((direction) => new Peers(direction, against));
  return {
    name,
    settings: { ...(name === "percentile" ? { percent } : {}), ...options },
    prune(request: PruneRequest): boolean {
      const { reports, direction } = request;
      if (!isDue(reports, options)) return false;
      const { index } = known.of(request);
      if (index.completed < startupTrials) return false;
      const peers = index.at(reports.at(-1)!.step);
      if (peers.length === 0) return false;
      const best = bestLossOf(reports, direction);
      return best === Infinity || best > peers.percentile(percent);
    },
  };
}

/** What completed trials had come to, by the steps at which somebody asked. */
class Peers extends Following {
  completed = 0;
  private readonly direction: Direction;
  private readonly against: "average" | "step";
  private readonly bySteps = new Map<number, SortedNumbers>();
  /** Those steps, in order. */
  private steps: number[] = [];

  constructor(direction: Direction, against: "average" | "step") {
    super();
    this.direction = direction;
    this.against = against;
  }

  protected add(record: TrialRecord): void {
    if (!isCompleted(record)) return;
    this.completed++;
    this.each(record, this.steps, (peers, loss) => peers.insert(loss));
  }
  protected remove(record: TrialRecord): void {
    if (!isCompleted(record)) return;
    this.completed--;
    this.each(record, this.steps, (peers, loss) => peers.remove(loss));
  }

  /** Of each trial that had reported by the step, the average of its reports; or its report at the step, of those that have one. */
  at(step: number): SortedNumbers {
    const known = this.bySteps.get(step);
    if (known !== undefined) return known;
    const peers = new SortedNumbers();
    this.bySteps.set(step, peers);
    this.steps = [...this.bySteps.keys()].sort((a, b) => a - b);
    for (const record of this.records)
      if (isCompleted(record)) this.each(record, [step], (_, loss) => peers.insert(loss));
    return peers;
  }

  // Sums from the first report on, so that an average does not depend on the steps that were asked for.
  private each(
    { intermediate }: TrialRecord,
    steps: readonly number[],
    use: (peers: SortedNumbers, loss: number) => void,
  ): void {
    let [i, sum] = [0, 0];
    for (const step of steps) {
      for (; i < intermediate.length && intermediate[i]!.step <= step; i++)
        sum += lossOf(intermediate[i]!.value, this.direction);
      if (i === 0) continue;
      const last = intermediate[i - 1]!;
      const loss =
        this.against === "average" ? sum / i : last.step === step ? lossOf(last.value, this.direction) : undefined;
      if (loss !== undefined) use(this.bySteps.get(step)!, Number.isNaN(loss) ? Infinity : loss);
    }
  }
}
