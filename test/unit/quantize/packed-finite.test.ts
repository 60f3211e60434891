// Scales, tables and static inputs of packed weights that are not numbers: no file with one is loaded, and none is written.
import { readFile, writeFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { array, artifact, nn, quantize, seed, type NdArray } from "../../../lib/index.js";
import { reseal } from "../artifact/reseal.js";

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "athanor-parts-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const input = { dtype: "f32", shape: [2, 4, 4] } as const;
const x: NdArray = array(Float32Array.from({ length: 4 * 32 }, (_, i) => Math.sin(i)), [4, 2, 4, 4]); // prettier-ignore
const model = () => {
  seed(2);
  return nn.sequential(nn.conv2d(2, 8, { kernel: 3 }), nn.flatten(), nn.linear(32, 6));
};
const all = { integers: "all", calibrate: x } as const;
const makers = {
  int8: () => quantize(model(), quantize.int8({ activations: "static" }), all),
  "int8 affine": () => quantize(model(), quantize.int8({ symmetric: false }), all),
  "int4, bf16 scales": () => quantize(model(), quantize.int4(), all),
  kmeans: () => quantize(model(), quantize.kmeans(), all),
};

const header = (bytes: Buffer) => {
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  type Header = Record<string, { dtype: string; data_offsets: [number, number] }>;
  return { start, entries: Object.entries(JSON.parse(bytes.toString("utf8", 8, start)) as Header) };
};

describe.each(Object.entries(makers))("a packed weight, %s", (name, make) => {
  it("with NaN or infinity in any of its parts is refused by load and loadModel, with the place", async () => {
    const path = join(folder, name);
    await artifact.save(await make(), path, { input });
    const file = join(path, "weights.safetensors");
    const whole = await readFile(file);
    const { start, entries } = header(whole);
    const parts = entries.filter(([part]) => /\.(scale|table|act)$/.test(part));
    expect(parts.length).toBeGreaterThan(1);
    for (const [part, { dtype, data_offsets: place }] of parts) {
      for (const value of [NaN, Infinity]) {
        const bytes = Buffer.from(whole);
        if (dtype === "BF16") bytes.writeUInt16LE(Number.isNaN(value) ? 0x7fc0 : 0x7f80, start + place[1] - 2);
        else bytes.writeFloatLE(value, start + place[1] - 4);
        await writeFile(file, bytes);
        await reseal(path);
        for (const load of [() => artifact.load(path), () => artifact.loadModel(path)]) {
          await expect(load()).rejects.toThrow(
            new RegExp(`"${part}"\\[[\\d, ]+\\] of a packed weight is NaN or infinite`),
          );
        }
      }
    }
    await writeFile(file, whole);
    await reseal(path);
    using served = await artifact.load(path);
    expect((await served.predict(x)).data.every(Number.isFinite)).toBe(true);
  });

  it("is not saved with one", async () => {
    const small = await make();
    const { scale } = small.namedWeights().at(-2)!.parameter.parametrization!.parts;
    const broken = scale!.readSync();
    broken.data[0] = scale!.dtype === "bf16" ? 0x7fc0 : NaN;
    scale!.write(broken);
    await expect(artifact.save(small, join(folder, "broken"), { input })).rejects.toThrow(
      /"?2\.weight\.scale"?.* is NaN/,
    );
  });
});
