// Learning curves to prune, and what a pruner makes of them when they run one after the other.
import type { Pruner } from "../../lib/tune/pruners/index.js";
import { Draws } from "../../lib/tune/random/philox.js";
import type { Direction, Intermediate, TrialRecord } from "../../lib/tune/study/record.js";

/** Runs curves through a pruner; `lengths` says how many steps each took. */
export function runCurves(
  pruner: Pruner,
  curves: readonly (readonly number[])[],
  { direction = "minimize", lag = 1 }: { readonly direction?: Direction; readonly lag?: number } = {},
): { readonly lengths: number[]; readonly history: TrialRecord[] } {
  const history: TrialRecord[] = [];
  for (const [number, curve] of curves.entries()) {
    const reports: Intermediate[] = [];
    const seen = history.slice(0, Math.max(0, number - lag + 1));
    const isPruned = curve.some((value, step) => {
      reports.push({ step, value });
      return pruner.prune({ number, seed: 1, direction, reports: [...reports], history: seen });
    });
    const end = isPruned ? { state: "pruned" as const } : { state: "complete" as const, values: [curve.at(-1)!] };
    history.push({ number, params: {}, intermediate: reports, ...end });
  }
  return { lengths: history.map(({ intermediate }) => intermediate.length), history };
}

const EPOCHS = 81;

/**
 * 200 curves of 81 epochs that fall from 0.9 to an end between 0.05 and 0.45, with noise. "easy": all fall at about the same rate, so that the
 * ones ahead stay ahead; "crossing": what ends best falls slowest.
 */
export const curvesOf = (kind: "easy" | "crossing", seed: number): number[][] =>
  Array.from({ length: 200 }, (_, number) => {
    const draws = new Draws(seed, number, kind);
    const place = draws.uniform();
    const end = 0.05 + 0.4 * place;
    const rate = kind === "easy" ? 0.08 + 0.04 * draws.uniform() : 0.03 + 0.2 * place + 0.02 * draws.uniform();
    return Array.from(
      { length: EPOCHS },
      (_, t) => end + (0.9 - end) * Math.exp(-rate * (t + 1)) + 0.004 * draws.normal(),
    );
  });

/** How far the best complete curve is from the best of all, and what it took. */
export function costOf(pruner: Pruner, curves: readonly (readonly number[])[]): { regret: number; epochs: number } {
  const { lengths, history } = runCurves(pruner, curves);
  const best = Math.min(...history.flatMap(({ values = [] }) => values));
  return {
    regret: best - Math.min(...curves.map((curve) => curve.at(-1)!)),
    epochs: lengths.reduce((sum, length) => sum + length, 0),
  };
}
