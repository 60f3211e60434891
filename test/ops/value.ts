// Host values of the spec matrix: every element as a float64, whatever its type, so that references are plain arithmetic.
import type { DType, TypedArray } from "../../lib/tensor/dtype.js";
import { allocate } from "../../lib/tensor/dtype.js";

export interface Value {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export const countOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; --axis) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

const half = new Float32Array(1);
const halfBits = new Uint32Array(half.buffer);

/** The bits of the nearest bf16, ties to even. */
export function bf16Bits(value: number): number {
  half[0] = value;
  const bits = halfBits[0]!;
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return (((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffffffff) >>> 16) & 0xffff;
}

export function fromBf16(bits: number): number {
  halfBits[0] = bits << 16;
  return half[0]!;
}

/** The typed array that the engine takes. */
export function pack(value: Value): TypedArray {
  if (value.dtype === "bf16") return Uint16Array.from(value.data, bf16Bits);
  const data = allocate(value.dtype, value.data.length);
  data.set(value.data);
  return data;
}

/** The engine's typed array as a value. */
export function unpack(dtype: DType, shape: readonly number[], data: TypedArray): Value {
  return { dtype, shape, data: dtype === "bf16" ? Float64Array.from(data, fromBf16) : Float64Array.from(data) };
}

/** A value whose elements are what its type can hold. */
export function value(dtype: DType, shape: readonly number[], data: ArrayLike<number>): Value {
  const packed = pack({ dtype, shape, data: Float64Array.from(data) });
  if (packed.length !== countOf(shape))
    throw new Error(`a sample has ${packed.length} elements for [${shape.join(", ")}]`);
  return unpack(dtype, shape, packed);
}

/** A generator of uniform numbers in [0, 1): splitmix32. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

let seeds = 1;

/** Uniform in [low, high); every call draws other numbers. */
export function uniform(shape: readonly number[], low = -2, high = 2, dtype: DType = "f32"): Value {
  const draw = random(seeds++ * 7919);
  return value(
    dtype,
    shape,
    Float64Array.from({ length: countOf(shape) }, () => low + (high - low) * draw()),
  );
}

/** Whole numbers from low to high - 1. */
export function whole(shape: readonly number[], low: number, high: number, dtype: DType = "i32"): Value {
  const draw = random(seeds++ * 104729);
  return value(
    dtype,
    shape,
    Float64Array.from({ length: countOf(shape) }, () => low + Math.floor((high - low) * draw())),
  );
}

export const bools = (shape: readonly number[]): Value => whole(shape, 0, 2, "bool");

/** Numbers at least `gap` apart in random order: no ties, and no kink within a difference step. */
export function distinct(shape: readonly number[], gap = 0.05, dtype: DType = "f32"): Value {
  const draw = random(seeds++ * 15485863);
  const data = Float64Array.from({ length: countOf(shape) }, (_, i) => (i - countOf(shape) / 2) * gap);
  for (let i = data.length - 1; i > 0; --i) {
    const j = Math.floor(draw() * (i + 1));
    [data[i], data[j]] = [data[j]!, data[i]!];
  }
  return value(dtype, shape, data);
}

/** Zeros, infinities, NaN, subnormal, largest and ordinary numbers. */
export const extremes: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -1.5,
  Infinity,
  -Infinity,
  NaN,
  1e-40,
  -1e-40,
  3.4e38,
  -3.4e38,
  1.2e-38,
  1e-20,
  -1e-20,
  88.5,
  89.5,
  -87,
  -104,
  20,
  -20,
  1e10,
  -1e10,
  3,
  -7,
  123.456,
  16777217,
  0.1,
];

/** One index vector after the other, row-major. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  const index = shape.map(() => 0);
  for (let n = countOf(shape); n > 0; --n) {
    yield index;
    for (let axis = shape.length - 1; axis >= 0; --axis) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** NumPy's rule. */
export function broadcastShape(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).filter((extent) => extent !== 1);
    return extents[0] ?? 1;
  });
}

/** Where element `index` of a broadcast result is read in an operand of `shape`. */
export function offsetIn(shape: readonly number[], index: readonly number[]): number {
  let offset = 0;
  for (let axis = 0; axis < shape.length; ++axis) {
    offset = offset * shape[axis]! + (shape[axis] === 1 ? 0 : index[axis + index.length - shape.length]!);
  }
  return offset;
}

/** f of every tuple of broadcast elements. */
export function mapBroadcast(dtype: DType, operands: readonly Value[], f: (...x: number[]) => number): Value {
  const shape = broadcastShape(...operands.map((operand) => operand.shape));
  const data = new Float64Array(countOf(shape));
  let at = 0;
  for (const index of indices(shape)) data[at++] = f(...operands.map((x) => x.data[offsetIn(x.shape, index)]!));
  return { dtype, shape, data };
}

export const like = (x: Value, data: Float64Array, shape: readonly number[] = x.shape): Value => ({
  dtype: x.dtype,
  shape,
  data,
});

/** Axes in another order. */
export function permute(x: Value, order: readonly number[]): Value {
  const shape = order.map((axis) => x.shape[axis]!);
  const strides = stridesOf(x.shape);
  const data = new Float64Array(x.data.length);
  let at = 0;
  for (const index of indices(shape)) {
    let offset = 0;
    for (let i = 0; i < order.length; ++i) offset += index[i]! * strides[order[i]!]!;
    data[at++] = x.data[offset]!;
  }
  return like(x, data, shape);
}
