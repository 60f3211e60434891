// Compiled functions: what they take and give, when they trace again, their parameters and gradients. What they refuse is in
// compile-refusals.test.ts.
import { describe, expect, it } from "vitest";
import { DisposedError } from "../../../lib/errors.js";
import { addon } from "../../../lib/native/index.js";
import { maxPool2d } from "../../../lib/ops/image.js";
import {
  Parameter,
  array,
  compile,
  grad,
  valueAndGrad,
  zeros,
  type NdArray,
  type Tensor,
} from "../../../lib/tensor/index.js";
import { currentTrace } from "../../../lib/tensor/trace.js";

const thrownBy = (body: () => unknown): Error => {
  try {
    body();
  } catch (thrown) {
    return thrown as Error;
  }
  return expect.fail("nothing was thrown");
};

describe("a compiled function", () => {
  it("is traced once for every signature of shapes and element types", () => {
    let traces = 0;
    const f = compile((x: Tensor) => {
      ++traces;
      return x.mul(2);
    });
    expect(f.runSync(array([1, 2])).toArray()).toEqual([2, 4]);
    expect(f.runSync(array([5, 6])).toArray()).toEqual([10, 12]);
    expect(traces).toBe(1);
    expect(f.runSync(array([1, 2, 3])).toArray()).toEqual([2, 4, 6]);
    expect(f.runSync(array([1, 2], [1, 2])).toArray()).toEqual([[2, 4]]);
    expect(f.runSync(array(Int32Array.of(3))).toArray()).toEqual([6]);
    expect(traces).toBe(4);
    expect(f.runSync(array([7, 8])).toArray()).toEqual([14, 16]);
    expect(traces).toBe(4);
    f.dispose();
    expect(() => f.runSync(array([7, 8]))).toThrow(/compile: it was disposed; compile the function anew to run it/);
    expect(traces).toBe(4);
  });

  it("gives every call its own arguments and result, however alike calls are", () => {
    const f = compile((x: Tensor, unused: Tensor, y: Tensor) => x.sub(y));
    const [one, two] = [array([1, 2]), array([10, 20])];
    const nothing = zeros([3]);
    const results = [f.runSync(one, nothing, two), f.runSync(two, nothing, one), f.runSync(two, zeros([1]), two)];
    results.push(f.runSync(two, zeros([1]), one), f.runSync(two, zeros([1]), array([1])));
    expect(results.map((result) => result.toArray())).toEqual([[-9, -18], [9, 18], [0, 0], [9, 18], [9, 19]]); // prettier-ignore
    f.dispose();
    expect(() => f.runSync(one, nothing, two)).toThrow(/it was disposed/);
  });

  it("takes and gives trees of lists and records", async () => {
    const f = compile(({ a, more }: { a: Tensor; more: [Tensor, { deep: Tensor }] }, b: Tensor) => ({
      sum: a.add(b),
      list: [more[0].neg(), { product: more[1].deep.mul(b) }] as [Tensor, { product: Tensor }],
    }));
    const more: [NdArray, { deep: NdArray }] = [array([3]), { deep: array([4, 5]) }];
    const args: [{ a: NdArray; more: typeof more }, NdArray] = [{ a: array([1, 2]), more }, array([10, 20])];
    for (const result of [await f.run(...args), f.runSync(...args)]) {
      expect(result.sum.toArray()).toEqual([11, 22]);
      expect(result.list[0].toArray()).toEqual([-3]);
      expect(result.list[1].product.toArray()).toEqual([40, 100]);
    }
    f.dispose();
  });

  it("gives an argument back as it is, in memory of its own", () => {
    const f = compile((x: Tensor) => ({ x, twice: [x, x] }));
    const given = array([1, 2, 3]);
    const { x, twice } = f.runSync(given);
    expect(x.toArray()).toEqual([1, 2, 3]);
    expect(twice[1]!.toArray()).toEqual([1, 2, 3]);
    x.data[0] = 9;
    expect(given.data[0]).toBe(1);
    f.dispose();
  });

  it("gives results that later runs leave alone", () => {
    const f = compile((x: Tensor) => x.add(1));
    const first = f.runSync(array([1]));
    f.runSync(array([5]));
    expect(first.toArray()).toEqual([2]);
    f.dispose();
  });

  it("copies its feeds before run returns", async () => {
    const f = compile((x: Tensor) => x.add(0.5));
    const x = array([1, 2]);
    const running = f.run(x);
    x.data.fill(100);
    expect((await running).toArray()).toEqual([1.5, 2.5]);
    f.dispose();
  });

  it("answers many runs at once, each with its own", async () => {
    const f = compile((x: Tensor) => x.matmul(x).sum());
    const runs = Array.from({ length: 20 }, (_, i) => f.run(array(new Float32Array(64 * 64).fill(i), [64, 64])));
    const sums = (await Promise.all(runs)).map((sum) => sum.item());
    expect(sums).toEqual(Array.from({ length: 20 }, (_, i) => i * i * 64 ** 3));
    f.dispose();
  });

  it("holds constants and host arrays that it closes over", () => {
    const table = array([10, 20, 30]);
    const f = compile((x: Tensor) => x.add(table).mul(2).sub(array(1)));
    expect(f.runSync(array([1, 2, 3])).toArray()).toEqual([21, 43, 65]);
    table.data[0] = 1000; // it was copied while tracing
    expect(f.runSync(array([1, 2, 3])).toArray()).toEqual([21, 43, 65]);
    f.dispose();
  });

  it("works without any argument and on empty tensors", () => {
    const constant = compile(() => currentTrace("test").scalar(3, "f32").mul(2));
    expect(constant.runSync().item()).toBe(6);
    const empty = compile((x: Tensor) => [x.exp(), x.sum()] as const);
    const [y, sum] = empty.runSync(zeros([0, 4]));
    expect(y.shape).toEqual([0, 4]);
    expect(sum.item()).toBe(0);
  });

  it("draws the same numbers for the same seed and step, others for others", async () => {
    const f = compile((x: Tensor) =>
      currentTrace("test").apply("random_uniform", [], { shape: x.shape, key: 3 }).add(x),
    );
    const x = zeros([100]);
    const draw = async (seed: number, step: number) => [...(await f.run(x, { seed, step })).data];
    const first = await draw(7, 1);
    expect(await draw(7, 1)).toEqual(first);
    for (const other of [await draw(8, 1), await draw(7, 2)]) expect(other).not.toEqual(first);
    f.dispose();
  });
});

describe("parameters", () => {
  it("are read where they stand and written once the run is done", () => {
    const p = new Parameter([2]);
    p.write(array([1, 2]));
    const f = compile((x: Tensor) => {
      const before = p.tensor();
      before.trace.update(p, before.add(x));
      return before.mul(10);
    });
    expect(f.runSync(array([1, 1])).toArray()).toEqual([10, 20]);
    expect(p.readSync().toArray()).toEqual([2, 3]);
    expect(f.runSync(array([1, 1])).toArray()).toEqual([20, 30]);
    expect(p.readSync().toArray()).toEqual([3, 4]);
    f.dispose();
    p.dispose();
    expect(thrownBy(() => p.readSync())).toBeInstanceOf(DisposedError);
  });

  it("live on in a program that uses them after they are disposed", () => {
    const p = new Parameter([1]);
    p.write(array([5]));
    const f = compile((x: Tensor) => p.tensor().add(x));
    expect(f.runSync(array([1])).toArray()).toEqual([6]);
    p.dispose();
    expect(f.runSync(array([2])).toArray()).toEqual([7]);
    f.dispose();
  });

  it("refuse another shape by name", () => {
    const p = new Parameter([2]);
    expect(thrownBy(() => p.write(array([1, 2, 3]))).message).toBe("parameter: expected f32 [2], got f32 [3]");
    p.name = "0.weight";
    expect(thrownBy(() => p.write(array([1, 2], [2], "f64"))).message).toBe(
      'parameter "0.weight": expected f32 [2], got f64 [2]',
    );
    p.dispose();
  });
});

describe("grad", () => {
  it("differentiates with respect to a whole tree", () => {
    const df = compile(grad(({ w, b }: { w: Tensor; b: Tensor[] }, x: Tensor) => w.mul(x).add(b[0]!).square().sum()));
    const { w, b } = df.runSync({ w: array([2]), b: [array([1])] }, array([3]));
    expect(w.toArray()).toEqual([2 * (2 * 3 + 1) * 3]);
    expect(b[0]!.toArray()).toEqual([2 * (2 * 3 + 1)]);
  });

  it("nests", () => {
    const cube = (x: Tensor) => x.mul(x).mul(x).sum();
    const second = compile(grad((x: Tensor) => grad(cube)(x).sum()));
    expect(second.runSync(array([1, 2, -3])).toArray()).toEqual([6, 12, -18]);
    const third = compile(grad((x: Tensor) => grad((y: Tensor) => grad(cube)(y).sum())(x).sum()));
    expect(third.runSync(array([1, 2, -3])).toArray()).toEqual([6, 6, 6]);
  });

  it("is zero where nothing depends, and behind a stopped gradient", () => {
    const f = compile(grad((x: Tensor) => x.stopGradient().mul(3).sum()));
    expect(f.runSync(array([1, 2])).toArray()).toEqual([0, 0]);
    const g = compile(grad((_x: Tensor, y: Tensor) => y.sum()));
    expect(g.runSync(array([1, 2]), array([1])).toArray()).toEqual([0, 0]);
    const h = compile(valueAndGrad((x: Tensor) => x.mul(x.stopGradient()).sum()));
    const { value, gradient } = h.runSync(array([2, 3]));
    expect(value.item()).toBe(13);
    expect(gradient.toArray()).toEqual([2, 3]);
  });

  it("says what cannot be differentiated", () => {
    const sentence = (f: (x: Tensor) => Tensor, x = array([1, 2])) =>
      thrownBy(() => compile(grad(f)).runSync(x)).message;
    expect(sentence((x) => x.mul(2))).toBe(
      "grad: the function must return one number to be differentiated, got f32 [2]; reduce it with sum() or mean()",
    );
    const pooled = (x: Tensor) =>
      maxPool2d(x, { kernel: [1, 2] })
        .square()
        .sum();
    expect(sentence((x) => grad(pooled)(x.reshape([1, 1, 1, 2])).sum())).toBe(
      "grad: max_pool2d_grad has no gradient; stop the gradient before it, or leave it out of what is differentiated",
    );
  });
});

describe("memory", () => {
  it("comes back when a function is disposed", () => {
    const before = addon.nativeBytes();
    const f = compile((x: Tensor) => x.matmul(x).softmax());
    f.runSync(zeros([200, 200]));
    expect(addon.nativeBytes()).toBeGreaterThan(before);
    f.dispose();
    expect(addon.nativeBytes()).toBe(before);
  });
});
