// A weight that its mask hides wholly: nothing of it is kept in memory or files, and the model computes what it did.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  array,
  artifact,
  compile,
  nn,
  prune,
  quantize,
  seed,
  train,
  type NdArray,
  type Tensor,
} from "../../../lib/index.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-masked-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sines = (shape: readonly number[]): NdArray =>
  array(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
    shape,
  );

/** A model with the weight of one of its layers masked wholly. */
function hidden(layers: readonly nn.Module[], at: number): nn.Module {
  (layers[at] as nn.Linear).weight.setMask(new Uint8Array((layers[at] as nn.Linear).weight.size));
  return nn.sequential(...layers);
}

const models: Record<string, () => { model: nn.Module; x: NdArray }> = {
  "a linear layer in the middle": () => {
    return { model: hidden([nn.linear(16, 512), nn.relu(), nn.linear(512, 512), nn.relu(), nn.linear(512, 4)], 2), x: sines([3, 16]) }; // prettier-ignore
  },
  "the only layer": () => ({ model: hidden([nn.linear(64, 8)], 0), x: sines([2, 64]) }),
  "rows of rows": () => ({ model: hidden([nn.linear(8, 6), nn.linear(6, 5)], 1), x: sines([2, 3, 8]) }),
  "a convolution": () => {
    const layers = [nn.conv2d(2, 4, { kernel: 3, stride: 2, padding: 1 }), nn.relu(), nn.conv2d(4, 6, { kernel: [3, 2], dilation: 2, padding: 1 })]; // prettier-ignore
    return { model: hidden(layers, 2), x: sines([2, 2, 11, 12]) };
  },
};

const makers: Record<string, (model: nn.Module, x: NdArray) => Promise<nn.Module>> = {
  "quantize int8": (model) => quantize(model, quantize.int8()),
  "quantize int8 dynamic": (model) => quantize(model, quantize.int8({ activations: "dynamic" }), { integers: "all" }),
  "quantize static": (model, calibrate) =>
    quantize(model, quantize.int8({ activations: "static" }), { integers: "all", calibrate }),
  "quantize kmeans": (model) => quantize(model, quantize.kmeans()),
  "quantize gptq": (model, calibrate) => quantize(model, quantize.int4(), { calibrate, method: quantize.gptq() }),
  "prune.pack": (model) => prune.pack(model),
  convert: async (model) => quantize.convert(await quantize.prepare(model, quantize.int4())),
};

describe("a weight that is masked wholly", () => {
  for (const [name, make] of Object.entries(models)) {
    for (const [how, compress] of Object.entries(makers)) {
      it(`${name}, ${how}: is held as zeros that take no room, saved and loaded`, async () => {
        seed(4);
        const { model, x } = make();
        const small = await compress(model, x);
        const weight = small
          .namedWeights()
          .find(({ parameter }) => parameter.parametrization?.kind === "zeros")!.parameter;
        expect(weight.parametrization!.parts).toEqual({});
        expect((await weight.read()).data.every((value) => value === 0)).toBe(true);
        const run = async (m: nn.Module) => (await compile((t: Tensor) => m.forward(t)).run(x)).data;
        const [want, got] = [await run(model), await run(small)];
        expect(got.length).toBe(want.length);
        const most = Math.max(...Array.from(want, Math.abs));
        got.forEach((value, i) => expect(Math.abs(value - want[i]!)).toBeLessThan(0.2 * most));
        await artifact.save(small, join(folder, "m"), { input: { dtype: "f32", shape: x.shape.slice(1) } });
        const loaded = await artifact.loadModel(join(folder, "m"));
        expect((await train.predict(loaded, x)).data).toEqual((await train.predict(small, x)).data);
      });
    }
  }

  it("512 × 512 of them add nothing to the file", async () => {
    const bytesOf = async (middle: boolean) => {
      seed(4);
      const [first, last] = [nn.linear(8, 512), nn.linear(512, 2)];
      const layers = middle ? [first, nn.linear(512, 512, { bias: false }), last] : [first, last];
      const model = middle ? hidden(layers, 1) : nn.sequential(...layers);
      const path = join(folder, `size-${middle}`);
      await artifact.save(await quantize(model, quantize.int8()), path, { input: { dtype: "f32", shape: [8] } });
      return statSync(join(path, "weights.safetensors")).size;
    };
    expect((await bytesOf(true)) - (await bytesOf(false))).toBeLessThan(1024);
  });
});
