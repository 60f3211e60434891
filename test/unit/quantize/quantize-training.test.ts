// Quantization-aware training: straight-through and LSQ gradients by their formulas, training that mends what rounding broke, packing
// that changes nothing; mixed precision; and what is refused.
import { describe, expect, it } from "vitest";
import {
  array,
  compile,
  data,
  loss,
  nn,
  optim,
  quantize,
  seed,
  train,
  type NdArray,
  type Tensor,
} from "../../../lib/index.js";
import { FakeQuantizedParametrization } from "../../../lib/quantize/fake-quantized-parametrization.js";
import { currentTrace } from "../../../lib/tensor/trace.js";
import { random } from "../../ops/value.js";

const draw = random(31);
const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
const normals = (...shape: number[]): NdArray =>
  array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, normal), shape);

const halfEven = (x: number): number => {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (Math.abs(low) % 2) : Math.round(x);
};

/** d(Σ c · weight) with respect to the master copy and to the parts, by name. */
async function gradientsOf(layer: nn.Linear, c: NdArray): Promise<Record<string, NdArray>> {
  const named = { weight: layer.weight, ...layer.weight.parametrization!.parts };
  const f = compile((factor: Tensor) => {
    const trace = currentTrace("test");
    const loss = layer.weight.tensor().mul(factor).sum();
    const names = Object.keys(named);
    const gradients = trace.gradients(
      loss,
      names.map((name) => trace.parameter(named[name as keyof typeof named])),
    );
    return Object.fromEntries(names.map((name, i) => [name, gradients[i]!]));
  });
  return await f.run(c);
}

describe("gradients", () => {
  const [N, K] = [3, 16];
  it("pass straight through rounding", async () => {
    const c = normals(N, K);
    for (const scheme of [
      quantize.int8(),
      quantize.int4({ group: 8 }),
      quantize.nf4({ group: 8 }),
      quantize.kmeans(),
      quantize.fp8(),
    ]) {
      seed(4);
      const layer = await quantize.prepare(nn.linear(K, N), scheme);
      const { weight } = await gradientsOf(layer, c);
      weight!.data.forEach((g, i) => expect(g).toBeCloseTo(c.data[i]!, 5));
    }
  });

  it("of LSQ steps are g Σ c (round(w/s) − w/s), and g Σ c q at the bounds (Esser et al. 2020)", async () => {
    seed(4);
    const layer = await quantize.prepare(nn.linear(K, N), quantize.intN(4), { lsq: true });
    const { step } = layer.weight.parametrization!.parts as { step: nn.Buffer };
    // A smaller step, so that some weights lie beyond the last code.
    const steps = (await step.read()).data.map((s) => s * 0.6);
    step.write(array(Float32Array.from(steps), [N, 1]));
    const w = (await layer.weight.read()).data;
    const c = normals(N, K);
    const got = await gradientsOf(layer, c);
    const g = 1 / Math.sqrt(K * 7.5);
    let clipped = 0;
    for (let n = 0; n < N; ++n) {
      let want = 0;
      for (let k = 0; k < K; ++k) {
        const [u, factor] = [w[n * K + k]! / Math.fround(steps[n]!), c.data[n * K + k]!];
        const inside = u > -8 && u < 7;
        clipped += Number(!inside);
        want += factor * (inside ? halfEven(u) - u : u <= -8 ? -8 : 7);
        expect(got.weight!.data[n * K + k]).toBeCloseTo(inside ? factor : 0, 5);
      }
      expect(got.step!.data[n]).toBeCloseTo(g * want, 5);
    }
    expect(clipped).toBeGreaterThan(3);
  });
});

/** Points in the plane in four classes, as four arms of a spiral. */
function arms(count: number): data.Dataset {
  const x = new Float32Array(count * 2);
  const y = new Uint8Array(count);
  for (let i = 0; i < count; ++i) {
    y[i] = i % 4;
    const [r, noise] = [0.2 + draw(), 0.1 * normal()];
    const angle = (Math.PI / 2) * y[i]! + 1.5 * r + noise;
    x.set([r * Math.cos(angle), r * Math.sin(angle)], 2 * i);
  }
  return data.fromArrays({ x: array(x, [count, 2]), y: array(y) });
}

describe("training", () => {
  const set = arms(800);
  const fit = (model: nn.Module, lr: number, epochs: number) =>
    train.fit(model, set, {
      loss: loss.crossEntropy(),
      optimizer: optim.adamW({ lr, weightDecay: 0, groups: [{ match: (name) => /[sS]tep$/.test(name), lr: lr / 10 }] }),
      batchSize: 50,
      epochs,
      seed: 1,
    });
  const lossOf = async (model: nn.Module) => (await train.evaluate(model, set, { loss: loss.crossEntropy() })).loss;

  it("mends what rounding to few bits broke, and packing keeps it", async () => {
    seed(7);
    const model = nn.sequential(nn.linear(2, 32), nn.relu(), nn.linear(32, 32), nn.relu(), nn.linear(32, 4));
    await fit(model, 5e-3, 30);
    const float = await lossOf(model);
    const scheme = quantize.intN(2, { per: "channel" });
    const rounded = await lossOf(await quantize(model, scheme));
    for (const lsq of [false, true]) {
      const trained = await quantize.prepare(model, scheme, { lsq });
      await fit(trained, 3e-3, 25);
      const after = await lossOf(trained);
      expect(after - float).toBeLessThan(0.3 * (rounded - float));
      const packed = await quantize.convert(trained);
      expect(await lossOf(packed)).toBeCloseTo(after, 5);
      expect(await lossOf(model)).toBe(float);
    }
  });

  it("with static inputs in integers, LSQ trains their steps as well", async () => {
    seed(8);
    const model = nn.sequential(nn.linear(2, 32), nn.relu(), nn.linear(32, 4));
    await fit(model, 5e-3, 20);
    const scheme = quantize.intN(4, { activations: "static" });
    const trained = await quantize.prepare(model, scheme, { integers: "all", lsq: true, calibrate: set });
    const step = trained.namedParameters().find(({ name }) => name === "2.weight.inputStep")!.parameter;
    const before = (await step.read()).item();
    await fit(trained, 3e-3, 10);
    expect((await step.read()).item()).not.toBe(before);
    expect(await lossOf(await quantize.convert(trained))).toBeCloseTo(await lossOf(trained), 4);
  });

  it("keeps masked weights at zero", async () => {
    seed(9);
    const model = nn.sequential(nn.linear(2, 32), nn.relu(), nn.linear(32, 4));
    const mask = Uint8Array.from({ length: 128 }, (_, i) => Number(i % 3 === 0));
    (model.layers[2] as nn.Linear).weight.setMask(mask);
    const trained = await quantize.prepare(model, quantize.int8({ symmetric: false }));
    await fit(trained, 5e-3, 3);
    const packed = await quantize.convert(trained);
    const values = (await (packed.layers[2] as nn.Linear).weight.read()).data;
    mask.forEach((kept, i) => kept === 0 && expect(Math.abs(values[i]!)).toBe(0));
    expect(values.some((value) => value !== 0)).toBe(true);
  });
});

describe("search", () => {
  const model = () => {
    seed(3);
    return nn.sequential(nn.linear(16, 32), nn.relu(), nn.linear(32, 64), nn.relu(), nn.linear(64, 4));
  };
  const calibrate = normals(64, 16);
  const schemes = [quantize.int8(), quantize.int4(), quantize.intN(2, { per: 32 })];

  it("meets a budget of bytes, the least sensitive weights first", async () => {
    const all = await quantize.search(model(), { schemes, calibrate, bytes: 1e9 });
    expect(all.choices.map(({ scheme }) => scheme.name)).toEqual(["int8", "int8", "int8"]);
    const half = await quantize.search(model(), { schemes, calibrate, bytes: Math.floor(all.bytes * 0.6) });
    expect(half.bytes).toBeLessThanOrEqual(all.bytes * 0.6);
    expect(String(half)).toContain("2.weight");
    const parts = half.model.namedParameters().filter(({ name }) => name.includes("weight."));
    expect(parts.reduce((sum, { parameter }) => sum + parameter.size * { u8: 1, bf16: 2, f32: 4 }[parameter.dtype as "u8"], 0)).toBe(half.bytes); // prettier-ignore
    await expect(quantize.search(model(), { schemes, calibrate, bytes: 100 })).rejects.toThrow(
      /no choice fits 100 bytes; the smallest takes \d+/,
    );
  });

  it("meets a score with the smallest model of its path", async () => {
    const float = model();
    const want = (await train.predict(float, calibrate)).data;
    const score = async (candidate: nn.Module) => {
      const got = (await train.predict(candidate, calibrate)).data as Float32Array;
      return -Math.sqrt(got.reduce((sum, y, i) => sum + (y - want[i]!) ** 2, 0) / got.length);
    };
    const found = await quantize.search(float, { schemes, calibrate, score, least: -0.02 });
    expect(await score(found.model)).toBeGreaterThanOrEqual(-0.02);
    const coarse = await quantize.search(float, { schemes, calibrate, score, least: -10 });
    expect(coarse.choices.every(({ scheme }) => scheme.name === "int2")).toBe(true);
    expect(coarse.bytes).toBeLessThan(found.bytes);
    await expect(quantize.search(float, { schemes, calibrate, score, least: 1 })).rejects.toThrow(
      /even the best schemes score -.*, below 1/,
    );
  });
});

describe("refusals", () => {
  const layer = () => nn.sequential(nn.linear(8, 4));
  it("say what was expected and a way out", async () => {
    const refuses = async (work: () => Promise<unknown>, message: RegExp | string) =>
      expect(Promise.resolve().then(work)).rejects.toThrow(message);
    await refuses(() => quantize(((x: Tensor) => x) as never, quantize.int8()), "expected a module, got function");
    await refuses(() => quantize(layer(), quantize.int8 as never), "such as quantize.int8");
    await refuses(() => quantize(layer(), {} as never), "the scheme must be one of quantize");
    await refuses(() => quantize(layer(), quantize.int8(), { calibrat: 1 } as never), 'did you mean "calibrate"?');
    await refuses(
      () => quantize(layer(), quantize.int8({ activations: "static" })),
      "static activations needs samples; give { calibrate: data.train.take(256) }",
    );
    await refuses(() => quantize(layer(), quantize.int8(), { method: quantize.gptq() }), "gptq needs samples");
    await refuses(
      () => quantize(layer(), quantize.int8(), { method: [quantize.awq(), quantize.smoothQuant()] }),
      "awq and smoothQuant do the same to a layer",
    );
    await refuses(
      () => quantize(nn.sequential(nn.layerNorm(4)), quantize.int8()),
      'there is no weight to quantize; the parameters are "0.weight", "0.bias"',
    );
    await refuses(
      () => quantize(layer(), quantize.int8(), { match: /bias/ }),
      '"0.bias" is f32 [4], only f32 weights of two dimensions or more',
    );
    const packed = await quantize(layer(), quantize.int8());
    await refuses(() => quantize(packed, quantize.int4(), { match: "0.weight" }), '"0.weight" is held as int8 already');
    await refuses(() => quantize.convert(layer()), "the model has no fake-quantized weight");
    await refuses(() => quantize.convert(packed), "the model has packed weights already");
    await refuses(() => quantize(layer(), quantize.int8(), { signal: AbortSignal.abort() }), "quantize: aborted");
    await refuses(
      () => quantize.search(layer(), { schemes: [quantize.int8()], calibrate: normals(2, 8) }),
      "give a budget of bytes, or score and least",
    );
  });

  it("of more products than an integer holds, with what can be done", async () => {
    const wide = nn.sequential(nn.linear(32_769, 1));
    await expect(quantize(wide, quantize.int8({ activations: "dynamic" }), { integers: "all" })).rejects.toThrow(
      '"0.weight" sums 32769 products for an output, and dynamic activations take at most 32768, which fill an integer of 32 bits; take { activations: "float" } for it, or leave it out by keep',
    );
    expect((await quantize(wide, quantize.int8())).parameters()[0]!.dtype).toBe("u8");
  });

  it("of schemes", () => {
    expect(() => quantize.int4({ group: 5 })).toThrow(
      'quantize.int4: a scale is shared per "tensor", "channel" or group of 8, 16, 24, … inputs, got 5',
    );
    expect(() => quantize.intN(9)).toThrow("quantize.intN: bits must be a whole number from 2 to 8, got 9");
    expect(() => quantize.kmeans({ entries: 1 })).toThrow("entries must be a whole number from 2 to 256, got 1");
    expect(() => quantize.int8({ activation: "static" } as never)).toThrow('did you mean "activations"?');
    expect(() => quantize.int8({ activations: "fixed" as never })).toThrow(
      'activations must be one of "float", "dynamic", "static"',
    );
    expect(() => quantize.fp8("e3m4" as never)).toThrow('the format must be one of "e4m3", "e5m2"');
    expect(() => quantize.percentile(20)).toThrow("percent must be above 50");
  });

  it("of a weight that no product takes as rows, for static inputs", async () => {
    class Reversed extends nn.Module {
      inner = nn.linear(8, 4);
      forward(x: Tensor) {
        return x.matmul(this.inner.weight);
      }
    }
    await expect(
      quantize(new Reversed(), quantize.int8({ activations: "static" }), { integers: "all", calibrate: normals(3, 4) }),
    ).rejects.toThrow(/"inner.weight" .*take \{ activations: "float" \}/);
    const held = await quantize(new Reversed(), quantize.int8());
    const y = await train.predict(held, normals(3, 4));
    expect(y.shape).toEqual([3, 8]);
    expect(held.inner.weight.parametrization).not.toBeInstanceOf(FakeQuantizedParametrization);
  });
});
