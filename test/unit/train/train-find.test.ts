// The finders: a learning rate that trains as well as one picked by hand, and the largest batch whose planned memory fits.
import { describe, expect, it } from "vitest";
import { array, data, loss, metrics, nn, optim, seed, train } from "../../../lib/index.js";
import { middleOfFall } from "../../../lib/train/find/learning-rate.js";
import { plotBatchSize, plotLearningRate } from "../../../lib/report/index.js";
import { build, options, recipes } from "../../../examples/digits/recipes.js";

const weights = (model: nn.Module) => model.parameters().map((parameter) => [...parameter.readSync().data]);
const rows = 512;
const blobs = data.fromArrays({
  x: array(
    Float32Array.from({ length: rows * 8 }, (_, i) => Math.sin(i * 12.9898 + (i % 8) * (Math.floor(i / 8) % 3))),
    [rows, 8],
  ),
  y: array(Uint8Array.from({ length: rows }, (_, i) => i % 3)),
});
const mlp = () => {
  seed(1);
  return nn.sequential(nn.linear(8, 64), nn.relu(), nn.linear(64, 3));
};
const tried = { loss: loss.crossEntropy(), optimizer: (lr: (step: number, total: number) => number) => optim.adam({ lr }), batchSize: 32 }; // prettier-ignore

describe("train.findLearningRate", () => {
  it("suggests one for the digits MLP that trains to within 0.2 points of the hand-picked one", async () => {
    const digits = await data.mnist();
    const recipe = recipes[0]!;
    const model = build(recipe, 1);
    const { suggestion } = await train.findLearningRate(model, digits.train, {
      loss: loss.crossEntropy(),
      optimizer: (lr) => optim.adamW({ lr, weightDecay: 0.01, clipNorm: 1 }),
      batchSize: 128,
      seed: 1,
    });
    const trained = async (peakRate: number) => {
      const own = build(recipe, 1);
      const { optimizer } = options({ ...recipe, peakRate }, { on: digits.test }, 1);
      await train.fit(own, digits.train, { loss: loss.crossEntropy(), optimizer, batchSize: 128, epochs: 2, seed: 1 });
      return (await train.evaluate(own, digits.test, { metrics: { accuracy: metrics.accuracy() } })).accuracy;
    };
    const [found, picked] = [await trained(suggestion), await trained(recipe.peakRate)];
    console.log(`suggested ${suggestion.toPrecision(3)}: ${(100 * found).toFixed(2)} %; by hand ${recipe.peakRate}: ${(100 * picked).toFixed(2)} %`); // prettier-ignore
    expect(found).toBeGreaterThan(picked - 0.002);
  });

  it("is half-way down the fall of the losses", () => {
    const rates = Array.from({ length: 100 }, (_, i) => 10 ** (-7 + i / 12));
    const losses = rates.map((_, i) => (i < 40 ? 2 : i <= 60 ? 2 - (i - 40) / 20 : 1 + (i - 60)));
    expect(middleOfFall(rates, losses, 100)).toBe(rates[50]);
  });

  it("leaves the model as it is, and draws what it saw", async () => {
    const model = mlp();
    const before = weights(model);
    const found = await train.findLearningRate(model, blobs, { ...tried, to: 1e4 });
    expect(weights(model)).toEqual(before);
    expect(found.rates).toHaveLength(found.losses.length);
    expect(found.rates[0]).toBe(1e-7);
    expect(found.rates).toContain(found.suggestion);
    const svg = await plotLearningRate(found);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" .*<\/svg>$/s);
    expect(svg).not.toContain("NaN");
  });

  it.each([
    [{ from: 0 }, /from and to must be rates above 0/],
    [{ from: 1, to: 0.1 }, /the first below the second/],
    [{ steps: 5 }, /steps must be 20 or more/],
    [{ optimizer: optim.adam({ lr: 1 }) }, /a function of the learning rate/],
    [{ too: 1 }, /did you mean "to"/],
    [{ from: 1e-9, to: 1e-8 }, /the loss falls at no rate between 1\.0e-9 and 1\.0e-8/],
  ])("refuses %j", async (given, message) => {
    const run = train.findLearningRate(mlp(), blobs, { ...tried, ...(given as object) });
    await expect(run).rejects.toThrow(message);
  });
});

describe("train.findBatchSize", () => {
  const asked = { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 1e-3 }) };

  it("gives the largest batch whose planned memory fits, and grows with the memory", async () => {
    const model = mlp();
    const before = weights(model);
    const largest: number[] = [];
    for (const memory of [100_000, 200_000, 2 ** 21]) {
      const found = await train.findBatchSize(model, blobs, { ...asked, memory, steps: 0 });
      expect(found.tried.every(({ bytes }) => bytes <= memory)).toBe(true);
      expect(found.suggestion).toBe(found.largest);
      largest.push(found.largest);
    }
    expect(largest).toEqual([...largest].sort((a, b) => a - b));
    expect(largest[0]).toBeLessThan(largest[1]!);
    expect(largest[2]).toBe(rows); // all samples
    expect(weights(model)).toEqual(before);
  });

  it("suggests a size that comes to the most samples a second, and draws what it saw", async () => {
    const found = await train.findBatchSize(mlp(), blobs, { ...asked, memory: "1 GiB", steps: 3 });
    const speeds = found.tried.map(({ samplesPerSecond }) => samplesPerSecond!);
    const own = found.tried.find(({ batchSize }) => batchSize === found.suggestion)!;
    expect(own.samplesPerSecond).toBeGreaterThanOrEqual(0.95 * Math.max(...speeds));
    expect(found.tried.map(({ batchSize }) => batchSize)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    expect(await plotBatchSize(found)).toMatch(/<svg xmlns=.*MiB/s);
  });

  it.each([
    [{ memory: 100 }, /a batch of one sample takes \d+ bytes, and memory allows 100/],
    [{ memory: "2 gigs" }, /memory must be a number of bytes or a text such as "2 GiB"/],
    [{ memory: 1e9, steps: -1 }, /steps must be a whole number from 0 on/],
  ])("refuses %j", async (given, message) => {
    await expect(train.findBatchSize(mlp(), blobs, { ...asked, ...(given as { memory: number }) })).rejects.toThrow(
      message,
    );
  });
});
