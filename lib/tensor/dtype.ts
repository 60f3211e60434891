// Element types and the typed arrays that hold them on the host.
import { ArgumentError } from "../errors.js";

/** Element type of a tensor. bf16 is a storage type (its bits in a `Uint16Array`); bool is stored as 0 and 1 in a `Uint8Array`. */
export type DType = "f32" | "f64" | "i32" | "u8" | "bool" | "bf16";

/** The typed array that holds each element type. */
export interface HostData {
  f32: Float32Array;
  f64: Float64Array;
  i32: Int32Array;
  u8: Uint8Array;
  bool: Uint8Array;
  bf16: Uint16Array;
}

/** Any typed array that an {@link NdArray} holds. */
export type TypedArray = HostData[DType];

type Constructor<T> = { new (length: number): T; from(values: ArrayLike<number>): T };

const constructors: { [D in DType]: Constructor<HostData[D]> } = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
  bool: Uint8Array,
  bf16: Uint16Array,
};

/** Every element type. */
export const dtypes = Object.keys(constructors) as DType[];

/** Bytes of one element. */
export const sizeOf: Readonly<Record<DType, number>> = { f32: 4, f64: 8, i32: 4, u8: 1, bool: 1, bf16: 2 };

/** The smallest number above 0 that the engine computes with in f32: those below it, the denormal ones, count as 0. */
export const leastF32 = 2 ** -126;

/** A number as f32 arithmetic takes it: rounded, with those nearer to 0 than {@link leastF32} as 0. */
export function inF32(value: number): number {
  const rounded = Math.fround(value);
  return Math.abs(rounded) < leastF32 ? 0 : rounded;
}

/** Zeros of an element type. */
export function allocate<D extends DType>(dtype: D, length: number): HostData[D] {
  return new constructors[dtype](length);
}

/** A copy of numbers in an element type. */
export function convert<D extends DType>(dtype: D, values: ArrayLike<number>): HostData[D] {
  return constructors[dtype].from(values);
}

/** The element type that a typed array holds by itself. */
export function dtypeOf(where: string, data: unknown): DType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Int32Array) return "i32";
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return "u8";
  if (data instanceof Uint16Array) return "bf16";
  throw new ArgumentError(
    `${where}: expected numbers or a Float32Array, Float64Array, Int32Array, Uint8Array or Uint16Array (bf16 bits), got ${kindOf(data)}`,
  );
}

/** Whether values of `dtype` may be kept in `data`. */
export function holds(dtype: DType, data: TypedArray): boolean {
  return data instanceof constructors[dtype];
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
}
