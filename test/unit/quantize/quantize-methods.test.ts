// Methods and calibration: each method beats rounding to nearest on a layer whose inputs have outlier channels, errors taken against
// float64; observers choose the ranges that their definitions say.
import { describe, expect, it } from "vitest";
import {
  array,
  compile,
  nn,
  quantize,
  seed,
  train,
  type NdArray,
  type Scheme,
  type Tensor,
} from "../../../lib/index.js";
import type { Method } from "../../../lib/quantize/methods.js";
import { inputSteps, type Histogram } from "../../../lib/quantize/observers.js";
import { random } from "../../ops/value.js";

const draw = random(23);
const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());

/** Inputs [rows, K]: correlated by eight common factors, every sixteenth channel thirty times the others. */
function outliers(rows: number, K: number, factors: Float64Array): NdArray {
  const x = new Float32Array(rows * K);
  for (let n = 0; n < rows; ++n) {
    const common = Array.from({ length: 8 }, normal);
    for (let k = 0; k < K; ++k) {
      const shared = common.reduce((sum, z, f) => sum + z * factors[k * 8 + f]!, 0);
      x[n * K + k] = (0.6 * shared + 0.5 * normal()) * (k % 16 === 5 ? 30 : 1);
    }
  }
  return array(x, [rows, K]);
}

const [K, N] = [96, 40];
const factors = Float64Array.from({ length: K * 8 }, normal);
const calibrate = outliers(256, K, factors);
const fresh = outliers(200, K, factors);

/** Σ (y − y₆₄)² / Σ y₆₄² over fresh inputs, y₆₄ the product of the float weights in float64. */
async function errorOf(scheme: Scheme, method?: Method | readonly Method[]): Promise<number> {
  seed(2);
  const layer = nn.linear(K, N);
  const w = (await layer.weight.read()).data;
  const b = (await layer.bias!.read()).data;
  const small = await quantize(layer, scheme, { integers: "all", calibrate, ...(method && { method }) });
  const y = await compile((x: Tensor) => small.forward(x)).run(fresh);
  let [error, size] = [0, 0];
  for (let m = 0; m < 200; ++m) {
    for (let n = 0; n < N; ++n) {
      let want = b[n]!;
      for (let k = 0; k < K; ++k) want += fresh.data[m * K + k]! * w[n * K + k]!;
      error += (y.data[m * N + n]! - want) ** 2;
      size += want ** 2;
    }
  }
  return error / size;
}

describe("methods on a layer with outlier channels", () => {
  const integers = quantize.int8({ activations: "dynamic", per: "channel" });
  const four = quantize.int4({ group: 32 });
  const three = quantize.intN(3, { per: "channel" });
  const tables = quantize.nf4({ group: 32 });

  it("smoothQuant beats rounding to nearest where inputs are integers", async () => {
    const nearest = await errorOf(integers);
    expect(await errorOf(integers, quantize.smoothQuant())).toBeLessThan(0.5 * nearest);
    const fixed = quantize.int8({ activations: "static" });
    expect(await errorOf(fixed, quantize.smoothQuant())).toBeLessThan(0.8 * (await errorOf(fixed)));
  });

  it("awq beats rounding to nearest where weights have few bits", async () => {
    for (const scheme of [four, three, tables, quantize.apot()]) {
      expect(await errorOf(scheme, quantize.awq())).toBeLessThan(0.7 * (await errorOf(scheme)));
    }
  });

  it("gptq beats rounding to nearest in every format", async () => {
    for (const scheme of [four, three, tables, quantize.kmeans({ entries: 16 }), quantize.int4({ symmetric: false })]) {
      const nearest = await errorOf(scheme);
      expect(await errorOf(scheme, quantize.gptq())).toBeLessThan(0.5 * nearest);
      expect(await errorOf(scheme, quantize.gptq({ actOrder: false }))).toBeLessThan(0.7 * nearest);
    }
  });

  it("methods of different kinds go together", async () => {
    const both = await errorOf(three, [quantize.awq(), quantize.gptq(), quantize.biasCorrection()]);
    expect(both).toBeLessThan(await errorOf(three, quantize.awq()));
    expect(await errorOf(three, quantize.rtn())).toBe(await errorOf(three));
  });
});

describe("methods on convolutions", () => {
  it("work on windows of the input, group by group, and correct biases", async () => {
    seed(5);
    const model = nn.sequential(
      nn.conv2d(4, 8, { kernel: 3, padding: 1, groups: 2 }),
      nn.relu(),
      nn.conv2d(8, 8, { kernel: 3, stride: 2 }),
    );
    const images = array(Float32Array.from({ length: 64 * 4 * 64 }, (_, i) => normal() * (i % 256 < 64 ? 20 : 1)), [64, 4, 8, 8]); // prettier-ignore
    const want = (await train.predict(model, images)).data;
    const error = async (method: Method | readonly Method[]) => {
      const small = await quantize(model, quantize.intN(3), { calibrate: images, method });
      const got = (await train.predict(small, images)).data as Float32Array;
      return got.reduce((sum, y, i) => sum + (y - want[i]!) ** 2, 0);
    };
    const nearest = await error(quantize.rtn());
    // Eighteen weights an output leave GPTQ little to make up with.
    expect(await error(quantize.gptq())).toBeLessThan(0.85 * nearest);
    expect(await error(quantize.awq())).toBeLessThan(0.9 * nearest);
    expect(await error(quantize.smoothQuant())).toBeLessThan(nearest);
    expect(await error(quantize.biasCorrection())).toBeLessThan(nearest);
  });

  it("bias correction leaves no mean error in a layer's result", async () => {
    seed(6);
    const layer = nn.linear(K, N);
    const positive = array(Float32Array.from(calibrate.data, Math.abs), calibrate.shape); // as a ReLU leaves them
    const method = quantize.biasCorrection();
    const small = await quantize(layer, quantize.intN(2), { calibrate: positive, method });
    const difference = compile((x: Tensor) => small.forward(x).sub(layer.forward(x)).mean(0));
    const largest = Math.max(...Array.from((await difference.run(positive)).data, Math.abs));
    expect(largest).toBeLessThan(1e-4);
    const plain = await quantize(layer, quantize.intN(2));
    const before = compile((x: Tensor) => plain.forward(x).sub(layer.forward(x)).mean(0));
    expect(Math.max(...Array.from((await before.run(positive)).data, Math.abs))).toBeGreaterThan(0.01);
  });

  it("bias correction leaves a bias whose mean error is what chance gives", async () => {
    seed(6);
    const layer = nn.linear(K, N); // inputs have the mean 0, so errors have
    const want = layer.bias!.readSync().data;
    for (const samples of [calibrate, array(calibrate.data.slice(0, K), [1, K])]) {
      const method = quantize.biasCorrection();
      const small = await quantize(layer, quantize.intN(2), { calibrate: samples, method });
      expect(small.bias!.readSync().data).toEqual(want);
      expect(quantize.report(small)!.notes[0]).toMatch(
        /0?weight: biasCorrection: the mean error of its result is no more than chance gives/,
      );
    }
  });
});

describe("observers", () => {
  const counts = new Float64Array(2048);
  // A triangle between 0 and 1 and a thousandth of the mass at 10.
  for (let bin = 0; bin < 204; ++bin) counts[bin] = 204 - bin;
  counts[2047] = 21;
  const histogram: Histogram = { range: [0, 10], counts };

  it("choose the range that their definitions say", () => {
    expect(quantize.minMax().choose).toBeUndefined();
    expect(quantize.movingAverage({ rate: 0.25 }).follow!([-1, 1], [-5, 3])).toEqual([-2, 1.5]);
    const [low, high] = quantize.percentile(99).choose!(histogram);
    expect(low).toBe(0);
    expect(high).toBeGreaterThan(0.85);
    expect(high).toBeLessThan(1);
    expect(quantize.percentile(100).choose!(histogram)).toEqual([0, 10]);
  });

  it("entropy: even values keep their range, long tails do not", () => {
    const even: Histogram = { range: [-1, 1], counts: new Float64Array(2048).fill(3) };
    expect(quantize.entropy().choose!(even)).toEqual([-1, 1]);
    const tails = Float64Array.from({ length: 2048 }, (_, bin) => 1e6 * Math.exp(-Math.abs(bin - 1023.5) / 50));
    const [low, high] = quantize.entropy().choose!({ range: [-20, 20], counts: tails });
    expect(high).toBeLessThan(15);
    expect(high).toBeGreaterThan(3);
    expect(low).toBeCloseTo(-high, 9);
  });

  it("entropy: values that many inputs share do not narrow the range", () => {
    // Half normal, with a spike at each of sixteen values, as ReLU and constant backgrounds leave them.
    const spiked = Float64Array.from({ length: 2048 }, (_, bin) => 500 * Math.exp(-((bin / 700) ** 2)) + (bin % 40 === 7 && bin < 640 ? 60_000 : 0)); // prettier-ignore
    expect(quantize.entropy().choose!({ range: [0, 2], counts: spiked })[1]).toBeGreaterThan(1);
  });

  it("mse: no other range of its grid has a smaller squared error", () => {
    const cost = (top: number) =>
      counts.reduce((sum, count, bin) => {
        const x = (10 * (bin + 0.5)) / 2048;
        return sum + count * (x - Math.min(top, Math.round((x * 255) / top) * (top / 255))) ** 2;
      }, 0);
    const [, high] = quantize.mse().choose!(histogram);
    const least = Math.min(...Array.from({ length: 96 }, (_, i) => cost((5 + i) / 10)));
    expect(cost(high)).toBeCloseTo(least, 6);
  });

  it("see the inputs of their layer: ranges become scales and zero points", async () => {
    seed(1);
    const model = nn.sequential(nn.linear(4, 3), nn.relu(), nn.linear(3, 2));
    const x = array(Float32Array.from({ length: 40 }, normal), [10, 4]);
    const small = await quantize(model, quantize.int8({ activations: "static" }), {
      integers: "all",
      calibrate: x,
      batchSize: 3,
    });
    const act = await small
      .namedParameters()
      .find(({ name }) => name === "0.weight.act")!
      .parameter.read();
    const [least, most] = [Math.min(0, ...x.data), Math.max(0, ...x.data)];
    expect(act.data[0]).toBe(Math.fround((most - least) / 255));
    expect(act.data[1]).toBe(Math.round(-least / act.data[0]!));
    const hidden = await train.predict(nn.sequential(...(model.layers as nn.Module[]).slice(0, 2)), x);
    const second = await small
      .namedParameters()
      .find(({ name }) => name === "2.weight.act")!
      .parameter.read();
    expect(second.data[0]).toBeCloseTo(Math.max(...hidden.data) / 255, 7);
    expect(second.data[1]).toBe(0);
  });

  it("give steps that hold the range", () => {
    expect(inputSteps([-1, 3])).toEqual({ scale: Math.fround(4 / 255), zero: 64 });
    expect(inputSteps([0, 0])).toEqual({ scale: 1, zero: 0 });
    expect(inputSteps([2, 6]).zero).toBe(0);
  });
});
