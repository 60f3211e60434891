import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bracketsOf } from "../../lib/tune/pruners/asha.js";
import { tune } from "../../lib/tune/index.js";
import { studentCdf } from "../../lib/tune/pruners/student.js";
import { signedRankP } from "../../lib/tune/pruners/wilcoxon.js";
import type { Pruner } from "../../lib/tune/pruners/index.js";
import type { Direction, TrialRecord } from "../../lib/tune/study/record.js";
import { costOf, curvesOf, runCurves } from "./curves.js";

interface Golden {
  readonly curves: readonly (readonly (number | null)[])[];
  readonly lengths: Readonly<Record<string, Partial<Record<Direction, number[]>>>>;
  readonly wilcoxon: readonly { readonly differences: number[]; readonly p: number }[];
  readonly student: readonly { readonly t: number; readonly freedom: number; readonly p: number }[];
}
const golden = JSON.parse(readFileSync(new URL("../golden/data/tune-pruners.json", import.meta.url), "utf8")) as Golden;
const curves = golden.curves.map((curve) => curve.map((value) => value ?? NaN));

const trial = (number: number, values: readonly number[], state: TrialRecord["state"] = "complete"): TrialRecord => ({
  number,
  state,
  params: {},
  values: [values.at(-1)!],
  intermediate: values.map((value, step) => ({ step, value })), // prettier-ignore
});
const decisions = (
  pruner: Pruner,
  own: readonly number[],
  history: readonly TrialRecord[],
  direction: Direction = "minimize",
) =>
  own.map((_, step) => {
    const reports = own.slice(0, step + 1).map((value, at) => ({ step: at, value }));
    return pruner.prune({ number: 99, seed: 1, direction, reports, history });
  });

describe("pruners decide as Optuna's on the same curves, one after the other", () => {
  const ours: Record<string, Pruner> = {
    "median step": tune.median({ startupTrials: 5, warmupSteps: 3, against: "step" }),
    "percentile 25 step": tune.percentile(25, { startupTrials: 4, warmupSteps: 2, interval: 4, against: "step" }),
    "asha 1 4": tune.asha({ min: 1, factor: 4 }),
    "asha 2 3 1": tune.asha({ min: 2, factor: 3, skip: 1 }),
    "patient 2": tune.patient(2, undefined, { minDelta: 0.005 }),
    "patient 1 median": tune.patient(1, tune.median({ startupTrials: 5, against: "step" })),
    threshold: tune.threshold({ upper: 0.8, warmupSteps: 4, interval: 3 }),
    wilcoxon: tune.wilcoxon({ p: 0.1, startupSteps: 3 }),
  };
  const cases = Object.entries(golden.lengths).flatMap(([name, by]) =>
    Object.entries(by).map(([direction, lengths]) => [name, direction as Direction, lengths] as const),
  );
  it.each(cases)("%s, %s", (name, direction, lengths) => {
    const given = direction === "minimize" ? curves : curves.map((curve) => curve.map((value) => -value));
    expect(runCurves(ours[name]!, given, { direction }).lengths).toEqual(lengths);
  });
});

describe("median stopping rule (Golovin et al. 2017, 3.2): best value so far against the median of running averages", () => {
  // Running averages: of a 8, 6, 5, 4.5; of b 6, 6, 6, 6; of c 4, 5, 6, 7. Medians: 6, 6, 6, 6.
  const history = [trial(0, [8, 4, 3, 3]), trial(1, [6, 6, 6, 6]), trial(2, [4, 6, 8, 10])];
  it.each([
    [
      [6, 7, 8, 9],
      [false, false, false, false],
    ], // its best is no worse than the median
    [
      [6.1, 6.1, 6.1, 5.9],
      [true, true, true, false],
    ],
    [
      [7, NaN, 6, 9],
      [true, true, false, false],
    ],
    [
      [NaN, NaN],
      [true, true],
    ],
  ])("%j", (own, expected) => {
    expect(decisions(tune.median({ startupTrials: 3 }), own, history)).toEqual(expected);
    expect(decisions(tune.median({ startupTrials: 3 }), own.map((v) => -v), history.map(({ number, intermediate }) => trial(number, intermediate.map(({ value }) => -value))), "maximize")).toEqual(expected); // prettier-ignore
  });

  it("waits for startupTrials complete ones; pruned, failed and running ones do not count", () => {
    const others = [trial(5, [1, 1], "pruned"), trial(6, [1, 1], "failed"), trial(7, [1, 1], "running")];
    expect(decisions(tune.median({ startupTrials: 4 }), [99, 99], [...history, ...others])).toEqual([false, false]);
    expect(decisions(tune.median({ startupTrials: 4 }), [99, 99], [...history, trial(8, [1, 1])])).toEqual([
      true,
      true,
    ]);
  });
});

describe("successive halving (Jamieson and Talwalkar 2016; Li et al. 2016)", () => {
  it("of 81 trials with one order at every step, those among the best third of those seen go on; together as many as the paper's rungs", () => {
    // The best first: every later one is judged against all better ones, as in the synchronous algorithm.
    const ordered = Array.from({ length: 81 }, (_, i) => Array.from({ length: 81 }, () => i));
    const { lengths } = runCurves(tune.asha({ max: 81, factor: 3 }), ordered);
    // Trial i is the (i + 1)st at its rung, all of them better: it goes on while i < max(1, ⌊(i + 1) / 3⌋), which is trial 0 alone.
    expect(lengths).toEqual([81, ...new Array<number>(80).fill(1)]);
    // The worst first: every trial is the best so far and goes on; nothing is stopped without a better one.
    expect(runCurves(tune.asha({ max: 81, factor: 3 }), ordered.toReversed()).lengths.every((length) => length === 81)).toBe(true); // prettier-ignore
  });

  it("with all 81 at a rung, 27, 9, 3 and 1 go on: Table 1 of Hyperband, s = 4", () => {
    let alive = Array.from({ length: 81 }, (_, i) => i);
    const counts = [alive.length];
    const pruner = tune.asha({ max: 81, factor: 3 });
    for (const resource of [1, 3, 9, 27]) {
      const reports = (i: number) => Array.from({ length: resource }, (_, step) => ({ step, value: i }));
      const all = alive.map((i): TrialRecord => ({
        number: i,
        state: "running",
        params: {},
        intermediate: reports(i),
      }));
      alive = alive.filter(
        (i) => !pruner.prune({ number: i, seed: 0, direction: "minimize", reports: reports(i), history: all }),
      );
      counts.push(alive.length);
    }
    expect(counts).toEqual([81, 27, 9, 3, 1]);
  });

  it("Hyperband's brackets for R = 81, η = 3 are Algorithm 1's", () => {
    // n = ⌈(s_max + 1) / (s + 1) · η^s⌉ for s = 4 … 0; they begin at r = R η^-s.
    expect(bracketsOf({ max: 81 })).toEqual([
      { skip: 0, trials: 81 },
      { skip: 1, trials: 34 },
      { skip: 2, trials: 15 },
      { skip: 3, trials: 8 },
      { skip: 4, trials: 5 },
    ]);
  });

  it("Hyperband: a trial ends only at a rung of its bracket, among the trials of its bracket", () => {
    const { lengths } = runCurves(tune.hyperband({ max: 81 }), curvesOf("easy", 1));
    expect(new Set(lengths)).toEqual(new Set([1, 3, 9, 27, 81]));
  });

  it("takes the first report at or after a rung, whatever the distance between reports", () => {
    const sparse = (number: number, value: number): TrialRecord => ({ number, state: "complete", params: {}, intermediate: [4, 9, 14].map((step) => ({ step, value })) }); // prettier-ignore
    const pruner = tune.asha({ min: 3, factor: 3 });
    const ask = (steps: number[], value: number) => pruner.prune({ number: 9, seed: 0, direction: "minimize", reports: steps.map((step) => ({ step, value })), history: [sparse(0, 1), sparse(1, 2)] }); // prettier-ignore
    expect(ask([1], 5)).toBe(false);
    expect(ask([1, 4], 5)).toBe(true);
    expect(ask([1, 4, 7], 5)).toBe(false); // the rung of 3 is past, the one of 9 not yet there
    expect(ask([1, 4, 9], 5)).toBe(true);
    expect(ask([1, 4], 0.5)).toBe(false);
  });
});

describe("extrapolation", () => {
  it.each([
    ["easy" as const, 0.006],
    ["crossing" as const, 0.01],
  ])("%s curves: regret at most %d in at most 2,700 epochs (median of 5)", (kind, most) => {
    // prettier-ignore
    const costs = [1, 2, 3, 4, 5].map((seed) => costOf(tune.extrapolation({ max: 81 }), curvesOf(kind, seed)));
    const median = (values: number[]) => values.sort((a, b) => a - b)[2]!;
    expect(median(costs.map(({ regret }) => regret))).toBeLessThanOrEqual(most);
    expect(median(costs.map(({ epochs }) => epochs))).toBeLessThanOrEqual(2700);
  });

  it("ends a trial that diverged, and none before there is anything to compare with", () => {
    const history = [0, 1, 2].map((i) =>
      trial(
        i,
        Array.from({ length: 20 }, (_, t) => 1 / (t + 1) + i),
      ),
    );
    const own = [1, 1, 1, 1, 1, NaN];
    expect(decisions(tune.extrapolation(), own, history).at(-1)).toBe(true);
    expect(decisions(tune.extrapolation(), own, history.slice(0, 2))).toEqual(own.map(() => false));
  });
});

describe("statistics", () => {
  it.each(golden.wilcoxon)("Wilcoxon's signed-rank test as scipy's: $differences", ({ differences, p }) => {
    expect(signedRankP(differences)).toBeCloseTo(p, 12);
  });
  it.each(golden.student)("Student's t as scipy's: t = $t, $freedom degrees", ({ t, freedom, p }) => {
    expect(studentCdf(t, freedom)).toBeCloseTo(p, 12);
  });
});

it.each([
  [
    () => tune.median({ warmupStep: 3 } as never),
    /tune\.median: unknown option "warmupStep", did you mean "warmupSteps"/,
  ],
  [() => tune.percentile(0), /percent must be a number between 0 and 100, got 0/],
  [() => tune.asha({ factor: 1 }), /factor must be a whole number from 2 on, got 1/],
  [() => tune.hyperband({} as never), /max must be a whole number/],
  [() => tune.threshold({}), /expected lower, upper or both/],
  [() => tune.patient(2, tune.median as never), /expected a pruner second, such as tune\.median\(\)/],
  [() => tune.wilcoxon({ p: 2 }), /p must be a number between 0 and 1, got 2/],
])("refuses with a sentence: %s", (make, message) => {
  expect(make).toThrow(message);
});
