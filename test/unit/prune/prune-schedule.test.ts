// Schedules are pure functions of the step: values against the papers' formulas, and the steps at which masks change.
import { describe, expect, it } from "vitest";
import { prune, type PruningSchedule } from "../../../lib/index.js";

/** The steps after `from` at which masks change. */
function changes(schedule: PruningSchedule, from = -1): number[] {
  const steps: number[] = schedule.start > from ? [schedule.start] : [];
  for (let t = schedule.next(Math.max(from, schedule.start)); t < Infinity; t = schedule.next(t)) steps.push(t);
  return steps;
}

describe("prune.cubic", () => {
  // Zhu and Gupta (2017), equation 1: s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n Δt))³ for t in {t_0, t_0 + Δt, …, t_0 + n Δt}.
  it("is the paper's", () => {
    const [t0, n, dt, si, sf] = [100, 20, 50, 0.1, 0.87];
    const schedule = prune.cubic({ start: t0, steps: n * dt, every: dt, initial: si });
    expect(changes(schedule)).toEqual(Array.from({ length: n + 1 }, (_, i) => t0 + i * dt));
    for (let t = t0; t <= t0 + n * dt; t += dt) {
      expect(schedule.at(t, sf)).toBeCloseTo(sf + (si - sf) * (1 - (t - t0) / (n * dt)) ** 3, 14);
    }
    expect(schedule.at(t0 - 1, sf)).toBe(0);
    expect(schedule.at(1e9, sf)).toBe(sf);
  });

  it("stands still between two changes, and ends on the amount wherever the last change falls", () => {
    const schedule = prune.cubic({ steps: 25, every: 10 });
    expect(changes(schedule)).toEqual([0, 10, 20, 25]);
    expect(schedule.at(19, 0.9)).toBe(schedule.at(10, 0.9));
    expect(schedule.at(25, 0.9)).toBe(0.9);
    expect([schedule.end, schedule.length]).toEqual([25, 25]);
  });

  it("changes the masks twenty times unless told otherwise", () => {
    expect(changes(prune.cubic({ steps: 2000 }))).toHaveLength(21);
    expect(changes(prune.cubic({ steps: 7 }))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe("other schedules", () => {
  it("linear grows evenly", () => {
    const schedule = prune.linear({ steps: 40, every: 10, start: 5 });
    expect([5, 15, 25, 35, 45].map((t) => schedule.at(t, 0.8))).toEqual([0, 0.2, 0.4, 0.6000000000000001, 0.8]);
  });

  it("oneShot prunes once", () => {
    expect(changes(prune.oneShot())).toEqual([0]);
    const later = prune.oneShot({ at: 30 });
    expect([later.next(0), later.next(29), later.next(30)]).toEqual([30, 30, Infinity]);
    expect([later.at(29, 0.5), later.at(30, 0.5)]).toEqual([0, 0.5]);
  });

  it("iterative takes the same share of what is left in every round", () => {
    const schedule = prune.iterative({ rounds: 4, steps: 100 });
    expect(changes(schedule)).toEqual([0, 100, 200, 300]);
    const left = [0, 100, 200, 300].map((t) => 1 - schedule.at(t, 0.9));
    for (let round = 1; round < 4; round++) expect(left[round]! / left[round - 1]!).toBeCloseTo(0.1 ** 0.25, 12);
    expect(left[3]).toBeCloseTo(0.1, 12);
    expect([schedule.end, schedule.length]).toEqual([300, 400]);
  });

  it("lottery does so after each round of training", () => {
    const schedule = prune.lottery({ rounds: 3 });
    expect([1, 2, 3].map((round) => 1 - schedule.after(round, 0.488))).toEqual([
      expect.closeTo(0.8, 12) as number,
      expect.closeTo(0.64, 12) as number,
      expect.closeTo(0.512, 12) as number,
    ]);
  });
});
