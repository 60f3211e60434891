// Models of any make: transformer blocks, embeddings, shared weights, classes of the user's own, a scheme for each weight.
import { describe, expect, it } from "vitest";
import {
  array,
  compile,
  nativeBytes,
  nn,
  Parameter,
  quantize,
  seed,
  train,
  type NdArray,
  type Scheme,
  type Tensor,
} from "../../../lib/index.js";
import { random } from "../../ops/value.js";

const draw = random(53);
const numbers = (...shape: number[]): NdArray =>
  array(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw() * 2 - 1),
    shape,
  );

/** √(Σ (a − b)² / Σ b²) */
function distance(a: NdArray, b: NdArray): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < b.data.length; ++i) {
    error += (a.data[i]! - b.data[i]!) ** 2;
    size += b.data[i]! ** 2;
  }
  return Math.sqrt(error / size);
}

const formOf = ({ parametrization: form }: Parameter) => form?.kind;

describe("quantize", () => {
  it("takes all projections of a transformer block, whatever the rank of its input", async () => {
    seed(3);
    const block = nn.transformerBlock({ dim: 32, heads: 4, causal: true });
    const x = numbers(5, 7, 32);
    const want = await train.predict(block, x);
    const eight = quantize.int8({ activations: "dynamic" });
    const cases: readonly (readonly [Scheme, number])[] = [
      [quantize.int8(), 0.01],
      [eight, 0.02],
      [quantize.int8({ activations: "static" }), 0.02],
      [quantize.int4({ activations: "dynamic" }), 0.15],
    ];
    for (const [scheme, most] of cases) {
      const small = await quantize(block, scheme, { integers: "all", calibrate: x });
      expect(
        [small.attention.qkv, small.attention.out, small.up, small.down].map(({ weight }) => formOf(weight)),
      ).toEqual(new Array(4).fill(scheme.name));
      const error = distance(await train.predict(small, x), want);
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(most);
    }
    const nearest = distance(await train.predict(await quantize(block, quantize.intN(3)), x), want);
    const better = await quantize(block, quantize.intN(3), { calibrate: x, method: quantize.gptq() });
    expect(distance(await train.predict(better, x), want)).toBeLessThan(0.8 * nearest);
  });

  it("leaves embeddings alone unless they match, and then looks up expanded rows", async () => {
    seed(4);
    const model = nn.sequential(nn.embedding(20, 16), nn.linear(16, 4));
    const [table, layer] = model.layers as [nn.Embedding, nn.Linear];
    expect((await quantize(model, quantize.int8())).namedWeights().map(({ parameter }) => formOf(parameter))).toEqual([undefined, "int8", undefined]); // prettier-ignore
    const both = await quantize(model, quantize.int8(), { match: /weight/ });
    expect(formOf((both.layers[0] as nn.Embedding).weight)).toBe("int8");
    expect([formOf(table.weight), formOf(layer.weight)]).toEqual([undefined, undefined]);
    const tokens = array(Int32Array.of(3, 0, 19), [3]);
    expect(distance(await train.predict(both, tokens), await train.predict(model, tokens))).toBeLessThan(0.02);
  });

  it("keeps a shared weight shared", async () => {
    class Tied extends nn.Module {
      shared = nn.linear(12, 12);
      forward(x: Tensor) {
        return this.shared.forward(this.shared.forward(x).relu());
      }
    }
    seed(5);
    const model = new Tied();
    const x = numbers(9, 12);
    const small = await quantize(model, quantize.int8({ activations: "static" }), { integers: "all", calibrate: x });
    expect(small.namedParameters().map(({ name }) => name)).toEqual(["shared.weight.q", "shared.weight.scale", "shared.weight.act", "shared.bias"]); // prettier-ignore
    expect(distance(await train.predict(small, x), await train.predict(model, x))).toBeLessThan(0.03);
  });

  it("takes a scheme for each weight, and parameters of one's own", async () => {
    class Mine extends nn.Module {
      a = new Parameter([6, 8], { fill: nn.init.uniform() });
      b = new Parameter([6, 3], { fill: nn.init.uniform() });
      forward(x: Tensor) {
        return x.matmul(this.a, { transB: true }).matmul(this.b);
      }
    }
    seed(6);
    const model = new Mine();
    const x = numbers(4, 8);
    const small = await quantize(model, (name) => (name === "a" ? quantize.int8() : quantize.intN(6)));
    expect([formOf(small.a), formOf(small.b)]).toEqual(["int8", "int6"]);
    expect(distance(await train.predict(small, x), await train.predict(model, x))).toBeLessThan(0.05);
    expect(formOf((await quantize(model, (name) => (name === "a" ? quantize.int8() : undefined))).b)).toBeUndefined();
  });

  it("lets gradients through to what comes before, in training", async () => {
    seed(7);
    const small = await quantize(
      nn.sequential(nn.linear(8, 8), nn.linear(8, 2)),
      quantize.int8({ activations: "dynamic" }),
      { integers: "all" },
    );
    const gradient = compile(
      (x: Tensor) => {
        const y = small.forward(x).sum();
        return x.trace.gradients(y, [x])[0]!;
      },
      { training: true },
    );
    const got = await gradient.run(numbers(3, 8));
    const [first, second] = await Promise.all(small.layers.map((layer) => (layer as nn.Linear).weight.read()));
    for (let k = 0; k < 8; ++k) {
      let want = 0;
      for (let n = 0; n < 2; ++n)
        for (let h = 0; h < 8; ++h) want += second!.data[n * 8 + h]! * first!.data[h * 8 + k]!;
      expect(got.data[k]).toBeCloseTo(want, 5);
    }
  });

  it("clones, and frees what it holds", async () => {
    const small = await quantize(nn.sequential(nn.linear(16, 4)), quantize.int4());
    const copy = small.clone();
    const x = numbers(2, 16);
    const want = (await train.predict(small, x)).data;
    small.dispose();
    expect((await train.predict(copy, x)).data).toEqual(want);
    await expect(train.predict(small, x)).rejects.toThrow(/disposed/);
    copy.dispose();
  });

  it("runs large weights in 4 and 8 bits without a copy of them in f32", async () => {
    const size = 2048; // 16 MiB in f32: from 12 MiB on panels serve any number of rows
    for (const [scheme, bits] of [
      [quantize.int4(), 4],
      [quantize.int8(), 8],
      [quantize.nf4(), 4],
    ] as const) {
      const small = await quantize(nn.linear(size, size), scheme);
      for (const rows of [1, 9]) {
        const layer = compile((x: Tensor) => small.forward(x));
        const x = numbers(rows, size);
        const before = nativeBytes();
        await layer.run(x);
        const panels = (size * size * bits) / 8 + 4 * size * (size / 32);
        // Beside the panels there are rows of x and y and a block of 16 or 32 KiB a worker: less than a byte a weight, not 4.
        expect(nativeBytes() - before).toBeLessThan(panels + size * size);
        layer.dispose();
      }
    }
  });

  it("leaves nothing behind when the copy is gone", async () => {
    const model = nn.sequential(nn.linear(256, 64), nn.relu(), nn.linear(64, 4));
    const calibrate = numbers(16, 256);
    const methods = [quantize.awq({ grid: 2 }), quantize.gptq(), quantize.biasCorrection()];
    const once = async () => {
      const scheme = quantize.int8({ activations: "static" });
      (
        await quantize(model, scheme, { integers: "all", calibrate, method: methods, observer: quantize.mse() })
      ).dispose();
      const trained = await quantize.prepare(model, quantize.kmeans({ entries: 4 }), { lsq: true });
      (await quantize.convert(trained)).dispose();
      trained.dispose();
    };
    await once();
    const before = nativeBytes();
    await once();
    // Less where the collector took models of other tests meanwhile.
    expect(nativeBytes()).toBeLessThanOrEqual(before);
  });
});
