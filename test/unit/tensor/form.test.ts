// A parameter's form, mask and copy, and weights that programs hold packed.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  array,
  artifact,
  compile,
  NdArray,
  nn,
  loss,
  optim,
  Parameter,
  seed,
  ShapeError,
  type Tensor,
  train,
} from "athanor";
import type { Parametrization } from "../../../lib/tensor/parametrization.js";
import { Trace } from "../../../lib/tensor/trace.js";
import { reseal } from "../artifact/reseal.js";

// Values are the negative of what the parts hold: tells from plain numbers at a glance.
class Negated implements Parametrization {
  readonly kind = "negated";
  readonly packed: boolean;
  readonly parts: { readonly hidden: Parameter };
  constructor(hidden: Parameter, packed: boolean) {
    this.parts = { hidden };
    this.packed = packed;
  }
  tensor(trace: Trace): Tensor {
    return trace.value(this.parts.hidden).neg();
  }
  clone(): Parametrization {
    return new Negated(this.parts.hidden.clone(), this.packed);
  }
  dispose(): void {
    this.parts.hidden.dispose();
  }
}

const filled = (values: number[], shape: number[]): Parameter => {
  const parameter = new Parameter(shape);
  parameter.write(array(values, shape));
  return parameter;
};

describe("a packed weight of a program", () => {
  test("is made again when the parameter changes, in every program that shares it", async () => {
    const w = filled(
      Array.from({ length: 48 }, (_, i) => i - 20),
      [6, 8],
    );
    const product = (x: Tensor) => x.matmul(w, { transB: true });
    const [f, g] = [compile(product), compile(product)];
    const x = array(
      Array.from({ length: 64 }, (_, i) => (i % 5) - 2),
      [8, 8],
    );
    const expected = (weights: NdArray) =>
      Array.from({ length: 8 }, (_, row) =>
        Array.from({ length: 6 }, (_, column) => {
          let sum = 0;
          for (let k = 0; k < 8; k++) sum += x.data[row * 8 + k]! * weights.data[column * 8 + k]!;
          return sum;
        }),
      );
    for (const scale of [1, -3]) {
      w.write(
        array(
          Array.from({ length: 48 }, (_, i) => scale * (i - 20)),
          [6, 8],
        ),
      );
      expect((await f.run(x)).toArray()).toEqual(expected(w.readSync()));
      expect(g.runSync(x).toArray()).toEqual(expected(w.readSync()));
    }
  });

  test("follows training of the weights by another program", async () => {
    const layer = nn.linear(8, 6, { bias: false });
    const f = compile((x: Tensor) => layer.forward(x));
    const x = array(new Float32Array(64).fill(1), [8, 8]);
    const before = (await f.run(x)).data.slice();
    const step = train.step(layer, optim.sgd({ lr: 1 }), ({ x }) => layer.forward(x).sum());
    await step.run({ x, y: x });
    const after = (await f.run(x)).data;
    // d(sum)/dw = 8 for every weight, so every output changes by -8 · 8.
    after.forEach((value, i) => expect(value).toBeCloseTo(before[i]! - 64, 3));
  });
});

describe("a form", () => {
  test("stands for the parameter in a trace, is saved by its parts and read through", async () => {
    const model = nn.sequential(nn.linear(2, 3, { bias: false }));
    const [weight] = model.parameters();
    weight!.setParametrization(new Negated(filled([1, 2, 3, 4, 5, 6], [3, 2]), true));
    expect(model.namedParameters().map(({ name }) => name)).toEqual(["0.weight.hidden"]);
    expect((await weight!.read()).toArray()).toEqual([
      [-1, -2],
      [-3, -4],
      [-5, -6],
    ]);
    const f = compile((x: Tensor) => model.forward(x));
    expect((await f.run(array([1, 10], [1, 2]))).toArray()).toEqual([[-21, -43, -65]]);
    expect(() => weight!.native).toThrow('parameter "0.weight": it is held as negated, so its own numbers are gone');
    expect(() => weight!.setParametrization(undefined)).toThrow("it is held as negated already");
    model.dispose();
  });

  test("that keeps the numbers lets both be trained", async () => {
    const model = nn.linear(2, 1, { bias: false });
    model.weight.setParametrization(new Negated(filled([1, 1], [1, 2]), false));
    const names = model.namedParameters().map(({ name }) => name);
    expect(names).toEqual(["weight", "weight.hidden"]);
    const step = train.step(model, optim.sgd({ lr: 0.5 }), ({ x }) => model.forward(x).sum());
    const x = array([1, 2], [1, 2]);
    await step.run({ x, y: x });
    expect(model.weight.parametrization!.parts.hidden!.readSync().toArray()).toEqual([[1.5, 2]]);
  });
});

describe("clone", () => {
  class Twice extends nn.Module {
    inner = nn.linear(2, 2);
    same = this.inner;
    list = [nn.linear(2, 2), { deep: new Parameter([3]) }] as const;
    forward(x: Tensor): Tensor {
      return this.same.forward(this.inner.forward(x));
    }
  }

  test("has values of its own, keeps what is shared shared, and computes the same", async () => {
    const model = new Twice();
    const copy = model.clone();
    expect(copy).toBeInstanceOf(Twice);
    expect(copy.same).toBe(copy.inner);
    expect(copy.inner).not.toBe(model.inner);
    expect(copy.namedParameters().map(({ name }) => name)).toEqual(model.namedParameters().map(({ name }) => name));
    const x = array([1, -2], [1, 2]);
    const expected = (await compile((t: Tensor) => model.forward(t)).run(x)).toArray();
    model.inner.weight.write(array([0, 0, 0, 0], [2, 2]));
    expect((await compile((t: Tensor) => copy.forward(t)).run(x)).toArray()).toEqual(expected);
    model.dispose();
    expect((await compile((t: Tensor) => copy.forward(t)).run(x)).toArray()).toEqual(expected);
  });

  test("labels layers by the copy's own places", () => {
    const copy = nn.sequential(nn.linear(3, 2), nn.linear(3, 2)).clone();
    expect(() => compile((x: Tensor) => copy.forward(x)).runSync(array([1, 2, 3], [1, 3]))).toThrow('(layer "1")');
  });

  test("a look at what a form meets leaves it unharmed", async () => {
    const layer = nn.linear(2, 2, { bias: false });
    const form = new Negated(filled([1, 2, 3, 4], [2, 2]), false);
    layer.weight.setParametrization(form);
    expect(layer.weight.exchangeParametrization(undefined)).toBe(form);
    expect(layer.weight.exchangeParametrization(form)).toBeUndefined();
    const f = compile((x: Tensor) => layer.forward(x));
    expect((await f.run(array([1, 0], [1, 2]))).toArray()).toEqual([[-1, -3]]);
  });

  test("takes masks and forms along", () => {
    const model = nn.linear(2, 2, { bias: false });
    model.weight.setMask(Uint8Array.of(1, 0, 0, 1));
    model.weight.setParametrization(new Negated(filled([1, 2, 3, 4], [2, 2]), false));
    const copy = model.clone();
    expect([...copy.weight.readMask()!]).toEqual([1, 0, 0, 1]);
    expect(copy.weight.parametrization).not.toBe(model.weight.parametrization);
    model.weight.setMask(Uint8Array.of(0, 0, 0, 0));
    expect([...copy.weight.readMask()!]).toEqual([1, 0, 0, 1]);
  });

  test("refuses a forward that belongs to the original", () => {
    class Arrow extends nn.Module {
      override forward = (x: Tensor): Tensor => x;
    }
    expect(() => new Arrow().clone()).toThrow("clone: the forward of arrow is a property");
  });
});

describe("a mask", () => {
  test("zeroes at once and must fit", () => {
    const w = filled([1, 2, 3, 4], [2, 2]);
    w.setMask(Uint8Array.of(1, 0, 1, 0));
    expect(w.readSync().toArray()).toEqual([
      [1, 0],
      [3, 0],
    ]);
    expect(() => w.setMask(new Uint8Array(3))).toThrow(ShapeError);
    expect([...w.readMask()!]).toEqual([1, 0, 1, 0]);
    w.setMask(undefined);
    expect(w.readMask()).toBeUndefined();
  });
});

test("artifacts of models with packed parts load without the code", async () => {
  const folder = await mkdtemp(join(tmpdir(), "form-"));
  try {
    const model = nn.sequential(nn.linear(2, 3, { bias: false }));
    model.parameters()[0]!.setParametrization(new Negated(filled([1, 2, 3, 4, 5, 6], [3, 2]), true));
    await artifact.save(model, join(folder, "m"), { input: { dtype: "f32", shape: [2] } });
    using served = await artifact.load(join(folder, "m"));
    expect(served.weights.map(({ name }) => name)).toEqual(["0.weight.hidden"]);
    expect(served.predictSync(array([1, 10], [1, 2])).toArray()).toEqual([[-21, -43, -65]]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a saved model can be trained on: pixels, statistics and names are as they were", async () => {
  const folder = await mkdtemp(join(tmpdir(), "model-"));
  try {
    seed(3);
    const model = nn.sequential(
      nn.conv2d(1, 4, { kernel: 3 }),
      nn.batchNorm(4),
      nn.relu(),
      nn.flatten(),
      nn.linear(64, 3),
    );
    await artifact.save(model, join(folder, "m"), { input: { dtype: "u8", shape: [1, 6, 6] } });
    const loaded = await artifact.loadModel(join(folder, "m"));
    const trainable = (m: nn.Module) => m.namedParameters().filter(({ parameter }) => parameter.trainable);
    expect(
      trainable(loaded)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(
      trainable(model)
        .map(({ name }) => name)
        .sort(),
    );
    const x = array(
      Uint8Array.from({ length: 7 * 36 }, (_, i) => (i * 37) % 256),
      [7, 1, 6, 6],
    );
    const run = (m: nn.Module) =>
      compile((t: Tensor) => nn.feed(m, t))
        .runSync(x)
        .toArray();
    expect(run(loaded)).toEqual(run(model));
    const y = array(Uint8Array.of(0, 1, 2, 0, 1, 2, 0), [7]);
    const result = await train.fit(
      loaded,
      { x, y },
      { loss: loss.crossEntropy(), optimizer: optim.adam({ lr: 0.05 }), batchSize: 7, epochs: 30, progress: false },
    );
    expect(result.history.at(-1)!.metrics.loss).toBeLessThan(0.5 * result.history[0]!.metrics.loss);
    await artifact.save(loaded, join(folder, "again"));
    using again = await artifact.load(join(folder, "again"));
    expect(again.predictSync(x).toArray()).toEqual(run(loaded));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a loaded model takes whatever names a file has for its tensors", async () => {
  const folder = await mkdtemp(join(tmpdir(), "names-"));
  try {
    for (const name of ["__proto__", "constructor"]) {
      const model = nn.linear(2, 2, { bias: false });
      const path = join(folder, name);
      await artifact.save(model, path, { input: { dtype: "f32", shape: [2] } });
      // The same name, letter by letter, in the graph and in the header of the weights, padded to the length that the file says.
      const graph = await readFile(join(path, "graph.json"), "utf8");
      await writeFile(join(path, "graph.json"), graph.replaceAll('"weight"', JSON.stringify(name)));
      const weights = await readFile(join(path, "weights.safetensors"));
      const length = Number(weights.readBigUInt64LE(0));
      const header = weights
        .subarray(8, 8 + length)
        .toString()
        .trimEnd()
        .replace('"weight"', JSON.stringify(name));
      const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8));
      const size = Buffer.alloc(8);
      size.writeBigUInt64LE(BigInt(padded.length));
      await writeFile(join(path, "weights.safetensors"), Buffer.concat([size, padded, weights.subarray(8 + length)]));
      await reseal(path);
      const loaded = await artifact.loadModel(path);
      expect(loaded.namedParameters().map((named) => named.name)).toEqual([name]);
      const x = array([1, -2], [1, 2]);
      const run = (m: nn.Module) =>
        compile((t: Tensor) => m.forward(t))
          .runSync(x)
          .toArray();
      expect(run(loaded.clone())).toEqual(run(model));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
