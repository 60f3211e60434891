// Compressed models on the emulated device: what quantize and prune make, and what an artifact holds of it, predicts there what it predicts
// on the CPU; where x is rounded to integers, in the same integers.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, describe } from "vitest";
import { array, artifact, compile, nn, ops, Parameter, prune, quantize, seed, type Tensor } from "../../lib/index.js";
import { built, emulated, withEnvironment } from "./emulated.js";

const wave = (shape: readonly number[], phase = 0) => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return array(
    Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + phase)),
    shape,
  );
};

const perceptron = () => nn.sequential(nn.linear(45, 70), nn.relu(), nn.linear(70, 13));
const convolutions = () =>
  nn.sequential(nn.conv2d(2, 9, { kernel: 3, padding: 1 }), nn.relu(), nn.flatten(), nn.linear(9 * 5 * 6, 4));

const models = {
  perceptron: { make: perceptron, sample: [45] },
  convolutions: { make: convolutions, sample: [2, 5, 6] },
} as const;

const schemes = {
  int8: quantize.int8(),
  "int8, dynamic": quantize.int8({ activations: "dynamic" }),
  "int8, static": quantize.int8({ activations: "static" }),
  int4: quantize.int4({ group: 32 }),
  nf4: quantize.nf4({ group: 16 }),
  mxfp4: quantize.mxfp4(),
  "5 bits": quantize.intN(5),
  fp8: quantize.fp8(),
  "16 values": quantize.kmeans({ entries: 16 }),
};

// Rounding to integers is a step: sums in another order before it may move a value over its edge, one step of one weight's size.
const near = (got: ArrayLike<number>, want: ArrayLike<number>, within: number) => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; ++i) expect(Math.abs(got[i]! - want[i]!), `element ${i}`).toBeLessThan(within);
};

async function predictsAlike(model: nn.Module, name: keyof typeof models): Promise<void> {
  const { sample } = models[name];
  const folder = await mkdtemp(join(tmpdir(), "athanor-"));
  try {
    const path = join(folder, "model");
    await artifact.save(model, path, { input: { dtype: "f32", shape: sample } });
    using here = await artifact.load(path);
    using there = await artifact.load(path, { device: emulated });
    for (const batch of [1, 3, 18]) {
      const x = wave([batch, ...sample], batch);
      near(there.predictSync(x).data, here.predictSync(x).data, 2e-3);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe.skipIf(!built)("on the emulated device", () => {
  for (const name of ["perceptron", "convolutions"] as const) {
    for (const [scheme, how] of Object.entries(schemes)) {
      it(`${name} in ${scheme}, of an artifact`, async () => {
        seed(3);
        const { make, sample } = models[name];
        const calibrate = wave([16, ...sample], 5);
        const model = await quantize(make(), how, { calibrate });
        await predictsAlike(model, name);
      });
    }
    it(`${name} pruned, and pruned in 8 bits, of an artifact`, async () => {
      seed(4);
      const masked = await prune(models[name].make(), { amount: 0.8 });
      await predictsAlike(await prune.pack(masked), name);
      await predictsAlike(await quantize(masked, quantize.int8()), name);
    });
  }

  it("the same bits in every order of threads", async () => {
    seed(5);
    const model = await quantize(perceptron(), quantize.int8({ activations: "dynamic" }));
    const f = compile((x: Tensor) => model.forward(x), { device: emulated });
    const x = wave([18, 45]);
    const want = f.runSync(x).data;
    for (const order of ["reverse", "seed:7"])
      expect((await withEnvironment("ATHANOR_EMULATOR_ORDER", order, () => f.run(x))).data).toEqual(want);
  });

  it("a weight is packed again when it has changed", () => {
    const bits = new Parameter([2, 1], { dtype: "u8", trainable: false });
    bits.write(array(Uint8Array.of(0b101, 0b010), [2, 1]));
    const values = new Parameter([3], { trainable: false });
    values.write(array([1, 2, 3], [3]));
    const f = compile(
      (x: Tensor) => ops.sparseMatmul(x, { bitmap: x.trace.parameter(bits), values: x.trace.parameter(values) }),
      { device: emulated },
    );
    const x = array([1, 10, 100, 1000, 0, 0, 0, 0], [1, 8]);
    expect(f.runSync(x).data).toEqual(Float32Array.of(201, 30));
    values.write(array([4, 5, 6], [3]));
    expect(f.runSync(x).data).toEqual(Float32Array.of(504, 60));
    bits.write(array(Uint8Array.of(0b111, 0b010), [2, 1]));
    expect(() => f.runSync(x)).toThrow(/the bitmap marks 4 weights, but there are 3 values/);
  });
});
