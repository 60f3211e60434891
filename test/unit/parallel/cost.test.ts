// The cost model against what can be said without it: limits, formulas, monotony.
import { describe, expect, it } from "vitest";
import { array, data, loss, nn, optim, parallel } from "athanor";
import { predictData, predictPipeline, ranksThatPay } from "../../../lib/parallel/cost.js";

const machine = { latency: 1e-5, bandwidth: 1e9, ranksPerHost: 1, cores: 1, threads: 1 };
const work = { batchSize: 64, parameters: 1e6, states: 2, seconds: (rows: number) => rows * 1e-3, update: 1e-3, keptPerRow: 100 }; // prettier-ignore
const onRanks = (ranks: number, more: object = {}) => predictData(work, machine, { ranks, shards: Math.max(4, ranks), buckets: 1, ...more }); // prettier-ignore

describe("data parallelism", () => {
  it("is the measured step on one rank", () => {
    expect(onRanks(1).seconds).toBeCloseTo(0.064 + 0.001, 12);
    expect(onRanks(1).exposed).toBe(0);
  });

  it("sends 2 (n - 1) / n · 4Ψ bytes, ZeRO-3 half as much again", () => {
    const ideal = { ...machine, latency: 1e-30 };
    const sent = (zero: 0 | 3) => predictData(work, ideal, { ranks: 4, shards: 4, buckets: 1, zero }).exposed;
    expect(sent(0)).toBeCloseTo((2 * 3 * 4e6) / 4 / 1e9, 12);
    expect(sent(3)).toBeCloseTo((3 * 3 * 4e6) / 4 / 1e9, 12);
  });

  it("holds 16Ψ, and with ZeRO 8 + 8/n, 4 + 12/n and 16/n of them", () => {
    const held = ([0, 1, 2, 3] as const).map((zero) => onRanks(4, { zero }).held / 1e6);
    expect(held).toEqual([16, 8 + 2, 4 + 3, 4]);
  });

  it("does not pay any more where messages take what computing saves", () => {
    expect(ranksThatPay([1, 2, 4, 8].map((n) => onRanks(n)))).toBe(8);
    const slow = { ...machine, bandwidth: 1e7 };
    const predicted = [1, 2, 4, 8].map((n) =>
      predictData(work, slow, { ranks: n, shards: Math.max(4, n), buckets: 1 }),
    );
    expect(ranksThatPay(predicted)).toBe(1);
  });

  it("counts ranks that share cores", () => {
    const shared = { ...machine, ranksPerHost: 4, cores: 2, bandwidth: 1e30, latency: 1e-30 };
    const at = (ranks: number) => predictData({ ...work, update: 0 }, shared, { ranks, shards: 4, buckets: 1 }).seconds;
    expect(at(1) / at(2)).toBeCloseTo(2, 9);
    expect(at(2) / at(4)).toBeCloseTo(1, 9);
  });
});

it("pipelines take their simulated schedule and what goes over the boundaries", () => {
  const cost = { forward: 1, backwardInput: 1, backwardWeight: 1, kept: 7, transfer: 0 };
  const schedule = parallel.pipelineSchedule("1f1b", { stages: 4, microBatches: 8 });
  const question = { schedule, costs: [cost, cost, cost, cost], sends: [0, 0, 0, 0], copies: 1, largest: 0.25 };
  const still = { ...machine, latency: 1e-30 };
  const { seconds, kept, held } = predictPipeline({ ...work, update: 0 }, still, question);
  expect(seconds).toBeCloseTo(3 * (8 + 3), 9);
  expect(kept).toBe(4 * 7);
  expect(held).toBe((4e6 * (2 + 2)) / 4); // weights, gradients and two states of a quarter
});

it("parallel.plan lists strategies and says what pays", { timeout: 60_000 }, async () => {
  const set = data.fromArrays({ x: array(new Float32Array(256), [64, 4]), y: array(new Float32Array(64), [64, 1]) });
  const model = nn.sequential(nn.linear(4, 16), nn.relu(), nn.linear(16, 1));
  const run = { loss: loss.mse(), optimizer: optim.adam({ lr: 1e-3 }), batchSize: 64 };
  const plan = await parallel.plan(model, set, run, { ranks: 4, latency: 1, bandwidth: 1e9 });
  expect(plan.pays).toBe(1); // a message takes a second
  expect(String(plan)).toMatch(/^strategy +a step +messages .*more than 1 rank does not pay/s);
  const names = plan.predictions.map(({ strategy }) => strategy);
  expect(names).toEqual(expect.arrayContaining(["data 1", "data 4", "pipeline 2 × data 2, 1f1b"]));
  const held = plan.predictions.find(({ strategy }) => strategy === "data 1")!.held;
  expect(held).toBe(16 * (4 * 16 + 16 + 16 + 1));
  await expect(parallel.plan(model, set, run, { ranks: 0 })).rejects.toThrow("ranks must be a whole number from 1");
});

it("parallel.chromeTrace gives complete events in microseconds", () => {
  const { timeline } = parallel.simulate(parallel.pipelineSchedule("gpipe", { stages: 2, microBatches: 1 }));
  const { traceEvents } = JSON.parse(parallel.chromeTrace(timeline)) as { traceEvents: Record<string, unknown>[] };
  expect(traceEvents.filter(({ ph }) => ph === "X")).toEqual([
    expect.objectContaining({ name: "F0", tid: 0, ts: 0, dur: 1e6 }),
    expect.objectContaining({ name: "B0", tid: 0, ts: 4e6, dur: 2e6 }),
    expect.objectContaining({ name: "F0", tid: 1, ts: 1e6, dur: 1e6 }),
    expect.objectContaining({ name: "B0", tid: 1, ts: 2e6, dur: 2e6 }),
  ]);
});
