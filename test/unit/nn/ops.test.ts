import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../../lib/errors.js";
import { addon } from "../../../lib/native/index.js";
import * as ops from "../../../lib/ops/index.js";
import { array, compile, grad, type NdArray, type Tensor } from "../../../lib/tensor/index.js";

const count = (n: number) => Float32Array.from({ length: n }, (_, i) => i);

describe("concat, stack, where", () => {
  it("joins along any axis and hands gradients back to their parts", async () => {
    const [a, b] = [array(count(4), [2, 2]), array(count(2), [2, 1])];
    const f = compile((a: Tensor, b: Tensor) => ops.concat([a, b], -1));
    expect((await f.run(a, b)).toArray()).toEqual([
      [0, 1, 0],
      [2, 3, 1],
    ]);
    const df = compile(
      grad(([a, b]: [Tensor, Tensor]) =>
        ops
          .concat([a, b], 1)
          .mul(array(count(6), [2, 3]))
          .sum(),
      ),
    );
    const [da, db] = await df.run([a, b]);
    expect(da.toArray()).toEqual([
      [0, 1],
      [3, 4],
    ]);
    expect(db.toArray()).toEqual([[2], [5]]);
  });

  it("stacks along a new axis, counted from either end", async () => {
    const [a, b] = [array([1, 2]), array([3, 4])];
    const shapeOf = async (axis: number) =>
      (await compile((a: Tensor, b: Tensor) => ops.stack([a, b], axis)).run(a, b)).toArray();
    expect(await shapeOf(0)).toEqual([[1, 2], [3, 4]]); // prettier-ignore
    expect(await shapeOf(-1)).toEqual([[1, 3], [2, 4]]); // prettier-ignore
  });

  it("says what is wrong with a list", async () => {
    expect(() => ops.concat([])).toThrow("concat: expected a list of one tensor or more, got none");
    expect(() => ops.stack([array([1]) as never])).toThrow(
      "stack: tensor 0 must be a Tensor, got an NdArray f32 [1]; wrap the call in compile((x) => …) and run that with an array",
    );
    const odd = compile((a: Tensor, b: Tensor) => ops.stack([a, b]));
    await expect(odd.run(array([1]), array([1, 2]))).rejects.toThrow("stack: all must have one shape, got [1] and [2]");
    const far = compile((a: Tensor) => ops.stack([a], 2));
    await expect(far.run(array([1]))).rejects.toThrow("stack: axis must be from -2 to 1, got 2");
  });

  it("chooses between a tensor and a number", async () => {
    const f = compile((x: Tensor) => ops.where(x.lt(0), 0, x));
    expect((await f.run(array([-1, 2]))).toArray()).toEqual([0, 2]);
  });
});

describe("padding of windows", () => {
  const shapeOf = async (
    size: readonly [number, number],
    options: ops.Conv2dOptions,
    kernel: [number, number] = [3, 3],
  ) => {
    const weight = array(new Float32Array(kernel[0] * kernel[1]), [1, 1, ...kernel]);
    const f = compile((x: Tensor) => ops.conv2d(x, weight, options));
    return (await f.run(array(new Float32Array(size[0] * size[1]), [1, 1, ...size]))).shape.slice(2);
  };

  it('"same" gives ⌈input / stride⌉ for every kernel, stride and dilation', async () => {
    for (const stride of [1, 2, 3])
      for (const dilation of [1, 2])
        for (const kernel of [
          [3, 3],
          [2, 5],
          [1, 4],
        ] as [number, number][]) {
          const got = await shapeOf([11, 8], { padding: "same", stride, dilation }, kernel);
          expect(got).toEqual([Math.ceil(11 / stride), Math.ceil(8 / stride)]);
        }
  });

  it('"same" puts the odd zero at the end, as PyTorch does', async () => {
    const f = compile((x: Tensor) => ops.conv2d(x, array([1, 10], [1, 1, 1, 2]), { padding: "same" }));
    expect((await f.run(array([1, 2, 3], [1, 1, 1, 3]))).toArray()).toEqual([[[[21, 32, 3]]]]);
  });

  it("takes a number, two and four", async () => {
    expect(await shapeOf([5, 6], { padding: "valid" })).toEqual([3, 4]);
    expect(await shapeOf([5, 6], { padding: 1 })).toEqual([5, 6]);
    expect(await shapeOf([5, 6], { padding: [1, 2] })).toEqual([5, 8]);
    expect(await shapeOf([5, 6], { padding: [1, 0, 0, 3] })).toEqual([4, 7]);
  });

  it("says what may be written", async () => {
    await expect(shapeOf([5, 5], { padding: "full" as never })).rejects.toThrow(
      'conv2d: padding must be "same", "valid", a whole number from 0 on, [height, width] or [top, bottom, left, right], got "full"',
    );
    await expect(shapeOf([5, 5], { stride: 0 })).rejects.toThrow("conv2d: stride must be a whole number from 1 on");
    await expect(shapeOf([5, 5], { strides: 2 } as never)).rejects.toThrow('did you mean "stride"?');
  });
});

describe("random numbers", () => {
  const draw = compile((x: Tensor) => ({ a: ops.uniform([1000]), b: ops.uniform([1000], { low: -3, high: 5 }), x }));
  const run = async (seed: number, step: number) => draw.run(array([0]), { seed, step });

  it("are uniform, differ by place, seed and step, and repeat", async () => {
    const { a, b } = await run(7, 3);
    const again = await run(7, 3);
    expect(a.data).toEqual(again.a.data);
    expect(a.data).not.toEqual((await run(8, 3)).a.data);
    expect(a.data).not.toEqual((await run(7, 4)).a.data);
    expect([...b.data].map((v) => (v + 3) / 8)).not.toEqual([...a.data]);
    expect(Math.min(...a.data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...a.data)).toBeLessThan(1);
    expect(Math.min(...b.data)).toBeGreaterThanOrEqual(-3);
    expect(Math.max(...b.data)).toBeLessThan(5);
    // The mean of n uniform numbers deviates by 1 / √(12 n): five of those.
    expect(Math.abs(meanOf(a) - 0.5)).toBeLessThan(5 / Math.sqrt(12_000));
    expect(Math.abs(meanOf(b) - 1)).toBeLessThan((8 * 5) / Math.sqrt(12_000));
  });

  const meanOf = ({ data }: NdArray) => [...data].reduce((sum, v) => sum + v, 0) / data.length;

  it("are the same bits on any instruction set and number of threads", async () => {
    const [isa, threads] = [addon.isa(), addon.threads()];
    const drawn: NdArray[] = [];
    try {
      for (const name of addon.isas()) {
        for (const count of [1, 2, 7]) {
          addon.setIsa(name);
          addon.setThreads(count);
          const f = compile((x: Tensor) => ops.dropout(x, 0.3).add(ops.uniform([70_001])), { training: true });
          drawn.push(await f.run(array(new Float32Array(70_001).fill(1)), { seed: 3, step: 4 }));
        }
      }
    } finally {
      addon.setIsa(isa);
      addon.setThreads(threads);
    }
    for (const { data } of drawn) expect(data).toEqual(drawn[0]!.data);
  });

  it("dropout keeps and scales in training, and is nothing in use", async () => {
    const ones = array(new Float32Array(10_000).fill(1));
    const kept = await compile((x: Tensor) => ops.dropout(x, 0.2), { training: true }).run(ones, { seed: 1 });
    expect(new Set(kept.data)).toEqual(new Set([0, 1.25]));
    // The share of zeros deviates by √(p (1 − p) / n): five of those.
    const zeros = kept.data.filter((v) => v === 0).length / 10_000;
    expect(Math.abs(zeros - 0.2)).toBeLessThan(5 * Math.sqrt(0.16 / 10_000));
    expect((await compile((x: Tensor) => ops.dropout(x, 0.2)).run(ones)).data).toEqual(ones.data);
    expect(new Set((await compile((x: Tensor) => ops.dropout(x, 1), { training: true }).run(ones)).data)).toEqual(
      new Set([0]),
    );
  });

  it("the gradient of dropout goes through the elements that were kept", async () => {
    const f = compile(
      (x: Tensor) => {
        const y = ops.dropout(x, 0.5);
        return { y, dx: x.trace.gradients(y.sum(), [x])[0]! };
      },
      { training: true },
    );
    const { y, dx } = await f.run(array(new Float32Array(500).fill(1)), { seed: 2, step: 9 });
    expect(dx.data).toEqual(y.data);
  });

  it("need a trace and numbers in order", () => {
    expect(() => ops.uniform([2])).toThrow("uniform: only works while a function is being traced");
    expect(() => ops.uniform([2], { low: 2, high: 1 })).toThrow(ArgumentError);
  });
});

describe("ranges, rows and one-hot", () => {
  it("arange counts from start by step in any element type", async () => {
    const f = compile((x: Tensor) => ({
      i: ops.arange(3),
      f: ops.arange(3, { start: 1, step: -0.5, dtype: "f32" }),
      x,
    }));
    const { i, f: half } = await f.run(array([0]));
    expect([i.dtype, i.toArray()]).toEqual(["i32", [0, 1, 2]]);
    expect(half.toArray()).toEqual([1, 0.5, 0]);
  });

  it("name the position of a number out of range", async () => {
    const look = compile((i: Tensor) => ops.embedding(array(count(6), [3, 2]), i));
    await expect(look.run(array(Int32Array.of(0, 3, 1)))).rejects.toThrow(
      /index 3 at position 1 is out of range, expected 0 to 2/,
    );
    const hot = compile((i: Tensor) => ops.oneHot(i, 3));
    await expect(hot.run(array(Int32Array.of(-1)))).rejects.toThrow(/index -1 at position 0/);
  });
});

describe("attention", () => {
  const B = 1, T = 5, D = 4; // prettier-ignore
  const part = (seed: number, heads: number) =>
    array(
      count(B * heads * T * D).map((i) => Math.sin(seed + 1.7 * i)),
      [B, heads, T, D],
    );

  it("a causal mask given as a mask is the causal flag", async () => {
    const [q, k, v] = [part(1, 2), part(2, 2), part(3, 2)];
    const below = array(
      Array.from({ length: T * T }, (_, i) => i % T <= Math.floor(i / T)),
      [T, T],
    );
    const causal = compile((q: Tensor, k: Tensor, v: Tensor) => ops.attention(q, k, v, { causal: true }));
    const masked = compile((q: Tensor, k: Tensor, v: Tensor) => ops.attention(q, k, v, { mask: below }));
    const [a, b] = [await causal.run(q, k, v), await masked.run(q, k, v)];
    a.data.forEach((value, i) => expect(b.data[i]).toBeCloseTo(value, 6));
  });

  it("packed is the same as heads apart", async () => {
    const [H, K] = [4, 2];
    const qkv = array(
      count(B * T * (H + 2 * K) * D).map((i) => Math.sin(1.3 * i)),
      [B, T, (H + 2 * K) * D],
    );
    const packed = compile((x: Tensor) => ops.attentionPacked(x, { heads: H, kvHeads: K, causal: true }));
    const apart = compile((x: Tensor) => {
      const heads = x.reshape([B, T, H + 2 * K, D]).swapAxes(1, 2);
      const [q, k, v] = [
        heads.slice(null, [0, H]),
        heads.slice(null, [H, H + K]),
        heads.slice(null, [H + K, H + 2 * K]),
      ];
      return ops
        .attention(q, k, v, { causal: true })
        .swapAxes(1, 2)
        .reshape([B, T, H * D]);
    });
    const [a, b] = [await packed.run(qkv), await apart.run(qkv)];
    expect(a.shape).toEqual(b.shape);
    a.data.forEach((value, i) => expect(b.data[i]).toBeCloseTo(value, 6));
  });
});

describe("activations", () => {
  it("elu and leakyRelu keep their gradients finite far out", async () => {
    const d = compile(grad((x: Tensor) => ops.elu(x).add(ops.leakyRelu(x)).sum()));
    const got = (await d.run(array([1e30, 200, 0, -200]))).toArray() as number[];
    expect(got.map((v) => Math.round(v * 1e6) / 1e6)).toEqual([2, 2, 1.01, 0.01]);
  });
});
