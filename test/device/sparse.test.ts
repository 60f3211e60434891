// Products with sparse weights on the emulated device, by every way that a pattern may ask for: with what is fused into them, their gradients,
// and patterns that change between two runs.
import { describe, expect, it } from "vitest";
import { array, compile, grad, ops, Parameter, type NdArray, type Tensor } from "../../lib/index.js";
import { built, emulated } from "./emulated.js";

type Keeps = (row: number, column: number) => boolean;

const chance = (a: number, b: number) => {
  const x = Math.sin(a * 12.9898 + b * 78.233) * 43758.5453;
  return x - Math.floor(x);
};
const blocks =
  (rows: number, columns: number, kept: number): Keeps =>
  (row, column) =>
    chance(Math.floor(row / rows), Math.floor(column / columns)) < kept;

const patterns: Record<string, Keeps> = {
  "2:4": (row, column) => (column + row + (Math.floor(column / 4) % 2)) % 4 < 2,
  "1:4": (row, column) => column % 4 === row % 4,
  "1 x 16": blocks(1, 16, 0.05),
  "4 x 4": blocks(4, 4, 0.1),
  "16 x 16": blocks(16, 16, 0.2),
  "64 x 64": blocks(64, 64, 0.5),
  unstructured: blocks(1, 1, 0.3),
  nothing: () => false,
};

const wave = (shape: readonly number[], phase: number) =>
  array(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 0.7 + phase)),
    shape,
  );

function weight(n: number, k: number, keeps: Keeps) {
  const rowBytes = Math.ceil(k / 8);
  const bits = new Uint8Array(n * rowBytes);
  let count = 0;
  for (let row = 0; row < n; ++row)
    for (let column = 0; column < k; ++column)
      if (keeps(row, column)) {
        bits[row * rowBytes + (column >> 3)]! |= 1 << (column & 7);
        ++count;
      }
  return { bits: array(bits, [n, rowBytes]), count };
}

const n = 77;
const k = 150;

function held(keeps: Keeps) {
  const { bits, count } = weight(n, k, keeps);
  const bitmap = new Parameter(bits.shape, { dtype: "u8", trainable: false });
  bitmap.write(bits);
  const values = new Parameter([count]);
  const start = wave([count], 2);
  values.write(start);
  return { bitmap, values, start };
}

const agree = (got: NdArray, want: NdArray, scale = 1) => {
  expect(got.shape).toEqual(want.shape);
  for (let i = 0; i < want.data.length; ++i)
    expect(Math.abs(Number(got.data[i]) - Number(want.data[i])), `element ${i}`).toBeLessThan(2e-5 * scale);
};

describe.skipIf(!built)("on the emulated device", () => {
  for (const [name, keeps] of Object.entries(patterns)) {
    it(`a product with a weight of ${name}, its bias and activation, and the gradients`, () => {
      const { bitmap, values, start } = held(keeps);
      const bias = wave([n], 4);
      const forward = (x: Tensor) =>
        ops
          .sparseMatmul(x, { bitmap: x.trace.parameter(bitmap), values: x.trace.parameter(values) })
          .add(bias)
          .relu();
      // The weights as an argument: they are packed in every run, by the pattern that stays.
      const backward = grad(({ x, w }: { x: Tensor; w: Tensor }) =>
        ops
          .sparseMatmul(x, { bitmap: x.trace.parameter(bitmap), values: w })
          .add(bias)
          .relu()
          .square()
          .sum(),
      );
      for (const rows of [1, 9, 40]) {
        const x = wave([rows, k], rows);
        agree(compile(forward, { device: emulated }).runSync(x), compile(forward).runSync(x));
        const arguments_ = { x, w: start };
        const there = compile(backward, { device: emulated }).runSync(arguments_);
        const here = compile(backward).runSync(arguments_);
        for (const name of ["x", "w"] as const) {
          const largest = Math.max(1, ...Array.from(here[name].data, (value) => Math.abs(value)));
          agree(there[name], here[name], largest);
        }
      }
    });
  }

  it("another pattern, of the same number of weights, is run in another way", () => {
    const [first, second] = [patterns["2:4"]!, (row: number, column: number) => column < k / 2 === row >= 0];
    const { bitmap, values } = held(first);
    const f = (x: Tensor) =>
      ops.sparseMatmul(x, { bitmap: x.trace.parameter(bitmap), values: x.trace.parameter(values) });
    const [there, here] = [compile(f, { device: emulated }), compile(f)];
    const x = wave([20, k], 1);
    agree(there.runSync(x), here.runSync(x));
    for (const keeps of [second, (row: number, column: number) => first(row, column)]) {
      const { bits, count } = weight(n, k, keeps);
      if (count !== values.shape[0]) continue;
      bitmap.write(bits);
      agree(there.runSync(x), here.runSync(x));
    }
  });
});
