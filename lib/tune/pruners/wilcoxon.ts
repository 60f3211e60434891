// Trials whose steps are not time but cases, such as folds or problem instances: a trial ends when Wilcoxon's signed-rank test says
// that it is worse than the best trial on the cases that both have seen.
import { requireBetween, requireCount } from "../../guidance/arguments.js";
import { checkOptions } from "../../errors.js";
import { Following } from "../study/follow.js";
import type { Direction, TrialRecord } from "../study/record.js";
import { isCompleted, lossOf } from "./compare.js";
import { Known } from "./known.js";
import type { Pruner } from "./pruner.js";

/** Options of {@link wilcoxon}. */
export interface WilcoxonOptions {
  /** Largest p-value at which a trial ends. Default 0.1. */
  readonly p?: number;
  /** Cases that both trials must have. Default 2. */
  readonly startupSteps?: number;
}

/**
 * Ends a trial that is worse than the best one on the cases that both have, by Wilcoxon's signed-rank test (one-sided). Steps
 * are the numbers of the cases; their order does not count.
 *
 * @throws ArgumentError
 * @example
 * tune.wilcoxon({ p: 0.05 });
 */
export function wilcoxon(options: WilcoxonOptions = {}): Pruner {
  const where = "tune.wilcoxon";
  checkOptions(where, options, ["p", "startupSteps"]);
  const { p = 0.1, startupSteps = 2 } = options;
  requireBetween(where, "p", p, 0, 1);
  requireCount(where, "startupSteps", startupSteps, 1);
  const known = new Known((direction) => new Leaders(direction));
  return {
    name: "wilcoxon",
    settings: { ...options },
    prune(request) {
      const { reports, direction } = request;
      const loss = (value: number) => lossOf(value, direction);
      const best = known.of(request).index.best;
      if (best === undefined) return false;
      const peers = new Map(best.intermediate.map(({ step, value }) => [step, loss(value)]));
      const pairs = reports.flatMap(({ step, value }) => {
        const peer = peers.get(step);
        return peer === undefined ? [] : [[loss(value), peer] as const];
      });
      if (pairs.length < startupSteps) return false;
      const [own, other] = [0, 1].map((i) => pairs.reduce((sum, pair) => sum + pair[i as 0 | 1], 0));
      if (own! <= other!) return false;
      if (own === Infinity) return true;
      return signedRankP(pairs.map(([mine, theirs]) => mine - theirs)) < p;
    },
  };
}

/** The trials that were the best when they came; the last of them is. */
class Leaders extends Following {
  private readonly direction: Direction;
  private readonly leaders: { readonly loss: number; readonly trial: TrialRecord }[] = [];

  constructor(direction: Direction) {
    super();
    this.direction = direction;
  }

  get best(): TrialRecord | undefined {
    return this.leaders.at(-1)?.trial;
  }

  protected add(trial: TrialRecord): void {
    if (!isCompleted(trial)) return;
    const loss = lossOf(trial.values?.[0] ?? NaN, this.direction);
    const last = this.leaders.at(-1);
    if (last === undefined || loss < last.loss) this.leaders.push({ loss, trial });
  }
  protected remove(trial: TrialRecord): void {
    if (this.best === trial) this.leaders.pop();
  }
}

/**
 * The p-value of Wilcoxon's signed-rank test that differences are above 0. Zeros are split between both signs (Pratt's ranks).
 * Exact up to 50 differences, with zeros or ties up to 13; by the normal distribution otherwise: as scipy's `wilcoxon` with
 * `zero_method="zsplit"`, `alternative="greater"`.
 */
export function signedRankP(differences: readonly number[]): number {
  const n = differences.length;
  const order = differences.map(Math.abs).map((size, i) => ({ size, i })).sort((a, b) => a.size - b.size); // prettier-ignore
  const ranks = new Array<number>(n).fill(0);
  let ties = 0;
  for (let from = 0; from < n;) {
    let to = from;
    while (to + 1 < n && order[to + 1]!.size === order[from]!.size) to++;
    for (let k = from; k <= to; k++) ranks[order[k]!.i] = (from + to) / 2 + 1;
    const count = to - from + 1;
    ties += count ** 3 - count;
    from = to + 1;
  }
  const zeros = differences.filter((difference) => difference === 0).length;
  let plus = 0;
  for (const [i, difference] of differences.entries()) {
    if (difference > 0) plus += ranks[i]!;
    else if (difference === 0) plus += ranks[i]! / 2;
  }
  if (n <= (zeros === 0 && ties === 0 ? 50 : 13)) {
    const fixed = ranks.filter((_, i) => differences[i] === 0).reduce((sum, rank) => sum + rank / 2, 0);
    return exactTail(
      ranks.filter((_, i) => differences[i] !== 0),
      plus - fixed,
    );
  }
  const mean = (n * (n + 1)) / 4;
  const variance = (n * (n + 1) * (2 * n + 1) - ties / 2) / 24;
  if (variance === 0) return 1;
  return normalTail((plus - mean) / Math.sqrt(variance));
}

// The share of all choices of signs whose positive ranks sum to `plus` or more; ranks are multiples of ½.
function exactTail(ranks: readonly number[], plus: number): number {
  const doubled = ranks.map((rank) => Math.round(2 * rank));
  const most = doubled.reduce((sum, rank) => sum + rank, 0);
  const ways = new Float64Array(most + 1);
  ways[0] = 1;
  for (const rank of doubled) for (let sum = most; sum >= rank; sum--) ways[sum]! += ways[sum - rank]!;
  let tail = 0;
  for (let sum = Math.max(0, Math.round(2 * plus)); sum <= most; sum++) tail += ways[sum]!;
  return tail / 2 ** ranks.length;
}

// 1 − Φ(z): a series around 0, a continued fraction in the tail.
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  if (z < 3) {
    // The series of Φ around 0: Marsaglia, "Evaluating the normal distribution" (2004).
    let [term, sum] = [z, z];
    for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= (z * z) / k;
    return 0.5 - (sum * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
  }
  let fraction = 0;
  for (let k = 60; k >= 1; k--) fraction = k / (z + fraction);
  return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI) / (z + fraction);
}
