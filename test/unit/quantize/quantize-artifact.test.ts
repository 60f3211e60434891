// Quantized models as files: what loads computes the same bits and holds no float weights; saved models can be quantized themselves.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { array, artifact, nn, quantize, seed, train, type Scheme } from "../../../lib/index.js";
import { random } from "../../ops/value.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-quantized-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const draw = random(41);
const images = array(Float32Array.from({ length: 6 * 2 * 64 }, () => draw() * 2 - 0.5), [6, 2, 8, 8]); // prettier-ignore
const sizeOf = (path: string) => statSync(join(path, "weights.safetensors")).size;

function network(): nn.Sequential {
  seed(12);
  return nn.sequential(
    nn.conv2d(2, 16, { kernel: 3, padding: 1 }),
    nn.relu(),
    nn.maxPool2d(2),
    nn.flatten(),
    nn.linear(256, 64),
    nn.relu(),
    nn.linear(64, 10),
  );
}

const schemes: readonly (readonly [scheme: Scheme, smaller: number])[] = [
  [quantize.int8(), 3.6],
  [quantize.int8({ activations: "dynamic", symmetric: false }), 3.5],
  [quantize.int8({ activations: "static" }), 3.5],
  [quantize.int4(), 6],
  [quantize.nf4(), 6.3],
  [quantize.kmeans({ entries: 4 }), 11],
  [quantize.fp8("e4m3"), 3],
];

describe("a saved quantized model", () => {
  for (const [scheme, smaller] of schemes) {
    it(`computes the same and is small: ${scheme.name}, ${scheme.activations}`, async () => {
      const model = network();
      const input = { dtype: "f32", shape: [2, 8, 8] } as const;
      await artifact.save(model, join(folder, "dense"), { input });
      const small = await quantize(model, scheme, { integers: "all", calibrate: images });
      const path = join(folder, "small");
      await artifact.save(small, path, { input });
      expect(sizeOf(join(folder, "dense")) / sizeOf(path)).toBeGreaterThan(smaller);
      const want = (await train.predict(small, images)).data;
      using served = await artifact.load(path);
      expect((await served.predict(images)).data).toEqual(want);
      const again = await artifact.loadModel(path);
      expect((await train.predict(again, images)).data).toEqual(want);
    });
  }

  it("holds masked weights as a bitmap and the rest", async () => {
    const model = network();
    for (const { parameter } of model.namedWeights()) {
      if (parameter.shape.length < 2) continue;
      parameter.setMask(Uint8Array.from({ length: parameter.size }, () => Number(draw() < 0.1)));
    }
    const input = { dtype: "f32", shape: [2, 8, 8] } as const;
    const small = await quantize(model, quantize.int8({ activations: "static" }), {
      integers: "all",
      calibrate: images,
    });
    const path = join(folder, "pruned");
    await artifact.save(small, path, { input });
    const dense = await quantize(network(), quantize.int8({ activations: "static" }), {
      integers: "all",
      calibrate: images,
    });
    await artifact.save(dense, join(folder, "unpruned"), { input });
    expect(sizeOf(join(folder, "unpruned")) / sizeOf(path)).toBeGreaterThan(2);
    const want = (await train.predict(small, images)).data;
    using served = await artifact.load(path);
    expect((await served.predict(images)).data).toEqual(want);
    const float = (await train.predict(model, images)).data as Float32Array;
    const largest = Math.max(...float.map(Math.abs));
    float.forEach((y, i) => expect(Math.abs(want[i]! - y)).toBeLessThan(0.03 * largest));
  });

  it("can be made of one that was loaded without its code", async () => {
    const model = network();
    const path = join(folder, "float");
    await artifact.save(model, path, { input: { dtype: "f32", shape: [2, 8, 8] } });
    const loaded = await artifact.loadModel(path);
    const scheme = quantize.int8({ activations: "static" });
    const got = await train.predict(await quantize(loaded, scheme, { integers: "all", calibrate: images }), images);
    const want = await train.predict(await quantize(model, scheme, { integers: "all", calibrate: images }), images);
    expect(got.data).toEqual(want.data);
  });
});
