// Methods of tensors that are more than one operation, and host arrays: values by closed form, refusals word for word.
import { describe, expect, it } from "vitest";
import { AthanorError } from "../../../lib/errors.js";
import { array, compile, grad, NdArray, zeros, type Tensor } from "../../../lib/tensor/index.js";

const run = (f: (x: Tensor) => Tensor, x: NdArray): NdArray => compile(f).runSync(x);
const sentence = (body: () => unknown): string => {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof AthanorError) return thrown.message;
    throw thrown;
  }
  return expect.fail("nothing was thrown");
};

const x = array([1, 2, 3, 4, 5, 6], [2, 3]);

describe("a tensor", () => {
  it("has norms, variances and clamped values", () => {
    expect(run((t) => t.norm(), array([3, 4])).item()).toBe(5);
    expect(run((t) => t.norm(1, { keep: true }), array([3, 4, 6, 8], [2, 2])).toArray()).toEqual([[5], [10]]);
    expect(run((t) => t.variance(), array([1, 3, 5, 7])).item()).toBe(5);
    expect(run((t) => t.variance(0), array([1, 10, 3, 10], [2, 2])).toArray()).toEqual([1, 0]);
    expect(run((t) => t.clamp(2, 5), x).toArray()).toEqual([[2, 2, 3], [4, 5, 5]]); // prettier-ignore
  });

  it("changes its shape", () => {
    const shapeOf = (f: (t: Tensor) => Tensor, shape: number[]) => run(f, zeros(shape)).shape;
    expect(shapeOf((t) => t.flatten(), [2, 3, 4])).toEqual([24]);
    expect(shapeOf((t) => t.flatten(1), [2, 3, 4])).toEqual([2, 12]);
    expect(shapeOf((t) => t.flatten(-1), [2, 3, 4])).toEqual([2, 3, 4]);
    expect(shapeOf((t) => t.flatten(), [])).toEqual([1]);
    expect(shapeOf((t) => t.flatten(1), [0, 3, 4])).toEqual([0, 12]);
    expect(shapeOf((t) => t.expandDims(0), [2, 3])).toEqual([1, 2, 3]);
    expect(shapeOf((t) => t.expandDims(-1), [2, 3])).toEqual([2, 3, 1]);
    expect(shapeOf((t) => t.squeeze(), [1, 2, 1])).toEqual([2]);
    expect(shapeOf((t) => t.squeeze(-1), [1, 2, 1])).toEqual([1, 2]);
    expect(shapeOf((t) => t.swapAxes(0, -1), [2, 3, 4])).toEqual([4, 3, 2]);
    expect(run((t) => t.swapAxes(0, 1), x).toArray()).toEqual([[1, 4], [2, 5], [3, 6]]); // prettier-ignore
  });

  it("is cut by ranges, axes left out taken whole", () => {
    expect(run((t) => t.slice([1, 2]), x).toArray()).toEqual([[4, 5, 6]]);
    expect(run((t) => t.slice(null, [0, 3, 2]), x).toArray()).toEqual([[1, 3], [4, 6]]); // prettier-ignore
    expect(run((t) => t.slice(null, [-1, -4, -1]), x).toArray()).toEqual([[3, 2, 1], [6, 5, 4]]); // prettier-ignore
  });

  it("gives plain numbers its own element type", () => {
    expect(run((t) => t.add(1), array(Int32Array.of(1, 2))).dtype).toBe("i32");
    expect(run((t) => t.add(1), array([1], [1], "f64")).dtype).toBe("f64");
    expect(run((t) => t.gt(1).where(t, 0), array([1, 2], [2], "f64")).toArray()).toEqual([0, 2]);
    // bf16 are the upper bits of an f32: 1 is 0x3f80, 1.5 is 0x3fc0.
    const half = run((t) => t.add(0.5), new NdArray(Uint16Array.of(0x3f80), [1], "bf16"));
    expect(half.dtype).toBe("bf16");
    expect([...half.data]).toEqual([0x3fc0]);
    const slope = compile(grad((t: Tensor) => t.cast("bf16").square().mul(3).cast("f32").sum()));
    expect(slope.runSync(array([1, 2])).toArray()).toEqual([6, 12]);
  });

  it("refuses with a sentence", () => {
    const refused = (f: (t: Tensor) => Tensor) => sentence(() => run(f, x));
    expect(refused((t) => t.flatten(3))).toBe("flatten: there is no dimension 3 in [2, 3]");
    expect(refused((t) => t.squeeze(1))).toBe("squeeze: axis 1 of [2, 3] does not have extent 1");
    expect(refused((t) => t.slice(null, null, null))).toBe("slice: got 3 ranges for the 2 dimensions of [2, 3]");
    expect(refused((t) => t.add("1" as never))).toBe(
      'expected a Tensor, a Parameter, an NdArray or a number as operand, got "1"; write 1',
    );
    expect(refused((t) => t.sum(2))).toBe("sum: axis 2 is out of range for a tensor with 2 dimensions; use -2 to 1");
    expect(refused((t) => t.swapAxes(0, 5))).toBe("swapAxes: axis 5 is out of range for [2, 3], expected -2 to 1");
    expect(refused((t) => t.expandDims(7))).toBe("expandDims: axis 7 is out of range for [2, 3], expected -3 to 2");
    expect(refused((t) => t.squeeze(9))).toBe("squeeze: axis 9 of [2, 3] does not have extent 1");
  });
});

describe("a host array", () => {
  it("wraps typed arrays and copies numbers", () => {
    const data = new Float32Array([1, 2]);
    expect(array(data).data).toBe(data);
    expect(array([true, false])).toMatchObject({ dtype: "bool", shape: [2] });
    expect(array(3)).toMatchObject({ dtype: "f32", shape: [] });
    expect(array([1, 2, 3, 4], [2, 2]).toArray()).toEqual([[1, 2], [3, 4]]); // prettier-ignore
    expect(array([[]].flat(), [0, 2]).toArray()).toEqual([]);
    expect(array([1, 2, 3, 4]).reshape([4, 1]).toArray()).toEqual([[1], [2], [3], [4]]);
  });

  it("refuses what it cannot hold", () => {
    expect(sentence(() => array([1, 2, 3], [2, 2]))).toBe("array: shape [2, 2] takes 4 values, got 3");
    expect(sentence(() => array([[1], [2]] as never))).toBe(
      "array: expected a flat list of numbers, found a nested list; flatten it and give the shape",
    );
    expect(sentence(() => array("x" as never))).toBe(
      "array: expected numbers or a typed array such as a Float32Array, got string",
    );
    expect(sentence(() => zeros([1.5]))).toBe("array: a shape is an array of whole numbers from 0 on, got [1.5]");
    expect(sentence(() => zeros(Array(9).fill(1) as number[]))).toBe("array: a tensor has at most 8 dimensions, got 9");
    expect(sentence(() => x.item())).toBe("item: expected one element, got [2, 3]");
  });
});
