// train.layerStatistics: norms beside gradients worked out by hand, moves beside the rule of SGD, and units that are known to be dead.
import { describe, expect, it } from "vitest";
import { array, data, loss, nn, optim, train } from "../../../lib/index.js";

const norm = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0)); // prettier-ignore
const draw = (count: number, from = 0) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + from) * 12.9898));

describe("train.layerStatistics", () => {
  it("gives the gradient of a linear model as written out, and the move of a step of SGD", async () => {
    const model = nn.linear(3, 2);
    const [x, y] = [draw(15), draw(10, 50)];
    const set = data.fromArrays({ x: array(x, [5, 3]), y: array(y, [5, 2]) });
    const w = Float64Array.from(model.weight.readSync().data as Float32Array);
    const b = Float64Array.from(model.bias!.readSync().data as Float32Array);
    const [gw, gb] = [new Float64Array(6), new Float64Array(2)];
    for (let n = 0; n < 5; n++) {
      for (let o = 0; o < 2; o++) {
        let value = b[o]!;
        for (let i = 0; i < 3; i++) value += w[o * 3 + i]! * x[n * 3 + i]!;
        const g = (2 * (value - y[n * 2 + o]!)) / 10; // of the mean over 10 elements
        gb[o]! += g;
        for (let i = 0; i < 3; i++) gw[o * 3 + i]! += g * x[n * 3 + i]!;
      }
    }
    const before = model.stateDict();
    await train.fit(model, set, { loss: loss.mse(), optimizer: optim.sgd({ lr: 0.1 }), batchSize: 5 });
    const at = { loss: loss.mse() };
    const moved = (await train.layerStatistics(model, set, { ...at, before })).parameters;
    model.loadStateDict(before);
    const { parameters, loss: value } = await train.layerStatistics(model, set, at);
    expect(parameters.map(({ name }) => name)).toEqual(["weight", "bias"]);
    for (const [i, [own, gradient]] of (
      [
        [w, gw],
        [b, gb],
      ] as const
    ).entries()) {
      expect(parameters[i]!.norm).toBeCloseTo(norm(own), 5);
      expect(parameters[i]!.gradientNorm).toBeCloseTo(norm(gradient), 5);
      expect(parameters[i]!).not.toHaveProperty("updateRatio");
      const after = own.map((each, k) => each - 0.1 * gradient[k]!);
      expect(moved[i]!.updateRatio).toBeCloseTo((0.1 * norm(gradient)) / norm(after), 5);
    }
    expect(value).toBeCloseTo((await train.evaluate(model, set, at)).loss, 6);
  });

  it("counts dead units: of features, of channels, none where something comes through", async () => {
    const model = nn.sequential(nn.conv2d(1, 6, { kernel: 3 }), nn.relu(), nn.flatten(), nn.linear(6 * 16, 5), nn.relu(), nn.linear(5, 2)); // prettier-ignore
    const [conv, , , dense] = model.layers as unknown as [nn.Conv2d, unknown, unknown, nn.Linear];
    conv.bias!.write(array(Float32Array.of(-99, 9, -99, 9, 9, -99), [6]));
    dense.bias!.write(array(Float32Array.of(99, -99, 99, 99, 99), [5]));
    const set = data.fromArrays({ x: array(draw(7 * 36), [7, 1, 6, 6]), y: array(Uint8Array.of(0, 1, 0, 1, 0, 1, 0)) });
    const { layers } = await train.layerStatistics(model, set, { loss: loss.crossEntropy() });
    expect(layers.find(({ layer }) => layer === "1")).toEqual({ layer: "1", units: 6, dead: 3 });
    expect(layers.find(({ layer }) => layer === "4")).toEqual({ layer: "4", units: 5, dead: 1 });
    expect(layers.find(({ layer }) => layer === "0")).toEqual({ layer: "0", units: 6, dead: 0 });
  });

  it("changes nothing, and may be asked in a callback of a run", async () => {
    const set = data.fromArrays({ x: array(draw(32 * 4), [32, 4]), y: array(Uint8Array.from({ length: 32 }, (_, i) => i % 2)) }); // prettier-ignore
    const start = nn.sequential(nn.linear(4, 16), nn.batchNorm(16), nn.relu(), nn.dropout(0.5), nn.linear(16, 2));
    const trained = async (looks: boolean) => {
      const model = start.clone();
      const norms: number[] = [];
      const onEpoch = async () => {
        const { parameters } = await train.layerStatistics(model, set, { loss: loss.crossEntropy() });
        norms.push(...parameters.map(({ gradientNorm }) => gradientNorm));
      };
      await train.fit(model, set, { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 0.01 }), epochs: 3, batchSize: 8, callbacks: looks ? { onEpoch } : {} }); // prettier-ignore
      if (looks) expect(norms.every((each) => each > 0) && norms.length > 0).toBe(true);
      return model.stateDict();
    };
    expect(await trained(true)).toEqual(await trained(false));
  });

  it("says that what is still as it was has not moved, a bias of zeros too", async () => {
    const model = nn.linear(3, 2, { init: nn.init.zeros() });
    const set = data.fromArrays({ x: array(draw(6), [2, 3]), y: array(draw(4), [2, 2]) });
    const { parameters } = await train.layerStatistics(model, set, { loss: loss.mse(), before: model.stateDict() });
    expect(parameters.map(({ updateRatio }) => updateRatio)).toEqual([0, 0]);
  });

  it.each([
    ["an option that is none", { loss: loss.mse(), befor: {} }, /did you mean "before"/],
    ["no loss", {}, /loss/],
    [
      "values of another model",
      { loss: loss.mse(), before: {} },
      /has no "weight"; give what model.stateDict\(\) gave/,
    ],
  ])("refuses %s", async (_, options, message) => {
    const set = data.fromArrays({ x: array(draw(6), [2, 3]), y: array(draw(4), [2, 2]) });
    await expect(train.layerStatistics(nn.linear(3, 2), set, options as never)).rejects.toThrow(message);
  });
});
