// Population-based training (Jaderberg et al. 2017, arXiv 1711.09846): trial k is the next part of member k mod n of a population. It goes
// on from the checkpoint of the part before, or, where that one is among the worst, from one of the best with changed parameters.
import { requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { Draws } from "../random/philox.js";
import { cardinality, fromUnit, isActive, toUnit, valueAt, type Distribution, type FlatSpace, type Params } from "../space/index.js"; // prettier-ignore
import type { TrialRecord } from "../study/record.js";
import { drawParams } from "./random.js";
import { quasiParams } from "./quasi-point.js";
import type { SampleRequest, Sampler } from "./sampler.js";

/** Options of {@link populationBased}. */
export interface PopulationOptions {
  /** Members. Default 8. */
  readonly population?: number;
  /** The share of members that is replaced, and that replaces. Default 0.25. */
  readonly quantile?: number;
  /** By which a number is multiplied, or divided, where a member is replaced. Default 1.2. */
  readonly factor?: number;
  /** The probability with which a parameter of a replaced member is drawn anew instead. Default 0.25. */
  readonly resample?: number;
}

/**
 * Population-based training: `population` members are trained side by side, a part a trial; after each part the worst `quantile` of them
 * go on from the checkpoint of one of the best, with parameters near its own. The parameters become a schedule that was found while training.
 *
 * `train.fit(…, { trial })` goes on from `trial.parent` by itself, where the search has `checkpoints`: give it the epochs of the whole run
 * so far, `epochs: 2 * (trial.generation + 1)`. The space holds what may change in mid-run, such as rates and decay. In the deterministic
 * mode `lag` is at most the population.
 *
 * @throws ArgumentError for options out of their range. The search rejects with one for several objectives, or `lag` above the population.
 * @example
 * const study = await tune({ lr: tune.logUniform(1e-4, 1) }, async (trial, { params }) => {
 *   const set = data.fromArrays({ x: array([1, 2, 3, 4], [4, 1]), y: array([2, 4, 6, 8], [4, 1]) });
 *   const { history } = await train.fit(nn.linear(1, 1), set, {
 *     loss: loss.mse(), optimizer: optim.sgd({ lr: params.lr, clipNorm: 1 }), batchSize: 2, epochs: 2 * (trial.generation + 1), trial,
 *   });
 *   return history.at(-1)!.metrics.loss;
 * }, { trials: 12, sampler: tune.populationBased({ population: 4 }), lag: 4, checkpoints: "out/population" });
 * console.log(study.best?.params.lr, study.trials.map(({ parent }) => parent));
 */
export function populationBased(options: PopulationOptions = {}): Sampler {
  const where = "tune.populationBased";
  checkOptions(where, options, ["population", "quantile", "factor", "resample"]);
  const { population = 8, quantile = 0.25, factor = 1.2, resample = 0.25 } = options;
  requireCount(where, "population", population);
  checkRange(where, "quantile", quantile, [0, 0.5]);
  checkRange(where, "factor", factor, [1, 100]);
  checkRange(where, "resample", resample, [0, 1]);
  const plan = { population, quantile, factor, resample };
  return {
    name: "populationBased",
    settings: plan,
    sample(request) {
      const parent = parentOf(request, plan);
      if (parent === undefined) return { ...quasiParams("sobol", request), ...request.fixed };
      const isOwn = (request.number - parent.number) % population === 0;
      return isOwn ? completed(request, parent.params) : explored(request, parent.params, plan);
    },
    parentOf: (request) => parentOf(request, plan)?.number,
  };
}

function checkRange(where: string, key: string, value: unknown, [low, high]: readonly [number, number]): void {
  if (typeof value === "number" && value >= low && value <= high) return;
  throw new ArgumentError(`${where}: ${key}: expected a number from ${low} to ${high}, got ${got(value)}`);
}

/** The trial that this one goes on from; undefined for the first of a member. */
function parentOf(request: SampleRequest, plan: Required<PopulationOptions>): TrialRecord | undefined {
  const { number, seed, history, pending, directions } = request;
  const { population, quantile } = plan;
  if (directions.length > 1) {
    throw new ArgumentError(
      "tune.populationBased: expected one objective, got several; use tune.tpe() or tune.nsga2()",
    );
  }
  if (number < population) return undefined;
  const before = number - population;
  if (pending.some((trial) => trial.number === before)) {
    throw new ArgumentError(
      `tune.populationBased: trial ${number} goes on from trial ${before}, which has not ended; give lag: ${population}, the population, or less`,
    );
  }
  const latest = latestOf(history, population);
  const own = latest.get(number % population);
  const sign = directions[0] === "maximize" ? -1 : 1;
  const worth = ({ state, values }: TrialRecord): number => (state === "complete" ? sign * values![0]! : Infinity);
  // Ties by number, so that the order is one.
  const ranked = [...latest.values()].sort((a, b) => worth(a) - worth(b) || a.number - b.number || 0);
  const count = Math.max(1, Math.floor(quantile * ranked.length));
  const isReplaced = own === undefined || worth(own) === Infinity || (quantile > 0 && ranked.length > 1 && ranked.indexOf(own) >= ranked.length - count); // prettier-ignore
  if (!isReplaced) return own;
  const best = ranked.slice(0, count).filter((trial) => worth(trial) < Infinity);
  if (best.length === 0) return undefined; // nobody has come to a result: from the start
  return best[new Draws(seed, number, "exploit").below(best.length)];
}

/** The last trial of every member that has ended. */
function latestOf(history: readonly TrialRecord[], population: number): Map<number, TrialRecord> {
  const latest = new Map<number, TrialRecord>();
  for (let i = history.length - 1; i >= 0 && latest.size < population; i--) {
    const trial = history[i]!;
    if (trial.number < 0) break;
    const member = trial.number % population;
    if (!latest.has(member)) latest.set(member, trial);
  }
  return latest;
}

/** A trial's parameters as they were, those of the request, and draws for what is missing. */
function completed({ space, seed, number, fixed }: SampleRequest, params: Params): Params {
  return drawParams(space, seed, number, { fixed: { ...params, ...fixed } });
}

/** Parameters near those of another member. */
function explored(request: SampleRequest, from: Params, plan: Required<PopulationOptions>): Params {
  const { space, seed, number, fixed = {} } = request;
  const near: Record<string, number> = {};
  for (const { name, distribution } of active(space, from)) {
    const draws = new Draws(seed, number, `explore ${name}`);
    if (draws.uniform() < plan.resample) near[name] = fromUnit(distribution, draws.uniform());
    else near[name] = changed(distribution, from[name]!, draws.below(2) === 0 ? plan.factor : 1 / plan.factor);
  }
  return completed(request, { ...near, ...fixed });
}

const active = ({ parameters }: FlatSpace, params: Params): FlatSpace["parameters"] =>
  parameters.filter((parameter) => params[parameter.name] !== undefined && isActive(parameter, params));

// Choices stay, unless they are drawn anew; a number of a grid moves by one place at least.
function changed(distribution: Distribution, value: number, factor: number): number {
  if (distribution.kind === "choice") return value;
  const { low, high } = distribution;
  const moved = fromUnit(distribution, Math.min(1 - 1e-12, toUnit(distribution, Math.min(high, Math.max(low, value * factor))))); // prettier-ignore
  const count = cardinality(distribution);
  if (moved !== value || count === Infinity || count === 1 || factor === 1) return moved;
  const at = Math.min(count - 1, Math.floor(toUnit(distribution, value) * count));
  return valueAt(distribution, Math.min(count - 1, Math.max(0, at + (factor > 1 ? 1 : -1))));
}
