// One rule: what compression reads is finite, or it is refused with the place of the first number that is not.
import { describe, expect, it } from "vitest";
import {
  array,
  distill,
  loss,
  NonFiniteError,
  nn,
  prune,
  quantize,
  seed,
  train,
  optim,
  type NdArray,
  type Tensor,
} from "../../../lib/index.js";
import { random } from "../../ops/value.js";

const draw = random(3);
const normal = (count: number) => Float32Array.from({ length: count }, () => 2 * draw() - 1);
const bad = [NaN, Infinity, -Infinity];

const model = () => {
  seed(1);
  const made = nn.sequential(nn.linear(8, 6), nn.relu(), nn.linear(6, 3));
  made.layers.forEach((layer) => layer instanceof nn.Linear && layer.bias!.write(array(normal(layer.bias!.size))));
  return made;
};
const samples = () => array(normal(300 * 8), [300, 8]);
const set = (x = samples()) => ({ x, y: array(Int32Array.from({ length: 300 }, (_, i) => i % 3)) });

/** A copy of a model's weight or of samples with one element changed. */
function spoil(parameter: { readSync(): NdArray; write(values: NdArray): void }, at: number, value: number): void {
  const values = parameter.readSync();
  values.data[at] = value;
  parameter.write(values);
}

type Attempt = (model: nn.Sequential, x: NdArray) => unknown;

const int8 = quantize.int8();
const dynamic = quantize.int8({ activations: "dynamic" });
const fixed = quantize.int8({ activations: "static" });
const input = { dtype: "f32", shape: [8] } as const;

const compressions: Record<string, Attempt> = {
  "quantize int8": (m) => quantize(m, int8),
  "quantize static": (m, calibrate) => quantize(m, fixed, { integers: "all", calibrate }),
  "quantize static, entropy": (m, calibrate) =>
    quantize(m, fixed, { integers: "all", calibrate, observer: quantize.entropy() }),
  "quantize static, percentile": (m, calibrate) =>
    quantize(m, fixed, { integers: "all", calibrate, observer: quantize.percentile(99) }),
  "quantize static, mse": (m, calibrate) =>
    quantize(m, fixed, { integers: "all", calibrate, observer: quantize.mse() }),
  "quantize static, moving average": (m, calibrate) =>
    quantize(m, fixed, { integers: "all", calibrate, observer: quantize.movingAverage() }),
  "quantize kmeans": (m) => quantize(m, quantize.kmeans()),
  "quantize nf4": (m) => quantize(m, quantize.nf4()),
  "quantize fp8": (m) => quantize(m, quantize.fp8()),
  "quantize gptq": (m, calibrate) => quantize(m, quantize.int4(), { method: quantize.gptq({ calibrate }) }),
  "quantize awq": (m, calibrate) => quantize(m, quantize.int4(), { calibrate, method: quantize.awq() }),
  "quantize smoothQuant": (m, calibrate) =>
    quantize(m, dynamic, { integers: "all", calibrate, method: quantize.smoothQuant() }),
  "quantize biasCorrection": (m, calibrate) => quantize(m, int8, { calibrate, method: quantize.biasCorrection() }),
  "quantize search": (m, calibrate) => quantize.search(m, { schemes: [int8, quantize.int4()], calibrate, bytes: 120 }),
  "quantize.prepare": (m, calibrate) => quantize.prepare(m, fixed, { integers: "all", calibrate, lsq: true }),
  "prune l1": (m) => prune(m, { amount: 0.5 }),
  "prune wanda": (m, x) => prune(m, { amount: 0.5, criterion: prune.wanda, calibrate: set(x) }),
  "prune taylor": (m, x) =>
    prune(m, { amount: 0.5, criterion: prune.taylor, calibrate: set(x), loss: loss.crossEntropy() }),
  "prune.mask": (m) => prune.mask(m, { amount: 0.5 }),
  "prune structured": (m) => prune(m, { structured: "neurons", amount: 0.5, input }),
  "prune structured, taylor": (m, x) => {
    const options = { structured: "neurons", amount: 0.5, input, criterion: prune.taylor } as const;
    return prune(m, { ...options, calibrate: set(x), loss: loss.crossEntropy() });
  },
  "prune.plan": (m) => prune.plan(m, { structured: "neurons", amount: 0.5, input }),
};

const refusal = async (attempt: () => unknown): Promise<unknown> => {
  try {
    await attempt();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
};

describe("weights", () => {
  for (const [name, attempt] of Object.entries(compressions)) {
    it(`${name}: NaN and infinity are refused with the parameter and the place`, async () => {
      for (const value of bad) {
        for (const [layer, at, place] of [
          [0, 19, '"0.weight"[2, 3]'],
          [2, 7, '"2.weight"[1, 1]'],
        ] as const) {
          const spoiled = model();
          spoil((spoiled.layers[layer] as nn.Linear).weight, at, value);
          const thrown = await refusal(() => attempt(spoiled, samples()));
          expect(thrown, `${value} in ${place}`).toBeInstanceOf(NonFiniteError);
          expect((thrown as Error).message).toContain(`${place} is ${value}`);
        }
      }
    });
  }

  it("biases, kept weights and running statistics too; fixed numbers beside may be infinite", async () => {
    const biased = model();
    spoil((biased.layers[2] as nn.Linear).bias!, 1, NaN);
    await expect(quantize(biased, int8, { keep: "2" })).rejects.toThrow(/"2\.bias"\[1\] is NaN/);
    const normed = nn.sequential(nn.linear(4, 3), nn.batchNorm(3));
    const [, statistic] = normed.namedParameters().filter(({ name }) => /running|mean|variance/i.test(name));
    spoil(statistic!.parameter, 2, Infinity);
    await expect(prune(normed, { amount: 0.5 })).rejects.toThrow(/\[2\] is Infinity/);
    const masked = model();
    (masked.layers[2] as nn.Linear).bias!.trainable = false;
    spoil((masked.layers[2] as nn.Linear).bias!, 0, -Infinity);
    expect(await quantize(masked, int8)).toBeInstanceOf(nn.Sequential);
  });

  it("what training left behind: convert and prune.pack look as well", async () => {
    const trained = await quantize.prepare(model(), int8, { lsq: true });
    const step = trained.namedParameters().find(({ name }) => name === "0.weight.step")!.parameter;
    spoil(step, 2, NaN);
    await expect(quantize.convert(trained)).rejects.toThrow(/"0\.weight\.step"\[2, 0\] is NaN/);
    const pruned = await prune(model(), { amount: 0.9 });
    spoil((pruned.layers[0] as nn.Linear).bias!, 4, Infinity);
    await expect(prune.pack(pruned)).rejects.toThrow(/"0\.bias"\[4\] is Infinity/);
  });
});

describe("samples", () => {
  const reading = Object.entries(compressions).filter(([, attempt]) => attempt.length > 1);

  for (const [name, attempt] of reading) {
    it(`${name}: NaN and infinity are refused with the sample`, async () => {
      for (const value of bad) {
        const x = samples();
        x.data[257 * 8 + 5] = value;
        const thrown = await refusal(() => attempt(model(), x));
        expect(thrown).toBeInstanceOf(NonFiniteError);
        expect((thrown as Error).message).toMatch(new RegExp(`x?\\[257, 5\\] is ${value}; drop or fill in sample 257`));
      }
    });
  }

  it("a layer that makes infinity of finite samples is named, with the sample", async () => {
    class Exploding extends nn.Module {
      first = nn.linear(8, 8);
      second = nn.linear(8, 3);
      forward(x: Tensor): Tensor {
        return this.second.forward(this.first.forward(x).exp());
      }
    }
    seed(1);
    const made = new Exploding();
    const x = samples();
    x.data.subarray(290 * 8, 291 * 8).fill(1e4);
    for (const options of [{ method: quantize.gptq() }, { method: quantize.smoothQuant() }]) {
      await expect(quantize(made, dynamic, { calibrate: x, ...options })).rejects.toThrow(
        /the input of the layer of "second\.weight" is NaN or infinite for sample 290 of calibrate/,
      );
    }
  });
});

describe("teachers", () => {
  const student = () => nn.linear(8, 3);

  it("their weights and scores are looked at before they teach", async () => {
    for (const value of bad) {
      const teacher = model();
      spoil((teacher.layers[2] as nn.Linear).weight, 7, value);
      const kd = distill.kd({ teacher });
      expect(() => kd.step(student(), loss.crossEntropy())).toThrow(`the teacher's "2.weight"[1, 1] is ${value}`);
      const options = { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1 }), epochs: 1, distill: kd };
      await expect(train.fit(student(), set(), options).result).rejects.toThrow(NonFiniteError);
      const cached = distill.cached(teacher, { batchSize: 64 });
      const thrown = await refusal(() => cached.scores(samples()));
      expect(thrown).toBeInstanceOf(NonFiniteError);
      expect((thrown as Error).message).toMatch(/the teacher's scores\[0, 1\] is .*; sample 0 is where it stands/);
    }
  });
});

describe("hyper-parameters", () => {
  const x = samples();
  const attempts: Record<string, (value: number) => unknown> = {
    "smoothQuant alpha": (alpha) => quantize.smoothQuant({ alpha }),
    "awq grid": (grid) => quantize.awq({ grid }),
    "gptq damp": (damp) => quantize.gptq({ damp }),
    "movingAverage rate": (rate) => quantize.movingAverage({ rate }),
    percentile: (percent) => quantize.percentile(percent),
    "intN bits": (bits) => quantize.intN(bits),
    "int4 group": (group) => quantize.int4({ group }),
    "int8 per": (per) => quantize.int8({ per }),
    "kmeans entries": (entries) => quantize.kmeans({ entries }),
    "apot bits": (bits) => quantize.apot({ bits }),
    batchSize: (batchSize) => quantize(model(), fixed, { integers: "all", calibrate: x, batchSize }),
    "search bytes": (bytes) => quantize.search(model(), { schemes: [int8], calibrate: x, bytes }),
    "search least": (least) =>
      quantize.search(model(), { schemes: [int8], calibrate: x, least, score: () => Promise.resolve(1) }),
    "search score": (score) =>
      quantize.search(model(), { schemes: [int8], calibrate: x, least: 1, score: () => Promise.resolve(score) }),
    "observer's range": (high) =>
      quantize(model(), fixed, { integers: "all", calibrate: x, observer: { name: "mine", choose: () => [0, high] } }),
    "prune amount": (amount) => prune(model(), { amount }),
    "prune amounts": (amount) => prune(model(), { amount: { "0": amount } }),
    "structured amount": (amount) => prune.plan(model(), { structured: "neurons", amount, input }),
    roundTo: (roundTo) => prune.plan(model(), { structured: "neurons", amount: 0.5, roundTo, input }),
    seed: (value) => prune(model(), { amount: 0.5, seed: value }),
    "cubic steps": (steps) => prune.cubic({ steps }),
    "cubic initial": (initial) => prune.cubic({ steps: 10, initial }),
    "lottery rounds": (rounds) => prune.lottery({ rounds }),
    temperature: (temperature) => distill.kd({ teacher: model(), temperature }),
    alpha: (alpha) => distill.kd({ teacher: model(), alpha }),
    teacherWeights: (weight) => distill.kd({ teacher: [model(), model()], teacherWeights: [1, weight] }),
    "ema decay": (decay) => distill.ema({ decay }),
    "optim clipNorm": (clipNorm) => optim.sgd({ clipNorm }),
  };

  for (const [name, attempt] of Object.entries(attempts)) {
    it(`${name}: NaN is refused, and called NaN`, async () => {
      const thrown = await refusal(() => attempt(NaN));
      expect(thrown).toBeInstanceOf(Error);
      expect((thrown as { code?: string }).code).toMatch(/^ERR_ATHANOR_(ARGUMENT|NONFINITE)$/);
      expect((thrown as Error).message).toContain("NaN");
      expect((thrown as Error).message).not.toContain("null");
    });
  }
});
