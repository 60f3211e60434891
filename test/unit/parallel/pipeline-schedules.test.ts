// Schedules of pipeline parallelism against the closed forms of their papers, over a table of shapes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parallel } from "athanor";
import { crossingBytes, cutSegments, segmentsOf } from "../../../lib/pipeline/index.js";

const { pipelineSchedule, simulate } = parallel;
const shapes = [1, 2, 3, 4, 8].flatMap((p) => [1, 2, 4, 8].map((k) => [p, p * k] as const));

describe("the bubble where all passes take the same time", () => {
  it.each(shapes)("is (p - 1) / (m + p - 1) for GPipe and 1F1B: p %i, m %i", (p, m) => {
    for (const name of ["gpipe", "1f1b"] as const) {
      const { bubble, seconds } = simulate(pipelineSchedule(name, { stages: p, microBatches: m }));
      expect(bubble).toBeCloseTo((p - 1) / (m + p - 1), 12);
      expect(seconds).toBe(3 * (m + p - 1));
    }
  });

  it.each(shapes)("is (p - 1) / (v m + p - 1) interleaved: p %i, m %i", (p, m) => {
    for (const chunks of [1, 2, 3]) {
      const { bubble } = simulate(pipelineSchedule("interleaved", { stages: p, microBatches: m, chunks }));
      expect(bubble).toBeCloseTo((p - 1) / (chunks * m + p - 1), 12);
    }
  });

  it.each(shapes.filter(([p, m]) => m >= 2 * p))("is (p - 1) / (3 m + p - 1) for zero-bubble: p %i, m %i", (p, m) => {
    const { bubble, peakMicroBatches } = simulate(pipelineSchedule("zero-bubble", { stages: p, microBatches: m }));
    expect(bubble).toBeCloseTo((p - 1) / (3 * m + p - 1), 12);
    // ZB-H2 of the paper keeps 2p - 1.
    expect(Math.max(...peakMicroBatches)).toBeLessThanOrEqual(Math.max(1, 2 * p - 1));
  });
});

describe("the memory", () => {
  it("is all micro-batches for GPipe and those of the stages behind for 1F1B", () => {
    for (const [p, m] of shapes) {
      const held = (name: "gpipe" | "1f1b") =>
        simulate(pipelineSchedule(name, { stages: p, microBatches: m })).peakMicroBatches;
      expect(held("gpipe")).toEqual(Array.from({ length: p }, () => m));
      expect(held("1f1b")).toEqual(Array.from({ length: p }, (_, rank) => Math.min(m, p - rank)));
    }
  });

  it("is counted in bytes of each stage", () => {
    const costs = [3, 5].map((kept) => ({ forward: 1, backwardInput: 1, backwardWeight: 1, transfer: 0, kept }));
    expect(simulate(pipelineSchedule("1f1b", { stages: 2, microBatches: 4 }), costs).peakBytes).toEqual([6, 5]);
  });
});

describe("every schedule", () => {
  it("does all work once, in an order that ends, whatever passes and messages cost", () => {
    const cost = fc.record({
      forward: fc.double({ min: 0.1, max: 5, noNaN: true }),
      backwardInput: fc.double({ min: 0, max: 5, noNaN: true }),
      backwardWeight: fc.double({ min: 0.1, max: 5, noNaN: true }),
      transfer: fc.double({ min: 0, max: 2, noNaN: true }),
      kept: fc.constant(1),
    });
    const shape = fc.record({
      stages: fc.integer({ min: 1, max: 6 }),
      groups: fc.integer({ min: 1, max: 3 }),
      chunks: fc.integer({ min: 1, max: 4 }),
      costs: fc.array(cost, { minLength: 24, maxLength: 24 }),
    });
    fc.assert(
      fc.property(shape, ({ stages, groups, chunks, costs }) => {
        for (const name of ["gpipe", "1f1b", "interleaved", "zero-bubble"] as const) {
          const parts = name === "interleaved" ? chunks : 1;
          const schedule = pipelineSchedule(name, { stages, microBatches: stages * groups, chunks: parts });
          const { timeline, bubble, seconds } = simulate(schedule, costs.slice(0, stages * parts));
          expect(timeline.flat()).toHaveLength(schedule.actions.flat().length);
          expect(bubble).toBeGreaterThanOrEqual(-1e-12);
          // No rank does two things at a time, and a stage works after the one before it.
          const ends = new Map<string, number>();
          for (const [rank, actions] of timeline.entries()) {
            actions.forEach(({ start }, i) => expect(start).toBeGreaterThanOrEqual(actions[i - 1]?.end ?? 0));
            for (const { pass, chunk, microBatch, end } of actions) ends.set(`${pass} ${chunk * stages + rank} ${microBatch}`, end); // prettier-ignore
          }
          for (const [rank, actions] of timeline.entries()) {
            for (const { pass, chunk, microBatch, start } of actions) {
              const stage = chunk * stages + rank;
              if (pass === "F" && stage > 0) expect(start).toBeGreaterThanOrEqual(ends.get(`F ${stage - 1} ${microBatch}`)!); // prettier-ignore
              if (pass === "W") expect(start).toBeGreaterThanOrEqual(ends.get(`I ${stage} ${microBatch}`)!);
            }
          }
          expect(Math.max(...ends.values())).toBe(seconds);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is printed with its bubble and its memory, and drawn", () => {
    const { text, svg } = simulate(pipelineSchedule("1f1b", { stages: 2, microBatches: 2 }));
    // A column from each begin or end of a pass to the next: at 0, 1, 2, 4, 5, 6, 7 and 9 units.
    expect(text).toBe(
      [
        "1f1b: 2 stages, 2 micro-batches, a step of 9 units, bubble 33.3 %",
        "rank 0  F0 F1 ·  B0 -- ·  B1",
        "rank 1  ·  F0 B0 F1 B1 -- ·",
        "kept at most by rank: 2 (2 B), 1 (1 B)",
      ].join("\n"),
    );
    expect(svg.match(/<rect /g)).toHaveLength(2 + 8);
  });
});

describe("a schedule of one's own", () => {
  const made = pipelineSchedule("gpipe", { stages: 2, microBatches: 2 });
  const changed = (rank: number, order: readonly number[]) => ({
    ...made,
    name: "mine",
    actions: made.actions.map((list, r) => (r === rank ? order.map((i) => list[i]!) : list)),
  });

  it("is refused where it would never end: who waits for what", () => {
    // Rank 1 wants to go backward first.
    expect(() => simulate(changed(1, [2, 0, 1, 3]))).toThrow(
      'parallel.simulate: the schedule "mine" would never end: rank 0 waits at B0 for B0 of rank 1, rank 1 waits at B0 for F0 of rank 1; every pass must come after those that it needs',
    );
    expect(() => parallel.pipeline({ schedule: changed(1, [2, 0, 1, 3]) })).toThrow("would never end");
  });

  it("is refused where work is left out, done twice or out of order", () => {
    expect(() => simulate(changed(0, [0, 1, 2]))).toThrow(/"mine" lacks a pass of micro-batch 1 on rank 0/);
    expect(() => simulate(changed(0, [0, 1, 2, 3, 3]))).toThrow('"mine" has B1 twice on rank 0');
    expect(() => simulate(changed(0, [0, 1, 3, 2]))).toThrow(/takes B0 on rank 0 after a later micro-batch/);
  });

  it("takes numbers of its shape alone", () => {
    expect(() => pipelineSchedule("1f1b", { stages: 2, microBatches: 2, chunks: 2 })).toThrow("has one stage on each rank"); // prettier-ignore
    expect(() => pipelineSchedule("interleaved", { stages: 4, microBatches: 6, chunks: 2 })).toThrow("give 8");
    expect(() => pipelineSchedule("gpipe", { stages: 0, microBatches: 6 })).toThrow("stages must be a whole number from 1"); // prettier-ignore
  });
});

describe("the cut", () => {
  const segment = (begin: number) => ({ begin, end: begin + 1, name: `${begin}` });

  it("has the least dearest stage of all cuts", () => {
    const worst = (seconds: readonly number[], cuts: readonly number[]) =>
      Math.max(...cuts.map((cut, s) => seconds.slice(cut, cuts[s + 1]).reduce((a, b) => a + b, 0)));
    const all = (n: number, stages: number, from = 0): number[][] =>
      stages === 1 ? [[from]] : Array.from({ length: n - from - stages + 1 }, (_, i) => from + 1 + i).flatMap((next) => all(n, stages - 1, next).map((rest) => [from, ...rest])); // prettier-ignore
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 4, maxLength: 8 }), fc.integer({ min: 1, max: 4 }), (seconds, stages) => {
        const segments = seconds.map((_, i) => segment(i));
        const cuts = cutSegments({ where: "test", segments, seconds, transfer: seconds.map(() => 0), stages });
        const least = Math.min(...all(seconds.length, stages).map((each) => worst(seconds, each)));
        expect(worst(seconds, cuts)).toBe(least);
      }),
    ); // prettier-ignore
  });

  it("goes where little is sent, where costs are the same", () => {
    const seconds = [1, 1, 0, 1, 1];
    const segments = seconds.map((_, i) => segment(i));
    expect(cutSegments({ where: "test", segments, seconds, transfer: [0, 9, 0.5, 0.1, 9], stages: 2 })).toEqual([0, 3]);
  });

  it("counts what crosses it, values that skip layers too", () => {
    const f32 = { dtype: "f32", shape: [10] };
    const node = (op: string, inputs: number[], scope: string) => ({ op, inputs, outputs: 1, attrs: {}, scope });
    // x → a → b → a + b, the sum reads both
    const nodes = [node("input", [], ""), node("relu", [0], "1"), node("tanh", [1], "2"), node("add", [1, 2], "3")];
    const graph = { nodes, outputs: [{ name: "loss", value: 3 }] };
    expect(crossingBytes(graph, [f32, f32, f32, f32]).slice(0, 5)).toEqual([0, 0, 40, 80, 0]);
    expect(segmentsOf(graph, [0, 1, 1, 1], 8).map(({ begin, end }) => [begin, end])).toEqual([[0, 2], [2, 3], [3, 4]]); // prettier-ignore
  });
});
