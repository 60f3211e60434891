import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as schedule from "../../lib/schedule/index.js";

const value = fc.double({ min: 1e-6, max: 10, noNaN: true });
const total = fc.integer({ min: 1, max: 5000 });
const fraction = fc.double({ min: 0.01, max: 0.9, noNaN: true });
const span = fc.oneof(fraction, fc.integer({ min: 1, max: 2000 }));

const smooth = fc.oneof(
  value.map((v) => schedule.constant(v)),
  fc.record({ initial: value, final: value }).map(schedule.linear),
  fc
    .record({ initial: value, final: value, power: fc.double({ min: 1, max: 4, noNaN: true }) })
    .map(schedule.polynomial),
  fc.record({ initial: value, final: value }).map(schedule.exponential),
  fc.record({ peak: value, final: value }).map(schedule.cosine),
);
const decays = fc.oneof(
  fc.record({ initial: value, milestones: fc.array(span, { maxLength: 4 }), factor: fraction }).map(schedule.multiStep),
  fc.record({ peak: value, warmup: span }).map(schedule.inverseSqrt),
  fc
    .record({ peak: value, warmup: fc.double({ min: 0.01, max: 0.4, noNaN: true }), decay: fc.double({ min: 0.01, max: 0.4, noNaN: true }), shape: fc.constantFrom("linear" as const, "cosine" as const, "sqrt" as const), final: value })
    .map(schedule.warmupStableDecay), // prettier-ignore
  fc.record({ initial: value, final: value }).map(schedule.tanh),
  fc.record({ initial: value, final: value }).map(schedule.rex),
);
const phases = fc.constantFrom(2 as const, 3 as const);
const anneal = fc.constantFrom("cosine" as const, "linear" as const);
const rise = fc.double({ min: 0.05, max: 0.5, noNaN: true });
const cycles = fc.oneof(
  fc.record({ peak: value, first: span, growth: fc.double({ min: 1, max: 3, noNaN: true }), final: value }).map(schedule.cosineRestarts), // prettier-ignore
  fc.record({ low: value, high: value, rise: span, fall: span, height: fc.constantFrom("constant" as const, "halve" as const, "decay" as const), factor: fraction }).map(schedule.cyclic), // prettier-ignore
  fc.record({ peak: value, rise, phases, anneal }).map(schedule.oneCycle),
  fc.record({ low: fraction, high: fraction, rise, phases, anneal }).map(schedule.oneCycleMomentum),
);
const stairs = fc.oneof(
  fc.record({ initial: value, every: span, factor: fraction }).map(schedule.step),
  fc.tuple(value, value, fraction).map(([a, b, at]) => schedule.piecewise([[0, a], [at, b]])), // prettier-ignore
);
const { any } = fc.letrec<{ any: schedule.Schedule }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    smooth,
    stairs,
    decays,
    cycles,
    fc.tuple(tie("any"), tie("any")).map((parts) => schedule.chain(parts)),
    fc.tuple(tie("any"), value).map(([s, max]) => schedule.clamp(s, { max })),
    fc.tuple(tie("any"), fraction, fc.maxSafeInteger()).map(([s, amount, seed]) => schedule.noise(s, { amount: amount / 3, seed, distribution: seed % 2 ? "normal" : "uniform" })), // prettier-ignore
    fc.tuple(tie("any"), span).map(([s, w]) => schedule.warmup(s, w)),
    fc.tuple(tie("any"), span, tie("any")).map(([a, n, b]) => schedule.sequence([[a, n], b])),
    fc.tuple(tie("any"), span).map(([s, every]) => schedule.repeat(s, every)),
    fc.tuple(tie("any"), value).map(([s, k]) => schedule.scale(s, k)),
  ),
}));

const steps = (n: number) => Array.from({ length: n }, (_, t) => t);

describe("every schedule", () => {
  it("is finite and above 0 at and after every step of a run whose values are above 0", () => {
    fc.assert(
      fc.property(any, total, fc.nat(6000), (s, n, t) => {
        expect(s(t, n)).toSatisfy((v: number) => Number.isFinite(v) && v >= 0);
      }),
    );
  });

  it("resumed at step k continues as the run to k would: no state, whatever was asked before", () => {
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 200 }), fc.nat(199), (s, n, k) => {
        const whole = steps(n).map((t) => s(t, n));
        const restored = schedule.fromJSON(JSON.parse(JSON.stringify(s)) as schedule.ScheduleSpec);
        expect(steps(n).slice(k).map((t) => restored(t, n))).toEqual(whole.slice(k)); // prettier-ignore
        expect(steps(n).reverse().map((t) => s(t, n)).reverse()).toEqual(whole); // prettier-ignore
      }),
    );
  });
});

describe("over 10,000 steps", () => {
  it("a fresh start at step N has the value of the run that went to N", () => {
    fc.assert(
      fc.property(any, fc.array(fc.nat(9999), { minLength: 50, maxLength: 50 }), (s, places) => {
        const text = JSON.stringify(s);
        const run = steps(10_000).map((t) => s(t, 10_000));
        for (const t of places) {
          const fresh = schedule.fromJSON(JSON.parse(text) as schedule.ScheduleSpec);
          expect(fresh(t, 10_000)).toBe(run[t]);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("smooth schedules", () => {
  it("stay between their ends", () => {
    fc.assert(
      fc.property(smooth, total, fc.nat(6000), (s, n, t) => {
        const [a, b] = [s(0, n), s(n, n)];
        const slack = 1e-12 * Math.max(a, b);
        expect(s(t, n)).toBeGreaterThanOrEqual(Math.min(a, b) - slack);
        expect(s(t, n)).toBeLessThanOrEqual(Math.max(a, b) + slack);
      }),
    );
  });

  it("move monotonically", () => {
    fc.assert(
      fc.property(smooth, total, fc.nat(4999), (s, n, t) => {
        const direction = Math.sign(s(n, n) - s(0, n));
        expect(direction * (s(t + 1, n) - s(t, n))).toBeGreaterThanOrEqual(-1e-12 * Math.max(s(0, n), s(n, n)));
      }),
    );
  });

  it("are continuous, through a warmup too: no step moves further than the steepest shape allows", () => {
    const lines = fc.oneof(fc.record({ initial: value, final: value }).map(schedule.linear), fc.record({ peak: value, final: value }).map(schedule.cosine)); // prettier-ignore
    fc.assert(
      fc.property(lines, total, fraction, fc.nat(4998), (s, n, w, t) => {
        const warm = schedule.warmup(s, w);
        const [rise, left] = [Math.round(w * n), n - Math.round(w * n)];
        const top = Math.max(s(0, n), s(n, n));
        // A line moves by range / n a step, half a cosine by at most π/2 of that, the warmup by height / (w + 1).
        const bound = Math.max(((Math.PI / 2) * top) / Math.max(left, 1), top / (rise + 1));
        expect(Math.abs(warm(t + 1, n) - warm(t, n))).toBeLessThanOrEqual(bound * (1 + 1e-9));
      }),
    );
  });
});

describe("composition", () => {
  const agree = (a: schedule.Schedule, b: schedule.Schedule, t: number, n: number) => {
    const [x, y] = [a(t, n), b(t, n)];
    expect(Math.abs(x - y)).toBeLessThanOrEqual(1e-12 * Math.max(Math.abs(x), Math.abs(y)));
  };

  it("warmup inside cosine is warmup around it", () => {
    fc.assert(
      fc.property(value, value, span, total, fc.nat(6000), (peak, final, warmup, n, t) => {
        agree(
          schedule.cosine({ peak, warmup, final }),
          schedule.warmup(schedule.cosine({ peak, final }), warmup),
          t,
          n,
        );
      }),
    );
  });

  it("no warmup changes nothing; scale by 1 changes nothing; scales multiply and commute", () => {
    fc.assert(
      fc.property(any, value, value, total, fc.nat(6000), (s, j, k, n, t) => {
        agree(schedule.warmup(s, 0), s, t, n);
        agree(schedule.scale(s, 1), s, t, n);
        agree(schedule.scale(schedule.scale(s, j), k), schedule.scale(s, j * k), t, n);
        agree(schedule.scale(s, schedule.constant(k)), schedule.scale(schedule.constant(k), s), t, n);
      }),
    );
  });

  it("scaling passes through warmup, sequence and repeat", () => {
    fc.assert(
      fc.property(any, any, value, span, total, fc.nat(6000), (a, b, k, w, n, t) => {
        const scaled = (s: schedule.Schedule) => schedule.scale(s, k);
        agree(scaled(schedule.warmup(a, w)), schedule.warmup(scaled(a), w), t, n);
        agree(scaled(schedule.sequence([[a, w], b])), schedule.sequence([[scaled(a), w], scaled(b)]), t, n);
        agree(scaled(schedule.repeat(a, w)), schedule.repeat(scaled(a), w), t, n);
      }),
    );
  });

  it("sequences associate", () => {
    const whole = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(any, any, any, whole, whole, total, fc.nat(6000), (a, b, c, p, q, n, t) => {
        agree(schedule.sequence([[a, p], [b, q], c]), schedule.sequence([[a, p], schedule.sequence([[b, q], c])]), t, n); // prettier-ignore
      }),
    );
  });

  it("repeat has its period", () => {
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 500 }), total, fc.nat(6000), (s, every, n, t) => {
        const looped = schedule.repeat(s, every);
        expect(looped(t + every, n)).toBe(looped(t, n));
      }),
    );
  });
});
