// Ends trials by where their curves go, in the manner of Domhan, Springenberg and Hutter, "Speeding up automatic hyperparameter
// optimization of deep neural networks by extrapolation of learning curves" (IJCAI 2015): parametric curves are fitted to the reports
// and weighted by how well they do; a trial ends when the probability that it will be better than the best at its last step is small.
//
// Each curve is c + a · f(t) with a shape f from two of the paper's families, a power t^-α and an exponential e^-βt, over a grid
// of exponents, so that c and a are linear and their posterior is closed: Student's t with n − 2 degrees of freedom. Shapes that
// curves of completed trials took are likelier from the start.
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import type { TrialRecord } from "../study/record.js";
import { checkBetween, checkWhole, completed, lossesOf } from "./compare.js";
import type { PruneRequest, Pruner } from "./pruner.js";
import { studentCdf } from "./student.js";

/** Options of {@link extrapolation}. */
export interface ExtrapolationOptions {
  /** Steps of a whole trial. Default those of the longest completed trial. */
  readonly max?: number;
  /** A trial ends if it will be the best with less than this probability. Default 0.1. */
  readonly probability?: number;
  /** Reports before the first decision. Default 4. */
  readonly startupSteps?: number;
  /** Trials that have to be complete before. Default 3. */
  readonly startupTrials?: number;
}

/**
 * Ends a trial whose curve, extrapolated to its end, is unlikely to become the best: for curves that cross, where what is ahead early
 * says little.
 *
 * @throws ArgumentError
 * @example
 * tune.extrapolation({ max: 81, probability: 0.05 });
 */
export function extrapolation(options: ExtrapolationOptions = {}): Pruner {
  const where = "tune.extrapolation";
  checkOptions(where, options, ["max", "probability", "startupSteps", "startupTrials"]);
  const { max, probability = 0.1, startupSteps = 4, startupTrials = 3 } = options;
  if (max !== undefined) checkWhole(where, "max", max, 2);
  checkBetween(where, "probability", probability, [0, 1]);
  checkWhole(where, "startupSteps", startupSteps, 4);
  checkWhole(where, "startupTrials", startupTrials, 1);
  if (max !== undefined && max <= startupSteps) {
    throw new ArgumentError(
      `${where}: startupSteps ${startupSteps} leaves nothing of ${max} steps to decide on, got ${got(max)}`,
    );
  }
  const fits = new WeakMap<TrialRecord, Float64Array>();
  return {
    name: "extrapolation",
    settings: { ...options },
    prune(request) {
      const done = completed(request.history);
      if (done.length < startupTrials || request.reports.length < startupSteps) return false;
      const last = request.reports.at(-1)!.step + 1;
      const end = max ?? Math.max(...done.map(({ intermediate }) => (intermediate.at(-1)?.step ?? -1) + 1));
      if (last >= end) return false;
      const best = bestLoss(request, done, end);
      if (best === undefined) return false;
      const losses = lossesOf(request.reports, request.direction);
      if (losses.at(-1) === Infinity) return true;
      const points = pointsOf(
        request.reports.map(({ step }) => step + 1),
        losses,
      );
      return chanceBelow(points, end, best, priorOf(done, request, fits)) < probability;
    },
  };
}

interface Points {
  readonly times: readonly number[];
  readonly values: readonly number[];
}

// A diverged beginning says nothing of the rest.
function pointsOf(times: readonly number[], values: readonly number[]): Points {
  const kept = values.flatMap((value, i) => (Number.isFinite(value) ? [i] : []));
  return { times: kept.map((i) => times[i]!), values: kept.map((i) => values[i]!) };
}

// The best report of completed trials at their end.
function bestLoss({ direction }: PruneRequest, done: readonly TrialRecord[], end: number): number | undefined {
  const ends = done.flatMap(({ intermediate }) => {
    const last = intermediate.at(-1);
    return last === undefined || last.step + 1 < end ? [] : lossesOf([last], direction);
  });
  const best = Math.min(...ends);
  return Number.isFinite(best) ? best : undefined;
}

const shapes: readonly ((t: number) => number)[] = [
  ...[0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2].map((alpha) => (t: number) => t ** -alpha),
  ...[0.01, 0.02, 0.04, 0.07, 0.12, 0.2, 0.35, 0.6].map((beta) => (t: number) => Math.exp(-beta * t)),
];

interface Fit {
  readonly mean: number;
  readonly scale: number;
  readonly freedom: number;
  /** Logarithm of the marginal likelihood (with x in standard units), up to what all shapes share. */
  readonly evidence: number;
}

// Least squares of c + a · f(t): the distribution of the curve at `end`, without the noise of a report there: the best that it is compared
// with is the luckiest of many reports.
function fit({ times, values }: Points, shape: (t: number) => number, end: number): Fit {
  const n = times.length;
  const x = times.map(shape);
  const meanX = x.reduce((sum, each) => sum + each, 0) / n;
  const meanY = values.reduce((sum, each) => sum + each, 0) / n;
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [x[i]! - meanX, values[i]! - meanY];
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  const slope = xx > 0 ? xy / xx : 0;
  // A floor: reports that lie on a curve to the last bit do not make it certain.
  const rest = Math.max(yy - slope * xy, 1e-6 * yy, 1e-300);
  const freedom = n - 2;
  const at = shape(end) - meanX;
  const scale = Math.sqrt((rest / freedom) * (1 / n + (xx > 0 ? (at * at) / xx : 0)));
  return { mean: meanY + slope * at, scale, freedom, evidence: -0.5 * freedom * Math.log(rest) };
}

/** The probability that a curve lies below `level` at `end`. */
function chanceBelow(points: Points, end: number, level: number, prior: Float64Array): number {
  const fits = shapes.map((shape) => fit(points, shape, end));
  const most = Math.max(...fits.map(({ evidence }, i) => evidence + prior[i]!));
  let [chance, total] = [0, 0];
  for (const [i, { mean, scale, freedom, evidence }] of fits.entries()) {
    const weight = Math.exp(evidence + prior[i]! - most);
    chance += weight * studentCdf((level - mean) / scale, freedom);
    total += weight;
  }
  return chance / total;
}

// Logarithms of how many completed curves a shape fitted best, each shape counted once from the start.
function priorOf(
  done: readonly TrialRecord[],
  { direction }: PruneRequest,
  fits: WeakMap<TrialRecord, Float64Array>,
): Float64Array {
  // prettier-ignore
  const counts = new Float64Array(shapes.length).fill(1);
  for (const trial of done) {
    let shares = fits.get(trial);
    if (shares === undefined) {
      shares = sharesOf(
        pointsOf(
          trial.intermediate.map(({ step }) => step + 1),
          lossesOf(trial.intermediate, direction),
        ),
      );
      fits.set(trial, shares);
    }
    for (const [i, share] of shares.entries()) counts[i]! += share;
  }
  return counts.map(Math.log);
}

function sharesOf(points: Points): Float64Array {
  if (points.times.length < 4) return new Float64Array(shapes.length);
  const evidence = shapes.map((shape) => fit(points, shape, points.times.at(-1)!).evidence);
  const most = Math.max(...evidence);
  const weights = Float64Array.from(evidence, (each) => Math.exp(each - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
