// First weights: bounds and moments by their formulas. A moment of n draws may be off by five of its standard errors.
import { describe, expect, it } from "vitest";
import * as nn from "../../../lib/nn/index.js";
import { Parameter, seed, type Shape } from "../../../lib/tensor/index.js";

const { init } = nn;
const shape = [100, 60, 3, 3]; // fan-in 540, fan-out 900

function drawn(initializer: nn.Initializer, of: Shape = shape) {
  seed(11);
  const data = new Parameter(of, { fill: initializer(of) }).readSync().data as Float32Array;
  const mean = data.reduce((sum, v) => sum + v, 0) / data.length;
  const deviation = Math.sqrt(data.reduce((sum, v) => sum + (v - mean) ** 2, 0) / data.length);
  return { data, mean, deviation, low: Math.min(...data.slice(0, 60_000)), high: Math.max(...data.slice(0, 60_000)) };
}

function evenly(initializer: nn.Initializer, bound: number) {
  const { data, mean, deviation, low, high } = drawn(initializer);
  const error = (5 * bound) / Math.sqrt(3 * data.length);
  expect(Math.abs(mean)).toBeLessThan(error);
  expect(Math.abs(deviation - bound / Math.sqrt(3))).toBeLessThan(error);
  expect(low).toBeGreaterThanOrEqual(-Math.fround(bound));
  expect(low).toBeLessThan(-0.999 * bound);
  expect(high).toBeLessThanOrEqual(Math.fround(bound));
  expect(high).toBeGreaterThan(0.999 * bound);
}

function bell(initializer: nn.Initializer, std: number, mean = 0) {
  const got = drawn(initializer);
  const error = (5 * std) / Math.sqrt(got.data.length);
  expect(Math.abs(got.mean - mean)).toBeLessThan(error);
  expect(Math.abs(got.deviation - std)).toBeLessThan(error);
  // Skewed or flat-topped draws would miss the share within one deviation, 0.6827.
  const within = got.data.filter((v) => Math.abs(v - mean) < std).length / got.data.length;
  expect(Math.abs(within - 0.6827)).toBeLessThan(5 * Math.sqrt(0.2166 / got.data.length));
}

describe("initializers", () => {
  it("constants", () => {
    expect(new Set(drawn(init.zeros()).data)).toEqual(new Set([0]));
    expect(new Set(drawn(init.ones()).data)).toEqual(new Set([1]));
    expect(new Set(drawn(init.constant(-2.5)).data)).toEqual(new Set([-2.5]));
  });

  it("evenly: bounds √(6 / (in + out)), √(6 / in), 1 / √in", () => {
    evenly(init.uniform({ low: -0.5, high: 0.5 }), 0.5);
    evenly(init.xavierUniform(), Math.sqrt(6 / 1440));
    evenly(init.xavierUniform({ gain: 2 }), 2 * Math.sqrt(6 / 1440));
    evenly(init.heUniform(), Math.sqrt(6 / 540));
    evenly(init.heUniform({ mode: "fanOut", slope: 0.5 }), Math.sqrt(6 / (1.25 * 900)));
    evenly(init.pytorchDefault(), 1 / Math.sqrt(540));
  });

  it("Gaussian: deviations √(2 / (in + out)), √(2 / fan)", () => {
    bell(init.normal({ mean: 1, std: 0.25 }), 0.25, 1);
    bell(init.xavierNormal(), Math.sqrt(2 / 1440));
    bell(init.heNormal(), Math.sqrt(2 / 540));
    bell(init.heNormal({ mode: "fanOut" }), Math.sqrt(2 / 900));
  });

  it("truncated at two deviations, which leaves 0.8796 of the deviation", () => {
    const { data, deviation, low, high } = drawn(init.truncatedNormal({ std: 0.5 }));
    expect(low).toBeGreaterThanOrEqual(-1);
    expect(low).toBeLessThan(-0.99);
    expect(high).toBeLessThanOrEqual(1);
    expect(Math.abs(deviation - 0.5 * 0.8796)).toBeLessThan(2.5 / Math.sqrt(data.length));
  });

  it("are known by their other names", () => {
    expect(init.glorotUniform).toBe(init.xavierUniform);
    expect(init.kaimingNormal).toBe(init.heNormal);
  });

  it("check their options", () => {
    expect(() => init.normal({ std: 0 })).toThrow("init.normal: std must be a number above 0, got 0");
    expect(() => init.uniform({ low: 2, high: 1 })).toThrow("init.uniform: low must not be above high, got 2 and 1");
    expect(() => init.heNormal({ mode: "fan_in" as never })).toThrow(
      'init.heNormal: mode must be one of "fanIn", "fanOut", got "fan_in"',
    );
    expect(() => init.xavierNormal({ gian: 1 } as never)).toThrow(
      'init.xavierNormal: unknown option "gian", did you mean "gain"?',
    );
  });
});

describe("defaults of layers, as PyTorch's", () => {
  const largest = (p: Parameter) => Math.max(...p.readSync().data.map(Math.abs));

  it("linear and conv2d: weight and bias within 1 / √fan-in", () => {
    const linear = nn.linear(64, 500);
    const conv = nn.conv2d(16, 400, { kernel: 3, groups: 4 }); // fan-in 36
    for (const [layer, bound] of [
      [linear, 1 / 8],
      [conv, 1 / 6],
    ] as const) {
      for (const p of [layer.weight, layer.bias!]) {
        expect(largest(p)).toBeLessThanOrEqual(Math.fround(bound));
        expect(largest(p)).toBeGreaterThan(0.97 * bound);
      }
    }
  });

  it("embedding N(0, 1); norms 1 and 0, their statistics 0 and 1", () => {
    const weight = nn.embedding(300, 50).weight.readSync().data;
    const square = [...weight].reduce((sum, v) => sum + v * v, 0) / weight.length;
    expect(Math.abs(square - 1)).toBeLessThan(5 * Math.sqrt(2 / weight.length));
    const norm = nn.batchNorm(2);
    const values = [norm.weight, norm.bias, norm.runningMean, norm.runningVar].map((p) => [...p.readSync().data]);
    expect(values).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [1, 1],
    ]);
  });

  it("another initializer leaves the bias at 0", () => {
    const layer = nn.linear(4, 4, { init: init.heNormal() });
    expect([...layer.bias!.readSync().data]).toEqual([0, 0, 0, 0]);
    expect(largest(layer.weight)).toBeGreaterThan(0);
  });
});
