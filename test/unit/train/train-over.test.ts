// Steps one ahead of their reader: the same steps as one by one, whatever ends the loop.
import { describe, expect, it } from "vitest";
import {
  AbortedError,
  array,
  nn,
  NonFiniteError,
  optim,
  schedule,
  seed,
  train,
  type NdArray,
} from "../../../lib/index.js";

type Batch = Record<"x" | "y", NdArray>;

const batches = (count: number, rows = (_: number) => 8): Batch[] =>
  Array.from({ length: count }, (_, i) => ({
    x: array(
      Float32Array.from({ length: rows(i) * 3 }, (_, at) => Math.sin(at + 5 * i)),
      [rows(i), 3],
    ),
    y: array(
      Float32Array.from({ length: rows(i) }, (_, at) => Math.cos(at - i)),
      [rows(i), 1],
    ),
  }));
const poisoned: Batch = { x: array(new Float32Array(24).fill(NaN), [8, 3]), y: batches(1)[0]!.y };

function made() {
  seed(3);
  const model = nn.sequential(nn.linear(3, 16), nn.dropout(0.2), nn.relu(), nn.linear(16, 1));
  const rule = optim.adamW({ lr: schedule.cosine({ peak: 0.05 }), clipNorm: 1 });
  const step = train.step(model, rule, ({ x, y }) => model.forward(x).sub(y).square().mean(), { steps: 40 });
  const weights = () => model.parameters().map((parameter) => parameter.readSync().data);
  return { step, weights };
}

async function oneByOne(list: readonly Batch[]) {
  const { step, weights } = made();
  const metrics = [];
  for (const batch of list) metrics.push(await step.run(batch));
  return { metrics, weights: weights() };
}

async function* later(list: readonly Batch[]) {
  for (const batch of list) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield batch;
  }
}

describe("train.step over batches", () => {
  it.each(["array", "generator", "async generator"])("takes the steps that one by one takes: %s", async (kind) => {
    const list = batches(40, (i) => (i % 7 === 6 ? 5 : 8));
    const expected = await oneByOne(list);
    const { step, weights } = made();
    const source = kind === "array" ? list : kind === "generator" ? list.values() : later(list);
    const metrics = [];
    for await (const figure of step.over(source)) metrics.push(figure);
    expect(metrics).toEqual(expected.metrics);
    expect(weights()).toEqual(expected.weights);
    expect([step.steps, step.bound!.steps]).toEqual([40, 40]);
  });

  it("asks for a batch before it gives the metrics of the one before, and never for more", async () => {
    const { step } = made();
    const seen: string[] = [];
    const source = function* () {
      for (const [i, batch] of batches(4).entries()) {
        seen.push(`batch ${i}`);
        yield batch;
      }
    };
    let i = 0;
    for await (const _ of step.over(source())) seen.push(`metrics ${i++}`);
    expect(seen.join(", ")).toBe("batch 0, batch 1, metrics 0, batch 2, metrics 1, batch 3, metrics 2, metrics 3");
  });

  it("does nothing for no batches", async () => {
    const { step, weights } = made();
    const before = weights();
    for await (const _ of step.over([])) expect.unreachable();
    expect([step.steps, weights()]).toEqual([0, before]);
  });

  it("waits for the step ahead when the loop is left, and closes the source", async () => {
    const { step, weights } = made();
    let closed = false;
    const source = function* () {
      try {
        yield* batches(20);
      } finally {
        closed = true;
      }
    };
    let read = 0;
    for await (const _ of step.over(source())) if (++read === 3) break;
    expect([closed, step.steps]).toEqual([true, 4]);
    const expected = await oneByOne(batches(4));
    expect(weights()).toEqual(expected.weights);
    expect((await step.run(batches(5)[4]!)).loss).toBeGreaterThan(0);
    expect(step.steps).toBe(5);
  });

  it("takes no step after one that is not finite", async () => {
    const { step, weights } = made();
    const list = batches(6);
    const losses: number[] = [];
    const loop = async () => {
      for await (const { loss } of step.over([...list.slice(0, 3), poisoned, ...list.slice(3)])) losses.push(loss);
    };
    await expect(loop()).rejects.toThrow(NonFiniteError);
    const expected = await oneByOne(list.slice(0, 3));
    expect(losses).toEqual(expected.metrics.map(({ loss }) => loss));
    expect(weights()).toEqual(expected.weights);
    expect(step.steps).toBe(4); // with the one that failed, as with run
  });

  it.each([
    ["the source", () => { throw new Error("no more disk") }, /no more disk/],
    ["a batch", () => ({ x: 3 }) as never, /"x" must be an array/],
  ] as const)("tells of an error of %s after the metrics before it", async (_, bad, message) => {
    const { step, weights } = made();
    const source = function* (): Generator<Batch> {
      yield* batches(2);
      yield bad();
      yield* batches(9);
    };
    let read = 0;
    const loop = async () => {
      for await (const _ of step.over(source())) read++;
    };
    await expect(loop()).rejects.toThrow(message);
    expect([read, step.steps]).toEqual([2, 2]);
    expect(weights()).toEqual((await oneByOne(batches(2))).weights);
  }); // prettier-ignore

  it("begins nothing after a first batch that is none", async () => {
    const { step } = made();
    await expect(step.over([{ x: 3 } as never, ...batches(3)]).next()).rejects.toThrow(/"x" must be an array/);
    expect(step.steps).toBe(0);
  });

  it("stops at its signal, and the steps can go on", async () => {
    const { step } = made();
    const aborter = new AbortController();
    let read = 0;
    const loop = async () => {
      for await (const _ of step.over(batches(1000), { signal: aborter.signal })) if (++read === 5) aborter.abort();
    };
    await expect(loop()).rejects.toThrow(AbortedError);
    expect(read).toBeLessThan(8);
    const begun = step.steps;
    expect(begun).toBeLessThan(9);
    await step.run(batches(1)[0]!);
    expect(step.steps).toBe(begun + 1);
  });

  it("refuses what is not to be iterated over", () => {
    const { step } = made();
    const [one] = batches(1);
    expect(() => step.over(one as never)).toThrow(/over takes batches to iterate over/);
    expect(() => step.over(undefined as never)).toThrow(/for one batch there is run/);
  });
});
