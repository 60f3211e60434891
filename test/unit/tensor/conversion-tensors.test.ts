// Numbers beside tensors, whole-number arithmetic and labels: exact or refused, by element type and value.
import { describe, expect, it } from "vitest";
import { AthanorError } from "../../../lib/errors.js";
import { data, distill, loss, metrics, nn, ops, optim, train } from "../../../lib/index.js";
import { array, compile, type DType, type NdArray, type Tensor } from "../../../lib/tensor/index.js";

const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof AthanorError) return thrown.message;
    throw thrown;
  }
  return "taken";
};

const binary = ["add", "sub", "mul", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "mod", "pow", "floorDiv"] as const; // prettier-ignore

describe("a number beside a tensor", () => {
  const scalars: readonly (readonly [string, (x: Tensor, c: number) => Tensor])[] = [
    ...binary.map((name) => [name, (x: Tensor, c: number) => x[name](c)] as const),
    ["clamp, low", (x, c) => x.clamp(c, x)],
    ["clamp, high", (x, c) => x.clamp(x, c)],
    ["where, left", (x, c) => x.eq(x).where(c, x)],
    ["where, right", (x, c) => x.eq(x).where(x, c)],
    ["ops.where", (x, c) => ops.where(x.eq(x), c, x)],
    ["pad", (x, c) => x.pad([[1, 0]], c)],
  ];
  const cases: readonly (readonly [DType, readonly number[]])[] = [
    ["i32", [0.5, 1.5, -0.1, NaN, Infinity, 2 ** 31, -1e10]],
    ["u8", [0.5, 256, -1, NaN]],
    ["bool", [0.5, 2, -1, NaN]],
    ["f32", [1e39, -1e300, 1e-50, -1e-60]],
    ["bf16", [1e39, 1e-50]],
  ];
  it.each(cases)("that %s does not hold is refused, by the operation's name", (dtype, numbers) => {
    const x = array([1, 0], [2], dtype);
    for (const [name, f] of scalars) {
      for (const number of numbers) {
        const sentence = messageOf(() => compile((t: Tensor) => f(t, number)).runSync(x));
        expect(sentence, `${name}(${number}) of ${dtype}`).not.toBe("taken");
        if (/^\w+: (floats|takes)/.test(sentence)) continue;
        if (name === "floorDiv" && dtype !== "i32") continue; // by way of div
        expect(sentence, `${name}(${number}) of ${dtype}`).toMatch(/^(\w+): .*(cast the tensor|bounds|division by zero|no power)/); // prettier-ignore
      }
    }
  });

  it("that the type holds gives the exact result", () => {
    expect(
      compile((x: Tensor) => x.mul(3))
        .runSync(array(Int32Array.of(-2, 5)))
        .toArray(),
    ).toEqual([-6, 15]);
    expect(
      compile((x: Tensor) => x.eq(255))
        .runSync(array(Uint8Array.of(255, 0)))
        .toArray(),
    ).toEqual([1, 0]);
    expect(
      compile((x: Tensor) => x.mul(-Infinity))
        .runSync(array([1]))
        .toArray(),
    ).toEqual([-Infinity]);
    expect(
      compile((x: Tensor) => x.mul(1e300))
        .runSync(array([1], [1], "f64"))
        .toArray(),
    ).toEqual([1e300]);
  });

  it("of another kind is refused", () => {
    for (const strange of [undefined, null, "2", true, 3n, [1]] as never[]) {
      for (const [name, f] of scalars.filter(([name]) => name !== "pad")) {
        expect(
          messageOf(() => compile((x: Tensor) => f(x, strange)).runSync(array([1, 2]))),
          name,
        ).not.toBe("taken");
      }
    }
  });
});

describe("whole numbers", () => {
  const a = Int32Array.of(7, -7, 7, -7, 0, -(2 ** 31), 2 ** 31 - 1, 6);
  const b = Int32Array.of(2, 2, -2, -2, 5, 3, -5, 3);
  it("have no plain quotient", () => {
    for (const divide of [(x: Tensor) => x.div(2), (x: Tensor) => x.div(x)]) {
      expect(messageOf(() => compile(divide).runSync(array(a)))).toBe(
        'div: quotients of i32 are no whole numbers; write x.cast("f32").div(…) for floats, or x.floorDiv(…) to round down',
      );
    }
  });

  it("are divided rounding down, with the remainder that goes with it, as in Python", () => {
    const [quotients, remainders] = compile((x: Tensor, y: Tensor) => [x.floorDiv(y), x.mod(y)]).runSync(array(a), array(b)) as [NdArray, NdArray]; // prettier-ignore
    a.forEach((x, i) => {
      expect(quotients.data[i]).toBe(Math.floor(x / b[i]!));
      expect(remainders.data[i]).toBe(x - b[i]! * Math.floor(x / b[i]!));
    });
    expect(
      compile((x: Tensor) => x.floorDiv(-2))
        .runSync(array(a))
        .toArray(),
    ).toEqual([...a].map((x) => Math.floor(x / -2) + 0));
    expect(
      compile((x: Tensor) => x.floorDiv(2))
        .runSync(array([7, -7]))
        .toArray(),
    ).toEqual([3, -4]);
  });

  it("are never divided by zero, nor raised to a negative power", async () => {
    const zero = array(Int32Array.of(1, 0));
    for (const name of ["floorDiv", "mod"] as const) {
      const x = array(Int32Array.of(4, 4));
      expect(messageOf(() => compile((t: Tensor) => t[name](0)).runSync(x))).toMatch(
        new RegExp(`^${name}: division by zero`),
      );
      const both = compile((t: Tensor, d: Tensor) => t[name](d));
      expect(messageOf(() => both.runSync(x, zero))).toMatch(new RegExp(`^${name}: division by zero: the i32 divisor at position 1 is 0`)); // prettier-ignore
      await expect(both.run(x, zero)).rejects.toThrow("division by zero");
      expect(both.runSync(x, array(Int32Array.of(1, 3))).toArray()).toEqual(name === "mod" ? [0, 1] : [4, 1]);
      const constant = compile((t: Tensor) => t[name](zero));
      expect(messageOf(() => constant.runSync(x))).toMatch(/division by zero/);
    }
    const power = compile((x: Tensor, y: Tensor) => x.pow(y));
    expect(messageOf(() => power.runSync(array(Int32Array.of(2)), array(Int32Array.of(-1))))).toMatch(/^pow: whole numbers have no negative powers/); // prettier-ignore
    expect(messageOf(() => compile((x: Tensor) => x.pow(-1)).runSync(zero))).toMatch(
      /^pow: whole numbers have no power of -1/,
    );
  });

  it("are not mixed with floats", () => {
    const mixed = compile((x: Tensor, y: Tensor) => x.mul(y));
    expect(messageOf(() => mixed.runSync(array([1]), array(Int32Array.of(1))))).toBe(
      "mul: operands must have one element type, got f32 and i32; cast one of them",
    );
  });
});

describe("labels that are plain numbers", () => {
  const scores = array([1, 2, 0.5, 3, -1, 0, 0, 0, 4], [3, 3]);
  const doors: readonly (readonly [string, (s: Tensor, y: Tensor) => Tensor])[] = [
    ["ops.crossEntropy", (s, y) => ops.crossEntropy(s, y)],
    ["loss.crossEntropy", (s, y) => loss.crossEntropy()(s, y)],
    ["loss.crossEntropy, ignoring", (s, y) => loss.crossEntropy({ ignoreIndex: 2 })(s, y)],
    ["loss.nll", (s, y) => loss.nll()(s.logSoftmax(), y)],
    ["distill.dkd", (s, y) => distill.losses.dkd(s, s.mul(0.5), y)],
    ["ops.oneHot", (s, y) => ops.oneHot(y, 3).mul(s)],
    ["ops.embedding", (s, y) => ops.embedding(s, y)],
    ["gather", (s, y) => s.gather(1, y.expandDims(1))],
    ["scatterAdd", (s, y) => s.scatterAdd(1, y.expandDims(1), s.slice(null, [0, 1]))],
  ];
  it.each(doors)("%s takes them in any element type, and no fractions", (_, f) => {
    const g = compile(f);
    const want = g.runSync(scores, array(Int32Array.of(0, 2, 1))).toArray();
    for (const dtype of ["f32", "f64", "u8", "bf16"] as const) {
      expect(g.runSync(scores, array([0, 2, 1], [3], dtype)).toArray(), dtype).toEqual(want);
    }
    expect(g.runSync(scores, array([false, true, true])).toArray()).toEqual(
      g.runSync(scores, array(Int32Array.of(0, 1, 1))).toArray(),
    );
    expect(messageOf(() => g.runSync(scores, array([0, 1.5, 1])))).toMatch(
      /expected whole numbers, got 1.5 at position 1/,
    );
    expect(messageOf(() => g.runSync(scores, array([0, NaN, 1])))).toMatch(
      /expected whole numbers, got nan at position 1/,
    );
  });

  it("train, evaluate and count a model, with no word of element types", async () => {
    const x = array([1, 0, 0, 1, 1, 0, 0, 1], [4, 2]);
    const set = data.fromArrays({ x, y: array([0, 1, 0, 1]) });
    const model = nn.linear(2, 2);
    const options = { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 1 }), batchSize: 2, epochs: 20 };
    await train.fit(model, set, { ...options });
    const report = await train.evaluate(model, set, { metrics: { accuracy: metrics.accuracy() } });
    expect((report as { accuracy: number }).accuracy).toBe(1);
  });
});
