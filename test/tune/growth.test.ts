// What is kept from one question to the next says the same as what is read anew, whatever way the history goes.
import { describe, expect, it } from "vitest";
import { tune } from "../../lib/tune/index.js";
import { trialsByBranch } from "../../lib/tune/samplers/branches.js";
import { KeyCounts, keyOf } from "../../lib/tune/samplers/distinct.js";
import { Foresight } from "../../lib/tune/study/foresee.js";
import type { SampleRequest } from "../../lib/tune/samplers/sampler.js";
import { flatten } from "../../lib/tune/space/index.js";
import type { StoredTrial } from "../../lib/tune/storage/storage.js";
import type { Pruner } from "../../lib/tune/pruners/index.js";
import { Draws } from "../../lib/tune/random/philox.js";
import type { Intermediate, TrialRecord } from "../../lib/tune/study/record.js";

const space = flatten({ k: tune.choice(["a", "b", "c"]), at: tune.when("k", { a: { n: tune.int(0, 3) }, b: { n: tune.int(0, 2) } }) }); // prettier-ignore
const trials: TrialRecord[] = Array.from({ length: 60 }, (_, number) => {
  const k = (number * 7) % 3;
  const own: Record<string, number>[] = [{ "at.a.n": number % 4 }, { "at.b.n": number % 3 }, {}];
  return { number, state: "complete", params: { k, ...own[k] }, values: [number], intermediate: [] };
});
// Longer, shorter, with trials that come in between, another study's, and none.
const histories: readonly (readonly TrialRecord[])[] = [
  trials.slice(0, 5),
  trials.slice(0, 20),
  trials.filter(({ number }) => number !== 30 && number < 40),
  trials.slice(0, 40),
  trials.slice(0, 12),
  trials.slice(0, 60).map((trial) => ({ ...trial })),
  [],
  trials,
];

describe("what follows a history", () => {
  it("counts of keys and of branches", () => {
    const keys = new KeyCounts(space);
    for (const history of histories) {
      keys.update(history);
      const pending = trials.slice(history.length, history.length + 4);
      const fresh = new Set([...history, ...pending].map(({ params }) => keyOf(space, params)));
      const taken = keys.with(pending);
      expect(taken.size).toBe(fresh.size);
      for (const { params } of trials) expect(taken.has(keyOf(space, params))).toBe(fresh.has(keyOf(space, params)));
      const counts = [0, 1, 2].map((k) => [...history, ...pending].filter(({ params }) => params.k === k).length);
      expect(trialsByBranch(space, history, pending)).toEqual(counts);
    }
  });

  it("samplers of finite spaces give what a new one gives", () => {
    for (const make of [() => tune.random(), () => tune.grid(), () => tune.grid({ shuffle: true })]) {
      const old = make();
      for (const history of histories) {
        const request: SampleRequest = { space, number: history.length, seed: 3, directions: ["minimize"], history, pending: trials.slice(2, 4) }; // prettier-ignore
        expect(old.sample(request)).toEqual(make().sample(request));
      }
    }
  });

  it("what an objective will ask for", async () => {
    const [x, y] = [tune.uniform(0, 1), tune.uniform(0, 2)];
    const asked: StoredTrial[] = Array.from({ length: 30 }, (_, number) => ({
      number, state: "complete", values: [number], intermediate: [], attempt: 0, losses: 0, fence: 1, attributes: {}, revision: number,
      params: number % 3 === 0 ? { x: 0.5 } : { x: 0.25, y: 1 },
      suggested: number % 3 === 0 ? { x } : { x, y: number > 20 ? x : y },
    })); // prettier-ignore
    const old = new Foresight(tune.random());
    for (const history of [asked.slice(0, 4), asked.slice(0, 25), asked, asked.slice(0, 9), [], asked]) {
      const request: SampleRequest = { space: { parameters: [] }, number: history.length, seed: 3, directions: ["minimize"], history, pending: [] }; // prettier-ignore
      const fresh = await new Foresight(tune.random()).foresee(request);
      expect([...(await old.foresee(request))]).toEqual([...fresh]);
      expect([...fresh.keys()]).toEqual(history.length === 0 ? [] : ["x", "y"]);
    }
  });
});

const pruners: Readonly<Record<string, () => Pruner>> = {
  median: () => tune.median(),
  "percentile of steps": () => tune.percentile(30, { against: "step", interval: 2 }),
  asha: () => tune.asha({ max: 9, factor: 3 }),
  hyperband: () => tune.hyperband({ max: 9 }),
  wilcoxon: () => tune.wilcoxon(),
  extrapolation: () => tune.extrapolation(),
  "extrapolation to a given step": () => tune.extrapolation({ max: 9 }),
};

// Curves that cross, some with NaN and Infinity, some that leave steps out, some that end early.
function curveOf(number: number): Intermediate[] {
  const draws = new Draws(5, number, "curve");
  const [level, speed] = [draws.uniform(), draws.uniform()];
  const steps = Array.from({ length: 9 }, (_, step) => step).filter(() => draws.uniform() > 0.1);
  const curve = steps.map((step) => {
    const chance = draws.uniform();
    return { step, value: chance < 0.02 ? NaN : chance < 0.04 ? Infinity : level + (1 - speed) ** (step + 1) };
  });
  return draws.uniform() < 0.3 ? curve.slice(0, 1 + Math.floor(draws.uniform() * 5)) : curve;
}
const states = ["complete", "complete", "complete", "pruned", "failed", "infinite"] as const;
function ran(number: number): TrialRecord {
  const intermediate = curveOf(number);
  const state = states[Math.floor(new Draws(5, number, "state").uniform() * states.length)]!;
  return { number, state, params: {}, values: [intermediate.at(-1)?.value ?? 1], intermediate };
}

describe.each(Object.entries(pruners))("a pruner that was asked before: %s", (_, make) => {
  it("decides as one that was not, in order, in free order with trials that run, and of several studies", () => {
    const old = make();
    let [decisions, ends] = [0, 0];
    const ask = (
      history: readonly TrialRecord[],
      number: number,
      direction: "minimize" | "maximize" = "minimize",
    ): void => {
      const curve = curveOf(number);
      for (let count = 1; count <= curve.length; count++) {
        const request = { number, seed: 3, direction, reports: curve.slice(0, count), history };
        const fresh = make().prune(request);
        expect(old.prune(request)).toBe(fresh);
        decisions++;
        ends += fresh ? 1 : 0;
      }
    };
    const all = Array.from({ length: 60 }, (_, number) => ran(number));
    const other = all.map((trial) => ({ ...trial, number: trial.number + 1 }));
    const ended: TrialRecord[] = [];
    for (let number = 4; number < 60; number++) {
      ask(all.slice(0, number - (number % 5)), number);
      if (number % 7 === 0) ask(other.slice(0, number - 3), number);
      // Free order: a trial that took longer comes in before others that have ended; those that run are behind.
      const late = number % 3 === 0 ? number - 6 : number - 4;
      if (late >= 0 && !ended.includes(all[late]!)) {
        ended.push(all[late]!);
        ended.sort((a, b) => a.number - b.number);
      }
      const running = [number - 2, number - 1].map((n): TrialRecord => ({ number: n, state: "running", params: {}, intermediate: curveOf(n).slice(0, 4) })); // prettier-ignore
      ask([...ended, ...running], number);
    }
    for (let number = 55; number > 20; number -= 5) ask(all.slice(0, number), number);
    ask(all.slice(0, 40), 45, "maximize");
    expect(decisions).toBeGreaterThan(500);
    expect(ends).toBeGreaterThan(20);
  });

  it("reads the reports of a trial a few times, however many come after it", () => {
    const pruner = make();
    let reads = 0;
    const history: TrialRecord[] = [];
    const count = 400;
    for (let number = 0; number < count; number++) {
      const curve = Array.from({ length: 9 }, (_, step) => ({ step, value: ((number * 7) % 11) / (step + 1) }));
      for (let taken = 1; taken <= 9; taken++) {
        pruner.prune({ number, seed: 3, direction: "minimize", reports: curve.slice(0, taken), history });
      }
      history.push({
        number, state: "complete", params: {}, values: [number],
        get intermediate() { reads++; return curve; },
      }); // prettier-ignore
    }
    expect(reads).toBeLessThan(21 * count);
  });
});

it("a curve of 150,000 reports is kept and judged, by every pruner that reads it whole", async () => {
  const count = 150_000;
  const pruners = [
    tune.median({ startupTrials: 1, warmupSteps: count - 1 }),
    tune.patient(2, tune.threshold({ upper: 1, warmupSteps: count - 1 })),
  ];
  for (const pruner of pruners) {
    const study = await tune(
      { x: tune.uniform(0, 1) },
      (trial) => {
        for (let step = 0; step < count; step++) trial.report(step, step < count - 3 ? trial.number : trial.number + 2);
        if (trial.shouldPrune()) trial.prune();
        return trial.number;
      },
      { trials: 2, pruner, lag: 1 },
    );
    expect(study.trials.map(({ state, intermediate }) => [state, intermediate.length])).toEqual([[pruner.name === "median" ? "complete" : "pruned", count], ["pruned", count]]); // prettier-ignore
  }
});
