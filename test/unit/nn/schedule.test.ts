import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../../lib/errors.js";
import * as schedule from "../../../lib/schedule/index.js";

const trajectory = (like: schedule.ScheduleLike, total: number, steps = total) => {
  const at = schedule.from(like);
  return Array.from({ length: steps }, (_, step) => at(step, total));
};

function expectClose(got: number[], want: number[]): void {
  expect(got).toHaveLength(want.length);
  got.forEach((value, i) => expect(value, `step ${i}`).toBeCloseTo(want[i]!, 12));
}

// The learning rates of torch.optim.lr_scheduler in PyTorch 2.13, float64, initial rate 0.1, 12 steps.
const torch = {
  "StepLR(3, 0.5)": [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.0125],
  "ExponentialLR(0.9)": [
    0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969, 0.043046721, 0.0387420489, 0.03486784401,
    0.031381059609,
  ],
  "PolynomialLR(8, 2)": [0.1, 0.0765625, 0.05625, 0.0390625, 0.025, 0.0140625, 0.00625, 0.0015625, 0, 0, 0, 0],
  "CosineAnnealingLR(11, 0.01)": [
    0.1, 0.09817718381265239, 0.09285640897740316, 0.08446873302753784, 0.0736936755850849, 0.061404167722297835,
    0.04859583227770218, 0.036306324414915124, 0.025531266972462177, 0.01714359102259685, 0.011822816187347618, 0.01,
  ],
  "LinearLR(1, 0.1, 9)": [0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01, 0.01],
  "CosineAnnealingWarmRestarts(4, 0.001)": [
    0.1, 0.0855017856687341, 0.0505, 0.0154982143312659, 0.1, 0.0855017856687341, 0.0505, 0.0154982143312659, 0.1,
    0.0855017856687341, 0.0505, 0.0154982143312659,
  ],
  "MultiStepLR([3, 7], 0.1)": [0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.001, 0.001],
  "SequentialLR(LinearLR(0.2, 1, 4), CosineAnnealingLR(8))": [
    0.02, 0.04, 0.06, 0.08, 0.1, 0.09619397662556434, 0.08535533905932738, 0.0691341716182545, 0.05,
    0.030865828381745515, 0.014644660940672627, 0.0038060233744356634,
  ],
};

const ours: Record<keyof typeof torch, schedule.Schedule> = {
  "StepLR(3, 0.5)": schedule.step({ initial: 0.1, every: 3, factor: 0.5 }),
  "ExponentialLR(0.9)": schedule.exponential({ initial: 0.1, factor: 0.9 }),
  "PolynomialLR(8, 2)": schedule.polynomial({ initial: 0.1, steps: 8, power: 2 }),
  "CosineAnnealingLR(11, 0.01)": schedule.cosine({ peak: 0.1, final: 0.01, steps: 11 }),
  "LinearLR(1, 0.1, 9)": schedule.linear({ initial: 0.1, final: 0.01, steps: 9 }),
  "CosineAnnealingWarmRestarts(4, 0.001)": schedule.repeat(schedule.cosine({ peak: 0.1, final: 0.001 }), 4),
  "MultiStepLR([3, 7], 0.1)": schedule.piecewise([
    [0, 0.1],
    [3, 0.01],
    [7, 0.001],
  ]),
  // Our warmup of 4 steps rises by fifths: the same line as PyTorch's from 0.2.
  "SequentialLR(LinearLR(0.2, 1, 4), CosineAnnealingLR(8))": schedule.warmup(schedule.cosine({ peak: 0.1 }), 4),
};

describe("schedules follow PyTorch's", () => {
  it.each(Object.keys(torch) as (keyof typeof torch)[])("%s", (name) => {
    expectClose(trajectory(ours[name], 12), torch[name]);
  });
});

describe("spans", () => {
  it("below 1 are fractions of the run", () => {
    const lr = schedule.cosine({ peak: 1, warmup: 0.05 });
    expect(lr(49, 1000)).toBeCloseTo(50 / 51, 12);
    expect(lr(50, 1000)).toBe(1);
    expect(lr(5, 100)).toBe(1);
  });

  it("from 1 on are steps, so 1 is one step", () => {
    const lr = schedule.cosine({ peak: 1, warmup: 1 });
    expect(trajectory(lr, 1000, 2)).toEqual([0.5, 1]);
  });

  it("as fractions round to whole steps and keep a stair at least one step wide", () => {
    expect(trajectory(schedule.step({ initial: 1, every: 0.01, factor: 0.5 }), 4)).toEqual([1, 0.5, 0.25, 0.125]);
  });

  it("in epochs are what they are in steps, in every kind and composition", () => {
    const kinds: ((span: (steps: number) => schedule.Span) => schedule.Schedule)[] = [
      (span) => schedule.step({ initial: 1, every: span(10), factor: 0.5 }),
      (span) => schedule.multiStep({ initial: 1, milestones: [span(5), span(20)] }),
      (span) => schedule.exponential({ initial: 1, factor: 0.5, every: span(10) }),
      (span) => schedule.exponential({ initial: 1, final: 0.5, steps: span(25) }),
      (span) => schedule.linear({ initial: 1, steps: span(30) }),
      (span) => schedule.polynomial({ initial: 1, steps: span(30) }),
      (span) => schedule.cosine({ peak: 1, warmup: span(5), steps: span(30) }),
      (span) => schedule.cosineRestarts({ peak: 1, first: span(10), growth: 2 }),
      (span) => schedule.cyclic({ low: 0, high: 1, rise: span(5), fall: span(10) }),
      (span) => schedule.oneCycle({ peak: 1, steps: span(35) }),
      (span) => schedule.oneCycleMomentum({ steps: span(35) }),
      (span) => schedule.inverseSqrt({ peak: 1, warmup: span(5) }),
      (span) => schedule.warmupStableDecay({ peak: 1, warmup: span(5), decay: span(10), steps: span(35) }),
      (span) => schedule.tanh({ initial: 1, steps: span(30) }),
      (span) => schedule.rex({ initial: 1, steps: span(30) }),
      (span) => schedule.piecewise([[0, 1], [span(5), 2], [span(20), 3]], { between: "linear" }), // prettier-ignore
      (span) => schedule.warmup(schedule.linear({ initial: 1, steps: span(20) }), span(5)),
      (span) => schedule.sequence([[schedule.linear({ initial: 0, steps: span(5) }), span(10)], schedule.step({ initial: 1, every: span(5) })]), // prettier-ignore
      (span) => schedule.scale(schedule.rex({ initial: 1, steps: span(30) }), schedule.linear({ initial: 1, steps: span(20) })), // prettier-ignore
      (span) => schedule.chain([schedule.warmup(1, span(5)), schedule.step({ initial: 1, every: span(10) })]),
      (span) => schedule.clamp(schedule.linear({ initial: 1, steps: span(30) }), { min: 0.2 }),
      (span) => schedule.repeat(schedule.linear({ initial: 1, steps: span(5) }), span(10)),
      (span) => schedule.noise(schedule.linear({ initial: 1, steps: span(30) }), { amount: 0.1 }),
    ];
    for (const [i, kind] of kinds.entries()) {
      const [steps, epochs] = [kind((n) => n), kind((n) => `${n / 5} epochs`)];
      const restored = schedule.fromJSON(JSON.parse(JSON.stringify(epochs)) as schedule.ScheduleSpec);
      for (let t = 0; t <= 40; t++) {
        expect(epochs(t, 40, 5), `kind ${i}, step ${t}`).toBe(steps(t, 40));
        expect(restored(t, 40, 5)).toBe(steps(t, 40));
      }
      expect(() => epochs(7, 40), `kind ${i}`).toThrow("needs the number of steps in an epoch");
    }
    expect(() => schedule.step({ initial: 1, every: "3 weeks" as never })).toThrow('or epochs such as "3 epochs", got "3 weeks"'); // prettier-ignore
  });

  it("in steps need no length of the run", () => {
    expect(schedule.cosine({ peak: 1, steps: 100 })(50, Infinity)).toBeCloseTo(0.5, 12);
    expect(schedule.exponential({ initial: 1, factor: 0.5, every: 10 })(20, Infinity)).toBe(0.25);
    expect(() => schedule.cosine({ peak: 1 })(50, Infinity)).toThrow(
      "schedule.cosine: the length of the run is not known here; give spans in whole steps (and `steps` for the length of a decay)",
    );
    expect(() => schedule.warmup(1, 0.1)(0, Infinity)).toThrow(/schedule\.warmup: the length of the run is not known/);
  });
});

describe("edges", () => {
  it("a warmup as long as the run reaches for the peak, not for the end of an empty decay", () => {
    expect(trajectory(schedule.cosine({ peak: 1, warmup: 4 }), 4)).toEqual([0.2, 0.4, 0.6, 0.8]);
  });

  it("stay level after the end", () => {
    expect(schedule.cosine({ peak: 1, final: 0.25 })(500, 100)).toBe(0.25);
    expect(schedule.linear({ initial: 1, final: 0.25 })(500, 100)).toBe(0.25);
    expect(schedule.polynomial({ initial: 1, final: 0.25 })(500, 100)).toBe(0.25);
    expect(schedule.exponential({ initial: 1, final: 0.25 })(500, 100)).toBe(0.25);
  });

  it("a run of no steps has a value", () => {
    expect(schedule.cosine({ peak: 1 })(0, 0)).toBe(1);
    expect(schedule.warmup(schedule.linear({ initial: 2 }), 0.5)(0, 0)).toBe(2);
  });

  it("piecewise can draw straight lines", () => {
    const points = [
      [0, 0],
      [0.5, 1],
      [90, 0.5],
    ] as const;
    expectClose(
      [0, 25, 50, 70, 90, 200].map((t) => schedule.piecewise(points, { between: "linear" })(t, 100)),
      [0, 0.5, 1, 0.75, 0.5, 0.5],
    );
  });

  it("the cubic of gradual pruning", () => {
    const amount = schedule.polynomial({ initial: 0, final: 0.9, power: 3 });
    expectClose(
      [0, 25, 50, 75, 100].map((t) => amount(t, 100)),
      [0, 0.9 * (1 - 0.75 ** 3), 0.9 * (1 - 0.125), 0.9 * (1 - 0.25 ** 3), 0.9],
    );
  });

  it("sequence gives each part its own clock and the last the rest", () => {
    const seen: [number, number][] = [];
    const spy = (t: number, n: number) => (seen.push([t, n]), 0);
    const parts = schedule.sequence([[spy, 3], [spy, 0.5], spy]);
    [0, 2, 3, 7, 8, 9].forEach((t) => parts(t, 10));
    expect(seen).toEqual([[0, 3], [2, 3], [0, 5], [4, 5], [0, 2], [1, 2]]); // prettier-ignore
  });
});

describe("descriptions", () => {
  const samples: Record<string, schedule.Schedule> = {
    ...ours,
    constant: schedule.constant(3),
    geometric: schedule.exponential({ initial: 1, final: 0.01, steps: 50 }),
    scaled: schedule.scale(schedule.cosine({ peak: 1 }), schedule.linear({ initial: 1, final: 2 })),
    lines: schedule.piecewise([[0, 1], [0.5, 3]], { between: "linear" }), // prettier-ignore
    sequence: schedule.sequence([[schedule.warmup(1, 0.5, { from: 0.1 }), 0.2], [1, 30], schedule.cosine({ peak: 1 })]),
  };

  it.each(Object.keys(samples))("%s survives JSON", (name) => {
    const back = schedule.fromJSON(JSON.parse(JSON.stringify(samples[name])) as schedule.ScheduleSpec);
    expect(trajectory(back, 100)).toEqual(trajectory(samples[name]!, 100));
    expect(schedule.same(back, samples[name]!)).toBe(true);
  });

  it("of the user's own function says so and does not come back", () => {
    const mine = (step: number) => step;
    expect(schedule.describe(mine)).toEqual({ kind: "custom", name: "mine" });
    expect(() => schedule.fromJSON(schedule.describe(mine))).toThrow(/"mine" is a function of your own/);
    expect(schedule.same(mine, mine)).toBe(true);
    expect(schedule.same(schedule.scale(mine, 2), schedule.scale(mine, 2))).toBe(false);
  });

  it("tell different schedules apart", () => {
    expect(schedule.same(0.1, schedule.constant(0.1))).toBe(true);
    expect(schedule.same(0.1, 0.2)).toBe(false);
    expect(schedule.same(schedule.cosine({ peak: 1 }), schedule.cosine({ peak: 1, warmup: 5 }))).toBe(false);
  });
});

describe("errors name the way out", () => {
  const wrong = (call: () => unknown) => call;
  it.each<[string, () => unknown]>([
    ["schedule.cosine: peak must be a finite number, got NaN", () => schedule.cosine({ peak: NaN })],
    [
      'schedule.cosine: warmup must be a fraction of the run between 0 and 1, a whole number of steps, or epochs such as "3 epochs", got 300.5; did you mean 301?',
      () => schedule.cosine({ peak: 1, warmup: 300.5 }),
    ],
    [
      'schedule.step: every must be a fraction of the run between 0 and 1, a whole number of steps, or epochs such as "3 epochs", got 0',
      () => schedule.step({ initial: 1, every: 0 }),
    ],
    [
      "schedule.step: factor must be a number above 0, got -1",
      () => schedule.step({ initial: 1, every: 5, factor: -1 }),
    ],
    ["schedule.exponential: expected either factor or final, got neither", () => schedule.exponential({ initial: 1 })],
    [
      "schedule.exponential: expected either factor or final, got both",
      () => schedule.exponential({ initial: 1, factor: 1, final: 1 }),
    ],
    [
      "schedule.piecewise: the first point must be at 0, got 0.1; add [0, value] before it",
      () => schedule.piecewise([[0.1, 1]]),
    ],
    ["schedule.piecewise: positions must rise, got 0.2 after 0.4 at point 2", () => schedule.piecewise([[0, 1], [0.4, 1], [0.2, 1]])], // prettier-ignore
    [
      "schedule.sequence: part 0 must be a [schedule, span] pair, got 1; only the last has the rest of the run",
      () => schedule.sequence([1, 2] as never),
    ],
    [
      'schedule.from: expected a number or a function of (step, total), got "cosine"',
      () => schedule.from("cosine" as never),
    ],
    [
      'schedule.fromJSON: unknown kind "cosin", expected one of constant, step, exponential, linear, polynomial, cosine, multiStep, inverseSqrt, warmupStableDecay, tanh, rex, cosineRestarts, cyclic, oneCycle, oneCycleMomentum, piecewise, warmup, sequence, scale, chain, clamp, noise, repeat, custom',
      () => schedule.fromJSON({ kind: "cosin" } as never),
    ],
  ])("%s", (message, call) => {
    expect(wrong(call)).toThrow(ArgumentError);
    expect(wrong(call)).toThrow(message);
  });

  it("an unknown option suggests the nearest name", () => {
    expect(() => schedule.cosine({ peek: 1 } as never)).toThrow(
      /schedule\.cosine: unknown option "peek", did you mean "peak"\?/,
    );
  });
});
