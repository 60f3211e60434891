// A service meets batches of every size: programs are bounded, padded batches give the rows of whole ones, and nothing is freed
// under a run.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { artifact, ArgumentError, array, compile, DisposedError, nativeBytes, nn, quantize, seed, type NdArray, type Tensor } from "../../../lib/index.js"; // prettier-ignore
import { rowsOf } from "../../../lib/data/rows.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "athanor-served-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const batch = (n: number, ...shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, n);
  return array(Float32Array.from({ length: size }, (_, i) => Math.sin(1.3 * i + 1)), [n, ...shape]); // prettier-ignore
};
const next = (n: number) => 2 ** Math.ceil(Math.log2(n));
const filled = (x: NdArray) => {
  const [n, ...rest] = x.shape as [number, ...number[]];
  const width = x.data.length / n;
  const data = Float32Array.from({ length: next(n) * width }, (_, i) => x.data[i < n * width ? i : i % width]!);
  return array(data, [next(n), ...rest]);
};

const mlp = () => {
  seed(3);
  return nn.sequential(nn.linear(24, 40), nn.gelu(), nn.layerNorm(40), nn.linear(40, 7));
};
const cnn = () => {
  seed(4);
  return nn.sequential(nn.conv2d(2, 6, { kernel: 3 }), nn.batchNorm(6), nn.relu(), nn.maxPool2d(2), nn.flatten(), nn.linear(54, 5)); // prettier-ignore
};

const models: readonly [string, () => nn.Module, number[]][] = [
  ["dense", mlp, [24]],
  ["convolutional", cnn, [2, 8, 8]],
];

describe.each(models)("padded batches of a %s model", (name, make, shape) => {
  it.each(["f32", "int8"])("%s: every row is that of the filled batch", async (format) => {
    const path = join(folder, `${name}-${format}`);
    const model = make();
    const made = format === "f32" ? model : await quantize(model, quantize.int8());
    await artifact.save(made, path, { input: { dtype: "f32", shape } });
    using plain = await artifact.load(path, { maxPrograms: 3 });
    using padded = await artifact.load(path, { padBatches: true });
    for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 31, 33]) {
      const x = batch(n, ...shape);
      const y = padded.predictSync(x);
      expect(y.shape).toEqual([n, y.shape[1]]);
      expect((await padded.predict(x)).data, `${n} rows`).toEqual(y.data);
      expect(y.data, `${n} rows`).toEqual(rowsOf(plain.predictSync(filled(x)), 0, n).data);
      expect(y.data.buffer.byteLength).toBe(y.data.byteLength);
      if (n >= 5) expect(y.data, `${n} rows`).toEqual(plain.predictSync(x).data);
    }
  });
});

describe("batches of a served model", () => {
  const saved = async (name: string, model: nn.ModuleLike = mlp(), shape = [24]) => {
    const path = join(folder, name);
    await artifact.save(model, path, { input: { dtype: "f32", shape } });
    return path;
  };

  it("have their results while programs make room, and memory is flat over 2,000 sizes", async () => {
    const path = await saved("flat");
    const x = batch(2100, 24);
    const expected = compile((t: Tensor) => mlp().forward(t)).runSync(x);
    for (const [options, most] of [[{ maxPrograms: 4 }, 1.1], [{ padBatches: true, maxPrograms: 12 }, 1.0]] as const) {
      using served = await artifact.load(path, options);
      for (let n = 1; n <= 2048; n *= 2) served.predictSync(rowsOf(x, 0, n));
      for (let n = 2090; n < 2100; n++) served.predictSync(rowsOf(x, 0, n));
      const held = nativeBytes();
      const check = (y: NdArray, n: number) => {
        for (const i of [0, n - 1]) {
          for (let c = 0; c < 7; c++) expect(y.data[i * 7 + c]).toBeCloseTo(expected.data[i * 7 + c]!, 5);
        }
      };
      let under: Promise<void>[] = [];
      for (let n = 1; n <= 2000; n++) {
        under.push(served.predict(rowsOf(x, 0, n)).then((y) => check(y, n))); // runs on while others make room
        if (n % 8 > 0) continue;
        await Promise.all(under);
        under = [];
      }
      expect(nativeBytes()).toBeLessThanOrEqual(held * most);
    }
  }); // prettier-ignore

  it("of models with several inputs and results", async () => {
    class Two extends nn.Module<{ sum: Tensor; sign: Tensor }> {
      a = nn.linear(3, 4);
      b = nn.linear(5, 4);
      override forward(x: Tensor, z: Tensor): { sum: Tensor; sign: Tensor } {
        const sum = this.a.forward(x).add(this.b.forward(z));
        return { sum, sign: sum.gt(0) };
      }
    }
    const path = join(folder, "two");
    const inputs = { x: { dtype: "f32", shape: [3] }, z: { dtype: "f32", shape: [5] } } as const;
    await artifact.save(new Two(), path, { inputs });
    type Answer = { sum: NdArray; sign: NdArray };
    using plain = await artifact.load<Answer>(path);
    using padded = await artifact.load<Answer>(path, { padBatches: true });
    const given = { x: batch(11, 3), z: batch(11, 5) };
    const [p, q] = [await plain.predict(given), await padded.predict(given)];
    expect([q.sum.shape, q.sign.shape, q.sign.dtype]).toEqual([[11, 4], [11, 4], p.sign.dtype]);
    expect([q.sum.data, q.sign.data]).toEqual([p.sum.data, p.sign.data]);
  }); // prettier-ignore

  it.each([
    [{ maxPrograms: 0 }, "artifact.load: maxPrograms must be a whole number from 1 on, got 0"],
    [{ maxPrograms: 2.5 }, "maxPrograms must be a whole number"],
    [{ padBatches: "pow2" }, 'artifact.load: padBatches must be true or false, got "pow2"'],
    [{ padBatch: true }, 'unknown option "padBatch", did you mean "padBatches"?'],
  ])("refuses %j", async (options, message) => {
    const path = await saved("refused");
    await expect(artifact.load(path, options as never)).rejects.toThrow(message);
  });

  it("are not padded where a result is not a row a sample", async () => {
    const path = await saved("mean", (x) => x.mean(0));
    using plain = await artifact.load(path);
    expect(plain.predictSync(batch(3, 24)).shape).toEqual([24]);
    await expect(artifact.load(path, { padBatches: true })).rejects.toThrow(ArgumentError);
  });

  it("dispose() under runs lets them end", async () => {
    const served = await artifact.load(await saved("under"));
    const x = batch(300, 24);
    const expected = served.predictSync(x).data;
    const running = Array.from({ length: 6 }, () => served.predict(x));
    served.dispose();
    const ends = await Promise.allSettled(running);
    for (const end of ends) {
      if (end.status === "fulfilled") expect(end.value.data).toEqual(expected);
      else expect(end.reason).toBeInstanceOf(DisposedError);
    }
  });
});
