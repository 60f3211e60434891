// Pruned weights without their zeros: the same results, the same training, small files.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, artifact, compile, loss, nn, optim, prune, seed, train, type Tensor } from "../../../lib/index.js";

const numbers = (n: number, shift = 0) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.3 + shift));

function cnn(): nn.Sequential {
  seed(3);
  return nn.sequential(
    nn.conv2d(2, 8, { kernel: 3, padding: 1 }),
    nn.relu(),
    nn.conv2d(8, 8, { kernel: 3, stride: 2, groups: 2 }),
    nn.relu(),
    nn.flatten(),
    nn.linear(32, 20),
    nn.tanh(),
    nn.linear(20, 3),
  );
}

const x = array(numbers(12 * 2 * 6 * 6), [12, 2, 6, 6]);
const y = array(numbers(12 * 3, 1), [12, 3]);
const valuesOf = (model: nn.Module) =>
  model.namedWeights().map(({ parameter }) => [...(parameter.readSync().data as Float32Array)]);

/** Largest |a - b| relative to the largest |b|. */
const gap = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / Math.max(...b.map(Math.abs));

describe("prune.pack", () => {
  it("holds the same weights, and gives the same results", async () => {
    const pruned = await prune(cnn(), { amount: 0.8 });
    const packed = await prune.pack(pruned);
    const kinds = packed
      .namedWeights()
      .map(({ name, parameter }) => `${name} ${parameter.parametrization?.kind ?? "f32"}`);
    expect(kinds).toEqual([
      "0.weight sparse",
      "0.bias f32",
      "2.weight sparse",
      "2.bias f32",
      "5.weight sparse",
      "5.bias f32",
      "7.weight sparse",
      "7.bias f32",
    ]);
    expect(valuesOf(packed)).toEqual(valuesOf(pruned));
    const [dense, sparse] = [await train.predict(pruned, x), await train.predict(packed, x)];
    expect(gap([...sparse.data], [...dense.data])).toBeLessThan(1e-6);
    expect(pruned.namedWeights().some(({ parameter }) => parameter.parametrization)).toBe(false);
  });

  it("packs the bits as the format says", async () => {
    const layer = nn.linear(11, 2, { bias: false });
    layer.weight.write(array([1, 0, 3, 0, 0, 0, 0, 8, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 22], [2, 11]));
    layer.weight.setMask(Uint8Array.from(layer.weight.readSync().data, (v) => Number(v !== 0)));
    const { weight } = await prune.pack(layer);
    const { bitmap, values } = weight.parametrization!.parts;
    expect([...bitmap!.readSync().data]).toEqual([0b10000101, 0b10, 0, 0b100]);
    expect([...values!.readSync().data]).toEqual([1, 3, 8, 10, 22]);
    expect([bitmap!.trainable, values!.trainable]).toEqual([false, true]);
  });

  it("trains as the masked model does", async () => {
    const pruned = await prune(cnn(), { amount: 0.7 });
    const packed = await prune.pack(pruned);
    const before = valuesOf(packed);
    const recipe = { loss: loss.mse(), optimizer: optim.adamW({ lr: 0.01, weightDecay: 0.05, clipNorm: 1 }), epochs: 20, batchSize: 6 };
    for (const model of [pruned, packed]) await train.fit(model, { x, y }, recipe);
    const [dense, sparse] = [valuesOf(pruned), valuesOf(packed)];
    sparse.forEach((values, i) => {
      // 40 steps of other roundings: Adam turns those of a small gradient into a part of a step.
      expect(gap(values, dense[i]!)).toBeLessThan(1e-3);
      expect(values.filter((v, at) => v === 0 && before[i]![at] !== 0)).toEqual([]);
      expect(values.filter((v, at) => v !== 0 && before[i]![at] === 0 && before[i]!.some((w) => w === 0))).toEqual([]);
    });
    expect(sparse).not.toEqual(before);
  }); // prettier-ignore

  it("serves uses of the weight that have no sparse kernel, gradients included", async () => {
    const layer = await prune(nn.linear(6, 4, { bias: false }), { amount: 0.5 });
    const packed = await prune.pack(layer);
    const input = array(numbers(3 * 4), [3, 4]);
    const product = (model: typeof layer) => compile((t: Tensor) => t.matmul(model.weight)).run(input);
    expect((await product(packed)).toArray()).toEqual((await product(layer)).toArray());
    using step = train.step(packed, optim.sgd({ lr: 0.1 }), ({ t }: { t: Tensor }) => t.matmul(packed.weight).square().sum());
    using same = train.step(layer, optim.sgd({ lr: 0.1 }), ({ t }: { t: Tensor }) => t.matmul(layer.weight).square().sum());
    for (let i = 0; i < 3; i++) expect((await step.run({ t: input })).loss).toBeCloseTo((await same.run({ t: input })).loss, 5);
  }); // prettier-ignore

  it("counts what is left, and leaves masks that would save nothing", async () => {
    const pruned = await prune(cnn(), { amount: { "0.weight": 0.01, "5.weight": 0.5 } });
    const packed = await prune.pack(pruned);
    const kinds = packed.namedWeights().map(({ parameter }) => parameter.parametrization?.kind);
    expect([kinds[0], kinds[4]]).toEqual([undefined, "sparse"]);
    const [was, is] = [await prune.sparsity(pruned), await prune.sparsity(packed)];
    expect(is.layers).toEqual(was.layers);
  });

  it("leaves tables alone, and refuses a model without masks", async () => {
    const table = await prune(nn.sequential(nn.embedding(16, 8)), { amount: 0.9, match: "0" });
    const packed = await prune.pack(table);
    expect(packed.namedWeights()[0]!.parameter.parametrization).toBeUndefined();
    await expect(prune.pack(cnn())).rejects.toThrow(/prune\.pack: no weight of the model has a mask; prune it first/);
    await expect(prune.pack(((t: Tensor) => t) as never)).rejects.toThrow(/prune\.pack: expected a module/);
  });

  it("is not pruned again, and says what to do", async () => {
    const packed = await prune.pack(await prune(nn.linear(8, 8), { amount: 0.5 }));
    await expect(prune(packed, { amount: 0.9, match: "weight" })).rejects.toThrow(
      /"weight" is held as sparse already; prune the model first, then quantize or pack it/,
    );
  });
});

describe("a packed model on disk", () => {
  let folder = "";
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "athanor-prune-"))));
  afterAll(() => rm(folder, { recursive: true }));

  it("is small, and gives the same results without the code that made it", async () => {
    const model = nn.sequential(nn.linear(256, 256), nn.relu(), nn.linear(256, 10));
    const pruned = await prune(model, { amount: 0.9 });
    const packed = await prune.pack(pruned);
    const input = array(numbers(4 * 256), [4, 256]);
    await train.predict(packed, input);
    await artifact.save(packed, join(folder, "packed"));
    const bytes = (await stat(join(folder, "packed", "weights.safetensors"))).size;
    const dense = 4 * model.size;
    expect(dense / bytes).toBeGreaterThan(6);
    using served = await artifact.load(join(folder, "packed"));
    expect((await served.predict(input)).data).toEqual((await train.predict(packed, input)).data);
  });

  it("can be made of a model that was loaded", async () => {
    const input = array(numbers(4 * 64), [4, 64]);
    const model = nn.sequential(nn.linear(64, 64), nn.relu(), nn.linear(64, 10));
    await train.predict(model, input);
    await artifact.save(model, join(folder, "dense"));
    const loaded = await artifact.loadModel(join(folder, "dense"));
    const calibrate = { x: input, y: array(new Float32Array(4), [4]) };
    const [pruned, own] = await Promise.all(
      [loaded, model].map((m) => prune(m, { amount: 0.75, criterion: prune.wanda, calibrate })),
    );
    expect((await train.predict(pruned!, input)).data).toEqual((await train.predict(own!, input)).data);
    const packed = await prune.pack(pruned!);
    expect((await prune.sparsity(packed)).sparsity).toBe(0.75);
  });
});
