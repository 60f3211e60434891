// Ends trials by where their curves go, in the manner of Domhan, Springenberg and Hutter, "Speeding up automatic hyperparameter
// optimization of deep neural networks by extrapolation of learning curves" (IJCAI 2015): parametric curves are fitted to the reports
// and weighted by how well they do; a trial ends when the probability that it will be better than the best at its last step is small.
//
// Each curve is c + a · f(t) with a shape f from two of the paper's families, a power t^-α and an exponential e^-βt, over a grid
// of exponents, so that c and a are linear and their posterior is closed: Student's t with n − 2 degrees of freedom. Shapes that
// curves of completed trials took are likelier from the start.
import { requireBetween, requireCount } from "../../guidance/arguments.js";
import { ArgumentError, checkOptions } from "../../errors.js";
import { got } from "../../names/got.js";
import { Following } from "../study/follow.js";
import type { Direction, TrialRecord } from "../study/record.js";
import { isCompleted, lossesOf } from "./compare.js";
import { Known } from "./known.js";
import type { Pruner } from "./pruner.js";
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
  if (max !== undefined) requireCount(where, "max", max, 2);
  requireBetween(where, "probability", probability, 0, 1);
  requireCount(where, "startupSteps", startupSteps, 4);
  requireCount(where, "startupTrials", startupTrials, 1);
  if (max !== undefined && max <= startupSteps) {
    throw new ArgumentError(
      `${where}: startupSteps ${startupSteps} leaves nothing of ${max} steps to decide on, got ${got(max)}`,
    );
  }
  const known = new Known((direction) => new Completed(direction, max));
  return {
    name: "extrapolation",
    settings: { ...options },
    prune(request) {
      const { reports, direction } = request;
      if (reports.length < startupSteps) return false;
      const done = known.of(request).index.state;
      if (done === undefined || done.count < startupTrials) return false;
      const last = reports.at(-1)!.step + 1;
      if (last >= done.end || !Number.isFinite(done.best)) return false;
      const losses = lossesOf(reports, direction);
      if (losses.at(-1) === Infinity) return true;
      const points = pointsOf(
        reports.map(({ step }) => step + 1),
        losses,
      );
      return chanceBelow(points, done.end, done.best, done.shares.map(Math.log)) < probability;
    },
  };
}

/** What completed trials say together. */
interface State {
  readonly count: number;
  /** Steps of a whole trial. */
  readonly end: number;
  /** The best report of a whole trial at its end. */
  readonly best: number;
  /** How many curves a shape fitted best, each shape counted once from the start. */
  readonly shares: Float64Array;
}

/** The state after each completed trial of a history; the last is what counts. */
class Completed extends Following {
  private readonly direction: Direction;
  private readonly max: number | undefined;
  private readonly states: State[] = [];

  constructor(direction: Direction, max: number | undefined) {
    super();
    this.direction = direction;
    this.max = max;
  }

  get state(): State | undefined {
    return this.states.at(-1);
  }

  protected add(trial: TrialRecord): void {
    if (!isCompleted(trial)) return;
    const { direction, max } = this;
    const before = this.state ?? {
      count: 0,
      end: max ?? 0,
      best: Infinity,
      shares: new Float64Array(shapes.length).fill(1),
    };
    const losses = lossesOf(trial.intermediate, direction);
    const steps = trial.intermediate.map(({ step }) => step + 1);
    const length = steps.at(-1) ?? 0;
    const end = Math.max(before.end, max ?? length);
    const others = end > before.end ? Infinity : before.best;
    const best = length > 0 && length >= end ? Math.min(others, losses.at(-1)!) : others;
    const own = sharesOf(pointsOf(steps, losses));
    this.states.push({ count: before.count + 1, end, best, shares: before.shares.map((share, i) => share + own[i]!) });
  }
  protected remove(trial: TrialRecord): void {
    if (isCompleted(trial)) this.states.pop();
  }
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

function sharesOf(points: Points): Float64Array {
  if (points.times.length < 4) return new Float64Array(shapes.length);
  const evidence = shapes.map((shape) => fit(points, shape, points.times.at(-1)!).evidence);
  const most = Math.max(...evidence);
  const weights = Float64Array.from(evidence, (each) => Math.exp(each - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
