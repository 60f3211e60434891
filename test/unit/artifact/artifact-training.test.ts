// A loaded model trains on as the one that was saved: the same bits, step for step.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { array, artifact, compile, loss, nn, ops, optim, prune, seed, train, type Tensor } from "../../../lib/index.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-training-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const n = 70; // the last batch of 32 is short
const numbers = (shape: number[]) =>
  array(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 1.7) * 2),
    shape,
  );
const y = array(
  Int32Array.from({ length: n }, (_, i) => (i * 7) % 3),
  [n],
);

class Noisy extends nn.Module {
  inner = nn.linear(6, 3);
  forward(x: Tensor) {
    return this.inner.forward(x.trace.training ? x.add(ops.uniform(x.shape, { low: -0.1, high: 0.1 })) : x);
  }
}

const models: [string, number[], () => nn.Module][] = [
  ["batch norm and dropout", [6], () => nn.sequential(nn.linear(6, 16), nn.batchNorm(16), nn.relu(), nn.dropout(0.3), nn.linear(16, 3))],
  ["convolutions with batch norms", [2, 6, 6], () => nn.sequential(nn.conv2d(2, 4, { kernel: 3 }), nn.batchNorm(4, { momentum: 0.2 }), nn.relu(), nn.dropout(0.2), nn.flatten(), nn.linear(64, 3), nn.dropout(0.1))],
  ["a transformer block with dropout", [4, 8], () => nn.sequential(nn.transformerBlock({ dim: 8, heads: 2, hidden: 16 }), nn.dropout(0.5), nn.flatten(), nn.linear(32, 3))],
  ["noise of its own", [6], () => new Noisy()],
  ["nothing of the kind", [6], () => nn.sequential(nn.linear(6, 8), nn.tanh(), nn.linear(8, 3))],
]; // prettier-ignore

const recipe = {
  loss: loss.crossEntropy(),
  optimizer: optim.adamW({ lr: 1e-2, clipNorm: 1 }),
  batchSize: 32,
  epochs: 3,
  seed: 5,
};

describe("a loaded model trains on as the saved one", () => {
  it.each(models)("%s", async (name, shape, make) => {
    seed(4);
    const model = make();
    const set = { x: numbers([n, ...shape]), y };
    await train.fit(model, set, recipe);
    const path = join(folder, name.replaceAll(" ", "-"));
    await artifact.save(model, path);
    const loaded = await artifact.loadModel(path);
    expect((await train.predict(loaded, set.x)).data).toEqual((await train.predict(model, set.x)).data);
    // Saved and loaded once more, it is still the same.
    await artifact.save(loaded, `${path}-again`);
    const twice = await artifact.loadModel(`${path}-again`);
    const further = { ...recipe, seed: 6 };
    for (const each of [model, loaded, twice]) await train.fit(each, set, further);
    const bits = (each: nn.Module) =>
      new Map(each.namedParameters().map(({ name: key, parameter }) => [key, parameter.readSync().data]));
    const want = bits(model);
    for (const each of [loaded, twice])
      for (const [key, values] of bits(each)) expect(values, key).toEqual(want.get(key));
    expect([...bits(loaded).keys()]).toEqual([...want.keys()]);
  });

  it("statistics stay what no optimizer changes, and one value a channel is refused", async () => {
    const model = nn.sequential(nn.linear(6, 4), nn.batchNorm(4));
    await artifact.save(model, join(folder, "statistics"), { input: { dtype: "f32", shape: [6] } });
    const loaded = await artifact.loadModel(join(folder, "statistics"));
    expect(loaded.unfreeze().size).toBe(model.size);
    const one = { x: numbers([1, 6]), y: numbers([1, 4]) };
    await expect(train.fit(loaded, one, { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.1 }) })).rejects.toThrow(
      /one value a channel has no variance to train with/,
    );
  });

  it("a shrunk loaded model trains on with its dropout and statistics", async () => {
    seed(4);
    const model = nn.sequential(nn.linear(6, 16), nn.batchNorm(16), nn.relu(), nn.dropout(0.3), nn.linear(16, 3));
    await artifact.save(model, join(folder, "wide"), { input: { dtype: "f32", shape: [6] } });
    const loaded = await artifact.loadModel(join(folder, "wide"));
    const options = { structured: "neurons", amount: 0.5, input: { dtype: "f32", shape: [6] } } as const;
    const [small, other] = [await prune(model, options), await prune(loaded, options)];
    const set = { x: numbers([n, 6]), y };
    for (const each of [small, other]) await train.fit(each, set, recipe);
    expect((await train.predict(other, set.x)).data).toEqual((await train.predict(small, set.x)).data);
  });

  it("says what was left out where training has no formula for the batch", async () => {
    const odd = nn.sequential(
      nn.linear(6, 3),
      (x: Tensor) => (x.trace.training ? x.mul(1 / (1 + x.shape[0]! ** 2)) : x), // 1 / (1 + B²)
    );
    await artifact.save(odd, join(folder, "odd"), { input: { dtype: "f32", shape: [6] } });
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    try {
      const loaded = await artifact.loadModel(join(folder, "odd"));
      expect(String(warned.mock.calls[0]?.[0])).toMatch(
        /what the model does in training alone was not saved \(.*changes with the batch size.*\); it trains as it predicts/,
      );
      const x = numbers([4, 6]);
      const run = (model: nn.Module) => compile((t: Tensor) => nn.call(model, t)).runSync(x);
      expect(run(loaded).data).toEqual(run(odd).data);
    } finally {
      warned.mockRestore();
    }
  });
});
