// Which metrics a summary sets off, and how metrics with a spread are written.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bestIn, columnsOf } from "../../../lib/report/columns.js";
import { describeData, range, micros } from "../../../lib/report/number-text.js";
import type { ModelSummary } from "../../../lib/report/run-report.js";
import { spreadOf, wilson } from "../../../lib/report/spread.js";
import { thin } from "../../../lib/report/series.js";
import { costTicks } from "../../../lib/report/ticks.js";

const column = (title: string) => columnsOf("cnn").find((each) => each.title === title)!;
const rate = (median: number, p10: number, p90: number): ModelSummary => ({ samplesPerSecond: { median, p10, p90 } });

describe("the best of a column", () => {
  it("is apart from every other beyond its interval", () => {
    expect(bestIn(column("samples/s"), [rate(10, 9, 11), rate(20, 18, 22), rate(15, 12, 17)])).toEqual([1]);
    expect(bestIn(column("latency"), [rate(10, 9, 11)])).toEqual([]);
  });

  it("is no one where intervals overlap: twice the median of an identical network may be chance", () => {
    expect(bestIn(column("samples/s"), [rate(174, 90, 180), rate(91, 85, 176)])).toEqual([]);
    expect(bestIn(column("accuracy"), [0.9912, 0.991, 0.9828].map((accuracy) => ({ accuracy, samples: 10_000 })))).toEqual([]); // prettier-ignore
    expect(bestIn(column("accuracy"), [0.9912, 0.9828].map((accuracy) => ({ accuracy, samples: 10_000 })))).toEqual([0]); // prettier-ignore
  });

  it("may be several of just the same size, and is no one where all are", () => {
    expect(bestIn(column("parameters"), [{ parameters: 5 }, { parameters: 9 }, { parameters: 5 }])).toEqual([0, 2]);
    expect(bestIn(column("parameters"), [{ parameters: 5 }, { parameters: 5 }])).toEqual([]);
    expect(bestIn(column("parameters"), [{ parameters: 5 }, {}])).toEqual([]);
  });

  it("is not looked for in what is not compared", () => {
    expect(bestIn(column("made in"), [{ seconds: 0.01 }, { seconds: 100 }])).toEqual([]);
  });

  it("never overlaps another model (property)", () => {
    const interval = fc.tuple(fc.float({ min: 1, max: 100, noNaN: true }), fc.float({ min: 0, max: 9, noNaN: true }));
    fc.assert(
      fc.property(fc.array(interval, { minLength: 2, maxLength: 6 }), (intervals) => {
        const summaries = intervals.map(([low, width]) => rate(low + width / 2, low, low + width));
        const best = new Set(bestIn(column("samples/s"), summaries));
        summaries.forEach(({ samplesPerSecond: ours }, i) =>
          summaries.forEach(({ samplesPerSecond: theirs }, j) => {
            if (best.has(i) && !best.has(j)) expect(ours!.p10).toBeGreaterThan(theirs!.p90);
          }),
        );
      }),
    );
  });
});

describe("metrics", () => {
  it("spreads as NumPy's percentile has them", () => {
    // numpy.percentile([7, 1, 3, 10, 2], [50, 10, 90])
    expect(spreadOf([7, 1, 3, 10, 2])).toEqual({ median: 3, p10: 1.4, p90: 8.8 });
    expect(spreadOf([4])).toEqual({ median: 4, p10: 4, p90: 4 });
  });

  it("bounds a share as Wilson does", () => {
    // By definition both bounds p solve |share − p| = z √(p (1 − p) / n).
    for (const [share, n] of [
      [0.9912, 10_000],
      [0.5, 3],
      [0, 10],
      [1, 10],
    ] as const) {
      const [low, high] = wilson(share, n);
      for (const p of [low, high]) {
        expect(Math.abs(share - p)).toBeCloseTo(
          Math.abs(p - share) < 1e-12 ? 0 : 1.959964 * Math.sqrt((p * (1 - p)) / n),
          7,
        );
      }
      expect(low <= share && share <= high && low < high).toBe(true);
    }
  });

  it("writes a range with the unit where it differs", () => {
    expect(range({ median: 30, p10: 20, p90: 50 }, micros)).toBe("20.0–50.0");
    expect(range({ median: 900, p10: 800, p90: 1200 }, micros)).toBe("800 µs–1.20 ms");
  });

  it("says what a run trained on in one way", () => {
    expect(describeData({ name: "MNIST", train: 55_000, validation: 5_000, test: 10_000 })).toBe(
      "MNIST: 55,000 to train on, 5,000 to validate, 10,000 to test",
    );
    expect(describeData({ name: "t", train: 8, test: 2 })).toBe("t: 8 to train on, 2 to test");
  });
});

describe("ticks of a logarithmic axis", () => {
  it("do not crowd, from 30 to 60 and anywhere (property)", () => {
    const costs = fc.array(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), { minLength: 2, maxLength: 9 });
    fc.assert(
      fc.property(costs, (values) => {
        const [low, high] = [Math.min(...values), Math.max(...values)];
        const ticks = costTicks(values);
        expect(ticks.length).toBeGreaterThanOrEqual(1);
        expect(ticks.length).toBeLessThanOrEqual(5);
        for (let i = 1; i < ticks.length; i++) {
          expect(Math.log(ticks[i]! / ticks[i - 1]!)).toBeGreaterThanOrEqual(Math.log(high / low) / 6.001);
        }
        for (const tick of ticks) expect(tick >= low && tick <= high).toBe(true);
      }),
    );
    expect(costTicks([30, 60])).toEqual([30, 40, 50, 60]);
    expect(costTicks([])).toEqual([]);
  });
});

describe("thin", () => {
  it("keeps every spike as a range, and the mean of all", () => {
    const points = Array.from({ length: 1000 }, (_, step) => ({ step, value: step === 517 ? 99 : 1 }));
    const buckets = thin(points, 100);
    expect(buckets).toHaveLength(100);
    expect(Math.max(...buckets.map(({ high }) => high))).toBe(99);
    expect(buckets.reduce((sum, { mean }) => sum + mean, 0) / 100).toBeCloseTo(1.098, 12);
  });

  it("leaves out what is not finite", () => {
    expect(thin([{ step: 0, value: NaN }, { step: 1, value: 2 }, { step: 2, value: Infinity }], 10)).toEqual([
      { step: 1, mean: 2, low: 2, high: 2 },
    ]); // prettier-ignore
  });
});
