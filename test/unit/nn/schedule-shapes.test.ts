import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../../lib/errors.js";
import * as schedule from "../../../lib/schedule/index.js";

const values = (at: schedule.Schedule, total: number, steps = total) =>
  Array.from({ length: steps + 1 }, (_, step) => at(step, total));

describe("schedules that PyTorch does not have follow their published formulas", () => {
  it("inverseSqrt is Hugging Face's, and keeps falling in a run without an end", () => {
    const at = schedule.inverseSqrt({ peak: 0.2, warmup: 8, timescale: 50 });
    for (const t of [8, 9, 100, 5000]) expect(at(t, Infinity)).toBeCloseTo(0.2 / Math.sqrt((t + 50 - 8) / 50), 14);
    expect(at(7, Infinity)).toBeCloseTo(0.2 * (8 / 9), 14);
    const usual = schedule.inverseSqrt({ peak: 1 });
    expect(usual(30_000, Infinity)).toBeCloseTo(0.5, 14);
  });

  it("warmupStableDecay rises, stays level and falls to its final value in each shape", () => {
    for (const [shape, half] of [
      ["linear", 0.5],
      ["cosine", 0.5],
      ["sqrt", 1 - Math.SQRT1_2],
    ] as const) {
      const at = schedule.warmupStableDecay({ peak: 2, warmup: 4, decay: 20, shape, final: 1 });
      expect([at(0, 100), at(3, 100)]).toEqual([2 * 0.2, 2 * 0.8]);
      for (const t of [4, 50, 80]) expect(at(t, 100)).toBe(2);
      expect(at(90, 100)).toBeCloseTo(1 + half, 14);
      expect([at(100, 100), at(140, 100)]).toEqual([1, 1]);
    }
  });

  it("warmupStableDecay says when warmup and decay do not fit", () => {
    const at = schedule.warmupStableDecay({ peak: 1, warmup: 60, decay: 50 });
    expect(() => at(0, 100)).toThrow("a warmup of 60 steps and a decay of 50 do not fit into 100 steps");
  });

  it("tanh and rex", () => {
    const fall = schedule.tanh({ initial: 3, final: 1 });
    for (const t of [0, 25, 70, 100]) {
      expect(fall(t, 100)).toBeCloseTo(1 + (2 * (1 - Math.tanh(-7 + 10 * (t / 100)))) / 2, 13);
    }
    const reflected = schedule.rex({ initial: 3, final: 1 });
    expect([reflected(0, 2), reflected(2, 2), reflected(9, 2)]).toEqual([3, 1, 1]);
    expect(reflected(1, 2)).toBeCloseTo(1 + 2 * (0.5 / 0.75), 14);
  });

  it("restarts land on their boundaries for any growth", () => {
    for (const growth of [1, 1.5, 2, 3]) {
      const at = schedule.cosineRestarts({ peak: 1, first: 8, growth });
      let begin = 0;
      for (let length = 8; begin < 1e5; begin += length, length *= growth) {
        if (Number.isInteger(begin)) expect(at(begin, Infinity), `growth ${growth} at ${begin}`).toBe(1);
      }
    }
  });
});

describe("composition", () => {
  it("chain multiplies on one clock, clamp holds between bounds", () => {
    const chained = schedule.chain([
      schedule.linear({ initial: 1 }),
      0.5,
      schedule.step({ initial: 1, every: 5, factor: 0.5 }),
    ]);
    expect(chained(5, 10)).toBe(0.5 * 0.5 * 0.5);
    const held = schedule.clamp(schedule.linear({ initial: 1 }), { min: 0.25, max: 0.75 });
    expect([held(0, 8), held(4, 8), held(8, 8)]).toEqual([0.75, 0.5, 0.25]);
  });

  it("noise is the same for the same seed and step, differs otherwise, and has the distribution it says", () => {
    const count = 20_000;
    const drawn = (distribution: "uniform" | "normal", seed: number) =>
      values(schedule.noise(1, { amount: 0.2, distribution, seed }), count).map((v) => (v - 1) / 0.2);
    const uniform = drawn("uniform", 1);
    expect(uniform).toEqual(drawn("uniform", 1));
    expect(uniform.every((v) => v >= -1 && v < 1)).toBe(true);
    const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    const deviation = (list: number[]) => Math.sqrt(mean(list.map((v) => v * v)) - mean(list) ** 2);
    const error = 4 / Math.sqrt(count); // four standard errors of a mean of unit variance
    expect(Math.abs(mean(uniform))).toBeLessThan(error);
    expect(Math.abs(deviation(uniform) - 1 / Math.sqrt(3))).toBeLessThan(error);
    const normal = drawn("normal", 1);
    expect(Math.abs(mean(normal))).toBeLessThan(error);
    expect(Math.abs(deviation(normal) - 1)).toBeLessThan(error + 0.015); // cut at three deviations: 0.987
    const other = drawn("uniform", 2 ** 40);
    const correlation = mean(uniform.map((v, i) => v * other[i]!)) * 3;
    expect(Math.abs(correlation)).toBeLessThan(error);
    const lagged = mean(uniform.slice(1).map((v, i) => v * uniform[i]!)) * 3;
    expect(Math.abs(lagged)).toBeLessThan(error);
  });
});

describe("bad options", () => {
  const loose = schedule as unknown as Record<string, (...options: unknown[]) => unknown>;
  it.each([
    ["multiStep", [{ initial: 1, milestones: 5 }], "milestones must be an array of spans, got 5"],
    ["multiStep", [{ initial: 1, milestones: [2.5] }], "milestone 0 must be"],
    ["inverseSqrt", [{ peak: 1, timescale: 0 }], "timescale must be a number above 0"],
    [
      "warmupStableDecay",
      [{ peak: 1, shape: "1-sqrt" }],
      'shape must be one of "linear", "cosine", "sqrt", got "1-sqrt"',
    ],
    ["tanh", [{ initial: 1, lower: NaN }], "lower must be a finite number"],
    ["rex", [{ initial: 1, power: 2 }], "power"],
    ["cosineRestarts", [{ peak: 1, first: 10, growth: 0.5 }], "growth must be 1 or more, got 0.5"],
    ["cosineRestarts", [{ peak: 1 }], "first must be"],
    ["cyclic", [{ low: 0, high: 1, rise: 5, height: "triangular2" }], "height must be one of"],
    ["cyclic", [{ low: 0, high: Infinity, rise: 5 }], "high must be a finite number"],
    ["oneCycle", [{ peak: 1, rise: 30 }], "rise must be a share of the cycle between 0 and 1, got 30"],
    ["oneCycle", [{ peak: 1, rise: 0.6, phases: 3 }], "rise is at most 0.5, got 0.6"],
    ["oneCycle", [{ peak: 1, phases: 4 }], "phases must be 2 or 3, got 4"],
    ["oneCycleMomentum", [{ anneal: "cos" }], 'anneal must be one of "cosine", "linear", got "cos"'],
    ["chain", [[]], "expected an array of at least one schedule"],
    ["chain", [1, 2], "expected an array of at least one schedule, got 1"],
    ["clamp", [1, {}], "expected min, max or both, got neither"],
    ["clamp", [1, { min: 2, max: 1 }], "min must not be above max, got 2 and 1"],
    ["noise", [1, { amount: 1.5 }], "amount must be from 0 to 1"],
    ["noise", [1, { amount: 0.1, seed: 0.5 }], "seed must be a whole number, got 0.5"],
  ] as const)("%s(%j)", (name, options, sentence) => {
    expect(() => loose[name]!(...options)).toThrow(ArgumentError);
    expect(() => loose[name]!(...options)).toThrow(`schedule.${name}: `);
    expect(() => loose[name]!(...options)).toThrow(sentence);
  });
});
