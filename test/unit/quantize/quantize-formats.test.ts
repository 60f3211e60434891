// Number formats: every row of the engine's table through what a user does with it, and the two that differ most from the others:
// codes over the ends of bytes, and scales that are exponents.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { array, artifact, compile, nn, quantize, type Scheme, type Tensor } from "../../../lib/index.js";
import { describeScheme } from "../../../lib/quantize/scheme.js";
import { formats } from "../../../lib/native/formats.js";
import { random } from "../../ops/value.js";

const folder = mkdtempSync(join(tmpdir(), "athanor-formats-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const draw = random(17);
const numbers = (count: number) => Float32Array.from({ length: count }, () => (draw() - 0.4) * 3);

function linear(rows: number, inner: number, weights: ArrayLike<number> = numbers(rows * inner)): nn.Linear {
  const layer = nn.linear(inner, rows, { bias: false });
  layer.weight.write(array(Float32Array.from(weights), [rows, inner]));
  return layer;
}

const golden = JSON.parse(readFileSync("test/golden/data/microscaling.json", "utf8")) as {
  readonly weights: number[];
  readonly scales: number[];
  readonly codes: number[];
  readonly values: number[];
};

describe("mxfp4", () => {
  it("has the codes, scale bytes and values of ml_dtypes", async () => {
    const layer = linear(4, golden.weights.length / 4, Float32Array.from(golden.weights));
    const small = await quantize(layer, quantize.mxfp4());
    const { q, scale, table } = small.weight.parametrization!.parts;
    expect(scale!.dtype).toBe("u8");
    expect(table).toBeUndefined();
    expect([...(scale!.readSync().data as Uint8Array)]).toEqual(golden.scales);
    const bytes = q!.readSync().data as Uint8Array;
    const codes = golden.codes.map((_, i) => (bytes[i >> 1]! >> (4 * (i & 1))) & 15);
    // One zero is enough.
    expect(codes).toEqual(golden.codes.map((code) => (code === 8 ? 0 : code)));
    const values = (await small.weight.read()).data;
    expect(Array.from(values, (v) => v + 0)).toEqual(golden.values.map((v) => v + 0));
  });

  it("takes 4.25 bits a weight", async () => {
    const { parts } = (await quantize(linear(6, 96), quantize.mxfp4())).weight.parametrization!;
    const bytes = Object.values(parts).reduce((sum, part) => sum + part.readSync().data.byteLength, 0);
    expect(bytes).toBe((6 * 96 * 4.25) / 8);
  });

  it("with a last block that is shorter, and one of fewer inputs than a block", async () => {
    for (const inner of [40, 7]) {
      const layer = linear(3, inner);
      const { scale } = (await quantize(layer, quantize.mxfp4())).weight.parametrization!.parts;
      const w = layer.weight.readSync().data;
      const wanted = Array.from({ length: 3 * Math.ceil(inner / 32) }, (_, i) => {
        const [n, g] = [Math.floor(i / Math.ceil(inner / 32)), i % Math.ceil(inner / 32)];
        const block = Array.from(w.subarray(n * inner + g * 32, n * inner + Math.min(inner, g * 32 + 32)), Math.abs);
        return 127 + Math.floor(Math.log2(Math.max(...block))) - 2;
      });
      expect([...(scale!.readSync().data as Uint8Array)]).toEqual(wanted);
    }
  });
});

const schemes: readonly (readonly [Scheme, (typeof formats)[keyof typeof formats]])[] = [
  [quantize.int8(), formats.int8],
  [quantize.intN(5), formats.int5],
  [quantize.intN(5, { symmetric: false, per: 16 }), formats.uint5],
  [quantize.intN(6), formats.int8],
  [quantize.intN(3), formats.int4],
  [quantize.int4({ symmetric: false }), formats.uint4],
  [quantize.intN(2, { symmetric: false }), formats.uint2],
  [quantize.kmeans({ entries: 30 }), formats.codebook5],
  [quantize.nf4(), formats.codebook4],
  [quantize.fp8(), formats.codebook8],
  [quantize.mxfp4(), formats.mxfp4],
];

describe.each(schemes.map(([scheme, row]) => [describeScheme(scheme), scheme, row] as const))(
  "%s",
  (_, scheme, row) => {
    it("is stored in the bits of its row", async () => {
      const { parts } = (await quantize(linear(3, 37), scheme)).weight.parametrization!;
      expect(parts.q!.shape).toEqual([3, Math.ceil((37 * row.bits) / 8)]);
      expect(parts.zero !== undefined).toBe(row.zero);
      expect(parts.table !== undefined).toBe(row.table === "own");
    });

    it("products, saved and loaded, are those of its values, whatever the rows", async () => {
      const layer = linear(70, 130);
      const small = await quantize(layer, scheme);
      const dense = linear(70, 130, (await small.weight.read()).data);
      const path = join(folder, `${scheme.name}-${scheme.format}`);
      await artifact.save(small, path, { input: { dtype: "f32", shape: [130] } });
      using served = await artifact.load(path);
      for (const rows of [1, 3, 20]) {
        const x = array(numbers(rows * 130), [rows, 130]);
        const run = (model: nn.Linear) => compile((t: Tensor) => model.forward(t)).run(x);
        const [wanted, got, loaded] = [await run(dense), await run(small), await served.predict(x)];
        wanted.data.forEach((value, i) => expect(Math.abs(got.data[i]! - value)).toBeLessThan(2e-4));
        expect(loaded.data).toEqual(got.data);
      }
    });

    it("keeps a mask as a bitmap", async () => {
      const layer = linear(8, 64);
      const w = layer.weight.readSync().data as Float32Array;
      const mask = Uint8Array.from(w, (_v, i) => (i % 5 === 0 ? 1 : 0));
      layer.weight.write(array(w.map((v, i) => v * mask[i]!), [8, 64])); // prettier-ignore
      layer.weight.setMask(mask);
      const small = await quantize(layer, scheme);
      expect(small.weight.parametrization!.parts.bitmap).toBeDefined();
      const values = (await small.weight.read()).data;
      mask.forEach((kept, i) => expect(kept === 1 || values[i] === 0).toBe(true));
      const x = array(numbers(3 * 64), [3, 64]);
      const run = (model: nn.Linear) => compile((t: Tensor) => model.forward(t)).run(x);
      const wanted = await run(linear(8, 64, values));
      (await run(small)).data.forEach((value, i) => expect(Math.abs(value - wanted.data[i]!)).toBeLessThan(1e-4));
    });
  },
);
