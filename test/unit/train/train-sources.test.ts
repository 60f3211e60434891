// Training, evaluation, pruning and calibration on sources of samples: what they do on the same samples in memory, from any checkpoint
// on, and what they say of sources that break their word.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, data, loss, metrics, nn, optim, prune, quantize, train } from "../../../lib/index.js";
import type { BatchSource, Chunk } from "../../../lib/data/index.js";
import { counted, uneven } from "../data/sample-sources.js";

let dir: string;
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), "sources-"))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const build = () => nn.sequential(nn.linear(2, 8), nn.tanh(), nn.linear(8, 3));
const options = { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.02 }), batchSize: 8, epochs: 3, seed: 3 };
const weights = (model: nn.Module) => model.parameters().map((parameter) => [...parameter.readSync().data]);
const start = build();

describe("train.fit on a source", () => {
  it("takes the steps that it takes on the same samples in memory", async () => {
    const [a, b] = [start.clone(), start.clone()];
    const memory = await train.fit(a, counted(100), { ...options, shuffle: false, validate: { on: counted(30), metrics: { accuracy: metrics.accuracy() } } }); // prettier-ignore
    const source = await train.fit(b, data.stream(counted(100)), { ...options, validate: { on: data.stream(counted(30)), metrics: { accuracy: metrics.accuracy() } } }); // prettier-ignore
    expect(weights(b)).toEqual(weights(a));
    const plain = (history: typeof memory.history) => history.map(({ metrics, steps }) => ({ metrics, steps }));
    expect(plain(source.history)).toEqual(plain(memory.history));
  });

  it("takes a length in steps where nobody knows how many samples there are", async () => {
    const source = uneven(100).filter(() => true);
    const model = start.clone();
    const result = await train.fit(model, source, { ...options, epochs: undefined, steps: 30, validate: { on: source } });
    expect(result.history.map(({ epoch, steps }) => [epoch, steps])).toEqual([[0, 13], [1, 26], [2, 30]]); // prettier-ignore
    expect(result.validations.map(({ steps }) => steps)).toEqual([13, 26, 30]);
    const other = start.clone();
    await train.fit(other, uneven(100), { ...options, epochs: undefined, steps: 30 });
    expect(weights(model)).toEqual(weights(other));
    expect(() => train.fit(start.clone(), source, options)).toThrow(/give the length of the run in steps, or count them once/);
  }); // prettier-ignore

  it.each([1, 7, 13, 16, 26, 39])("goes on from a checkpoint at step %d to the same bits", async (every) => {
    for (const [at, make] of [() => uneven(100).shuffle(40), () => uneven(100).filter(() => true, "all")].entries()) {
      const folder = join(dir, `resume-${every}-${at}`);
      const run = (extra: object) => {
        const model = start.clone();
        return train.fit(model, make(), { ...options, epochs: undefined, steps: 39, ...extra }).then(() => weights(model)); // prettier-ignore
      };
      const whole = await run({ checkpoint: { dir: folder, every, keep: 1000 } });
      expect(await run({ resume: join(folder, `step-${String(every).padStart(9, "0")}`) })).toEqual(whole);
    }
  });

  const told = (rows: number, name: string, chunk: (from: number) => void | Promise<void>) =>
    data.fromGenerator({ x: { dtype: "f32", shape: [2] }, y: { dtype: "i32", shape: [] }, name, length: rows }, async function* () {
      const all = counted(rows);
      for (let from = 0; from < rows; from += 10) {
        await chunk(from);
        yield { x: array(all.x.data.slice(2 * from, 2 * from + 20), [10, 2]), y: array(all.y.data.slice(from, from + 10), [10]) };
      }
    }); // prettier-ignore

  it("waits for a source that is slow: the same bits", async () => {
    const slow = told(100, "slow", () => new Promise((resolve) => setTimeout(resolve, 3)));
    const [a, b] = [start.clone(), start.clone()];
    await train.fit(a, counted(100), { ...options, shuffle: false });
    await train.fit(b, slow, options);
    expect(weights(b)).toEqual(weights(a));
  });

  it("lets a source that is fast wait: two buffers of 128 steps are read ahead, and no more", async () => {
    let read = 0;
    let most = 0;
    const fast = told(20_000, "fast", (from) => {
      read = from + 10;
    });
    await train.fit(start.clone(), fast, {
      ...options,
      epochs: 1,
      callbacks: {
        onStep: async ({ index }) => {
          most = Math.max(most, read - (index + 1) * 8);
          if (index % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
        },
      },
    });
    expect(read).toBe(20_000);
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThanOrEqual(2 * 128 * 8 + 10);
  });

  it("refuses a checkpoint of other samples", async () => {
    const folder = join(dir, "other");
    await train.fit(start.clone(), uneven(64), { ...options, checkpoint: { dir: folder } });
    await expect(
      train.fit(start.clone(), uneven(64).shuffle(8), { ...options, checkpoint: { dir: folder }, resume: "auto" }),
    ).rejects.toThrow(/data: content was/);
  });

  it("is given up while it waits for samples", async () => {
    const stuck = data.fromGenerator(
      { x: { dtype: "f32", shape: [2] }, y: { dtype: "i32", shape: [] }, name: "stuck", length: 100 },
      async function* () {
        yield counted(10);
        await new Promise(() => undefined);
      },
    );
    await expect(
      train.fit(start.clone(), stuck, { ...options, signal: AbortSignal.timeout(100) }),
    ).rejects.toMatchObject({ name: "AbortError" });
    const run = train.fit(start.clone(), stuck, { ...options, batchSize: 4 });
    for await (const step of run) if (step.index === 1) break;
    expect((await run).stopped).toBe("break");
  });

  it.each<[string, () => Iterable<Chunk>, RegExp]>([
    ["throws", function* () { yield counted(8); throw new Error("the disk is gone"); }, /the disk is gone/],
    ["gives nothing", function* () {}, /gave no sample in epoch 0/],
    ["gives another shape", function* () { yield { x: array([1, 2, 3], [1, 3]), y: array(Int32Array.of(0)) }; }, /x is f32 \[n, 2\].*gave x f32 \[1, 3\]/],
    ["gives uneven columns", function* () { yield { x: array([1, 2], [1, 2]), y: array(Int32Array.of(0, 1)) }; }, /as many rows in x and y/],
    ["gives NaN", function* () { yield { x: array([1, NaN], [1, 2]), y: array(Int32Array.of(0)) }; }, /NaN/],
    ["gives no arrays", function* () { yield [1] as never; }, /must give \{ x, y \}/],
  ])("rejects with a sentence where the source %s", async (_, generate, says) => {
    const source = data.fromGenerator({ x: { dtype: "f32", shape: [2] }, y: { dtype: "i32", shape: [] }, name: "bad", length: 16 }, generate);
    await expect(train.fit(start.clone(), source, options)).rejects.toThrow(says);
  }); // prettier-ignore

  it("says that shuffle is the source's own business", () => {
    expect(() => train.fit(start.clone(), uneven(20), { ...options, shuffle: true })).toThrow(
      /source\.shuffle\(10_000\)/,
    );
  });
});

describe("others that take a source", () => {
  it("evaluate: the metrics of the same samples in memory", async () => {
    const how = { loss: loss.crossEntropy(), metrics: { accuracy: metrics.accuracy(), matrix: metrics.confusionMatrix() }, batchSize: 7 }; // prettier-ignore
    const [memory, source] = [
      await train.evaluate(start, counted(100), how),
      await train.evaluate(start, uneven(100), how),
    ];
    expect(source.accuracy).toBe(memory.accuracy);
    expect(source.matrix).toEqual(memory.matrix);
    const unknown = await train.evaluate(
      start,
      uneven(100).filter(() => true),
      how,
    );
    expect(unknown.loss).toBe(source.loss);
  });

  it("prune: masks of the same samples in memory", async () => {
    const during = { ...options, epochs: 2 };
    const schedule = prune.cubic({ steps: 20, every: 5 });
    const one = await prune(start, { amount: 0.5, criterion: prune.movement, schedule, during: { ...during, data: counted(100), shuffle: false } }); // prettier-ignore
    const other = await prune(start, { amount: 0.5, criterion: prune.movement, schedule, during: { ...during, data: uneven(100).map(({ x, y }, { epoch }) => ({ x: array(x.data.map((v) => Math.fround(v - epoch * 1000)), x.shape), y }), { name: "same" }).take(100) } }); // prettier-ignore
    expect(
      one
        .parameters()[0]!
        .readMask()!
        .reduce((a, b) => a + b),
    ).toBe(8);
    expect(other.parameters()[0]!.readMask()).toEqual(one.parameters()[0]!.readMask());
  });
});

describe("calibration", () => {
  it("takes the first samples of a source: codes as of the same samples in memory", async () => {
    const scheme = quantize.int8({ activations: "static" });
    const codes = async (calibrate: data.Samples | BatchSource) => {
      const packed = await quantize(start, scheme, { calibrate });
      return packed.parameters().map((parameter) => [...parameter.readSync().data]);
    };
    expect(await codes(uneven(100))).toEqual(await codes(counted(100)));
    const masks = async (calibrate: data.Samples | BatchSource) =>
      (await prune(start, { amount: 0.5, criterion: prune.wanda, calibrate }))
        .parameters()
        .map((each) => each.readMask());
    expect(await masks(uneven(100))).toEqual(await masks(counted(100)));
  });
});
