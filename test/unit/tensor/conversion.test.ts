// Every door by which a JavaScript number enters, by element type and value: what is exact is taken, anything else is refused with a
// sentence. Nothing wraps, is cut, or becomes NaN.
import { describe, expect, it } from "vitest";
import { assertFinite } from "../../../lib/data/check.js";
import { AthanorError } from "../../../lib/errors.js";
import { data, metrics, ops } from "../../../lib/index.js";
import {
  array,
  compile,
  dtypes,
  NdArray,
  Parameter,
  seed,
  zeros,
  type DType,
  type Tensor,
} from "../../../lib/tensor/index.js";
import { fromBf16 } from "../../ops/value.js";

const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof AthanorError) return thrown.message;
    throw thrown;
  }
  return "taken";
};

const f32Max = 3.4028234663852886e38;

/** What each element type holds, and the nearest to what it does not; NaN: there is none. */
const table: Readonly<Record<DType, { holds: readonly number[]; nearest: readonly (readonly [number, number])[] }>> = {
  f32: { holds: [0, -0, 0.5, -1, 16777216, NaN, Infinity, -Infinity, f32Max], nearest: [[1e39, f32Max], [-1e300, -f32Max]] }, // prettier-ignore
  f64: { holds: [0, 0.1, 1e300, 2 ** 53, NaN, -Infinity], nearest: [] },
  i32: {
    holds: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)],
    nearest: [[0.5, 0], [1.5, 2], [-2.5, -2], [2 ** 31, 2 ** 31 - 1], [-1e10, -(2 ** 31)], [Infinity, 2 ** 31 - 1], [NaN, NaN]], // prettier-ignore
  },
  u8: { holds: [0, 1, 255], nearest: [[300, 255], [-1, 0], [256, 255], [0.5, 0], [254.7, 255], [-0.2, 0], [Infinity, 255], [NaN, NaN]] }, // prettier-ignore
  bool: {
    holds: [0, 1],
    nearest: [
      [2, 1],
      [-1, 0],
      [0.5, 0],
      [NaN, NaN],
    ],
  },
  bf16: { holds: [0, 1, -1.5, 256, NaN, Infinity, -Infinity], nearest: [[1e39, 3.3895313892515355e38]] },
};

describe("array", () => {
  for (const dtype of dtypes) {
    const { holds, nearest } = table[dtype];
    it(`makes ${dtype} of numbers that it holds, from lists and from typed arrays`, () => {
      for (const source of [holds, Float64Array.from(holds)]) {
        const made = array(source, [holds.length], dtype);
        expect(made.dtype).toBe(dtype);
        expect(made.toArray()).toEqual(
          [...holds].map((x) => (dtype === "f32" || dtype === "f64" || dtype === "bf16" ? x : x + 0)),
        );
        expect(holds.map((x) => array(x, [], dtype).item())).toEqual(made.toArray());
      }
    });

    it(`refuses what ${dtype} does not hold, by its place, and takes the nearest when asked`, () => {
      for (const [given, near] of nearest) {
        for (const source of [[1, given], Float64Array.of(1, given)]) {
          expect(messageOf(() => array(source, [2], dtype))).toMatch(/^array: \w+ holds .*, got .* at position 1; /);
          const clamped = () => array(source, [2], dtype, { clamp: true });
          if (Number.isNaN(near)) expect(messageOf(clamped)).toMatch(/no NaN.* at position 1/);
          else expect(clamped().toArray()).toEqual([1, near]);
        }
        expect(messageOf(() => array(given, [], dtype))).toMatch(/^array: /);
      }
    });

    it.each([
      ["undefined", undefined],
      ["a hole", Array(1)[0]],
      ["null", null],
      ["a text", "3"],
      ["a bigint", 3n],
      ["a list", [1]],
      ["a record", {}],
      ["a function", () => 1],
    ])(`refuses %s among numbers of ${dtype}`, (_, strange) => {
      expect(messageOf(() => array([1, strange as number, 0], [3], dtype))).toMatch(
        /^array: expected a flat list of numbers, found /,
      );
      expect(messageOf(() => array([1, strange as number, 0], [3], dtype, { clamp: true }))).toMatch(/found /);
    });
  }

  it("rounds to the nearest bf16, halves to even, and reads it as numbers", () => {
    // Between 1 and 1 + 2^-7 lie no bf16: halves go to the even last bit.
    const made = array([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1.001, -0.1], [4], "bf16");
    expect(made.data).toBeInstanceOf(Uint16Array);
    expect(made.toArray()).toEqual([1, 1 + 2 ** -6, 1, -0.10009765625]);
    expect([...made.numbers()]).toEqual(made.toArray());
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const wrapped = new NdArray(all, [65536], "bf16");
    expect([...wrapped.numbers()]).toEqual([...all].map(fromBf16));
    const again = array([...wrapped.numbers()], [65536], "bf16");
    expect([...again.data].filter((bits, i) => bits !== i && !Number.isNaN(fromBf16(i)))).toEqual([]);
  });

  it("takes whole numbers of any typed array as they are", () => {
    expect(array(Int8Array.of(-1, 2))).toMatchObject({ dtype: "i32" });
    expect(array(Uint16Array.of(65535)).toArray()).toEqual([65535]);
    expect(array(Uint16Array.of(3), [1], "bf16").toArray()).toEqual([3]);
    expect(array(BigInt64Array.of(-5n, 7n)).toArray()).toEqual([-5, 7]);
    expect(messageOf(() => array(BigInt64Array.of(2n ** 40n)))).toMatch(/^array: i32 holds/);
    expect(messageOf(() => array(Uint32Array.of(2 ** 32 - 1)))).toMatch(/^array: i32 holds/);
    expect(array(Uint8ClampedArray.of(9))).toMatchObject({ dtype: "u8" });
    expect(messageOf(() => array(Uint8Array.of(0, 2), [2], "bool"))).toMatch(/^array: bool holds true and false/);
  });

  it("names the element type that was meant", () => {
    for (const [name, near] of [
      ["i64", "i32"],
      ["int64", "i32"],
      ["float32", "f32"],
      ["Float64", "f64"],
      ["uint8", "u8"],
      ["boolean", "bool"],
      ["float16", "bf16"],
      ["f31", "f32, f64"],
    ] as const) {
      // prettier-ignore
      const doors: readonly ((dtype: DType) => unknown)[] = [
        (dtype) => array([1], [1], dtype),
        (dtype) => array(1, [], dtype),
        (dtype) => array(Float32Array.of(1), [1], dtype),
        (dtype) => new NdArray(Float32Array.of(1), [1], dtype),
        (dtype) => zeros([1], dtype),
        (dtype) => new Parameter([1], { dtype }),
        (dtype) => compile((x: Tensor) => x.cast(dtype)).runSync(array([1])),
        (dtype) => compile((x: Tensor) => x.add(ops.arange(1, { dtype }))).runSync(array([1])),
        (dtype) => compile((x: Tensor) => ops.oneHot(x, 2, dtype)).runSync(array(Int32Array.of(1))),
      ];
      for (const door of doors) {
        const sentence = messageOf(() => door(name as DType));
        expect(sentence).toContain(`there is no element type "${name}"; use `);
        expect(sentence).toContain(near);
      }
    }
    expect(messageOf(() => array([1], [1], 5 as never))).toContain("there is no element type number");
    expect(messageOf(() => array([1], [1], "toString" as never))).toContain('there is no element type "toString"');
  });
});

describe("other doors", () => {
  it("attributes that are whole numbers take no others", () => {
    const wrong: readonly ((x: Tensor) => Tensor)[] = [
      (x) => x.sum(0.5),
      (x) => x.sum([NaN]),
      (x) => x.argmax(0.5),
      (x) => x.softmax(0.5),
      (x) => x.reshape([1.5, -1]),
      (x) => x.reshape([undefined as never]),
      (x) => x.broadcastTo([2.5, 2]),
      (x) => x.slice([0.5, 1]),
      (x) => x.slice([0, undefined as never]),
      (x) => x.pad([[0.5, 1]]),
      (x) => x.transpose([0.5]),
      (x) => x.expandDims(0.5),
      (x) => x.flatten(0.5),
      (x) => x.squeeze(0.5),
      (x) => ops.concat([x, x], 0.5),
      (x) => ops.stack([x, x], 0.5),
      (x) => ops.oneHot(x, 2.5),
      () => ops.arange(2.5),
      () => ops.arange(3, { start: 0.5 }),
      () => ops.arange(3, { step: 0.5 }),
      () => ops.arange(3, { start: 250, step: 5, dtype: "u8" }),
      () => ops.arange(3, { start: 2 ** 31 - 2 }),
    ];
    for (const f of wrong) {
      const sentence = messageOf(() => compile(f).runSync(array([1, 0])));
      expect(sentence, String(f)).not.toBe("taken");
    }
    for (const dtype of dtypes.filter((name) => name !== "bool")) {
      expect(
        compile(() => ops.arange(3, { start: 2, step: 100, dtype }))
          .runSync()
          .toArray(),
      ).toEqual([2, 102, 202]);
      expect(
        compile((x: Tensor) => ops.oneHot(x, 2, dtype))
          .runSync(array([1]))
          .toArray(),
        dtype,
      ).toEqual([[0, 1]]);
    }
    expect(
      compile(() => ops.arange(3, { start: 2, step: -1, dtype: "u8" }))
        .runSync()
        .toArray(),
    ).toEqual([2, 1, 0]);
  });

  it("feeds and written values have the element type asked for", async () => {
    const f = compile((x: Tensor) => x.mul(2));
    for (const strange of [3, [1, 2], Float32Array.of(1), "x", null] as never[]) {
      expect(messageOf(() => f.runSync(strange))).toMatch(/must be an NdArray/);
    }
    const parameter = new Parameter([2], { dtype: "i32" });
    expect(messageOf(() => parameter.write(array([1, 2])))).toMatch(/expected i32 \[2\], got f32 \[2\]/);
    expect(messageOf(() => new Parameter([2], { dtype: "i32", fill: { kind: "constant", a: 0.5, b: 0 } }))).toMatch(/not a whole number/); // prettier-ignore
    for (const strange of [1.5, -1, NaN, "1" as never]) expect(messageOf(() => seed(strange))).toMatch(/^seed: /);
    const half = new Parameter([2], { dtype: "bf16" });
    half.write(array([1.5, -2], [2], "bf16"));
    expect((await half.read()).toArray()).toEqual([1.5, -2]);
  });

  it("bf16 is read as numbers wherever data is read", () => {
    expect(messageOf(() => assertFinite("here", array([1, Infinity], [2], "bf16")))).toMatch(/x\[1\] is Infinity/);
    expect(data.oneHot(array([1, 0], [2], "bf16"), 2).toArray()).toEqual([[0, 1], [1, 0]]); // prettier-ignore
    expect([...data.standardizer(array([1, 3], [2, 1], "bf16")).mean]).toEqual([2]);
    expect(messageOf(() => metrics.evaluate(metrics.mae(), array([1], [1], "bf16"), array([1])))).toMatch(/bf16/);
  });
});
