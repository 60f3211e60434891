// Element types and the typed arrays that hold them on the host.
import { ArgumentError } from "../errors.js";

/** Element type of a tensor. bf16 is held as bits in a `Uint16Array`, bool as 0 and 1 in a `Uint8Array`. */
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

type Constructor<T> = new (length: number) => T;

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

// What other libraries call them, and the nearest that there is to those that there are not.
const otherNames: Readonly<Record<string, string>> = {
  float: "f32",
  float32: "f32",
  f16: "f32 or bf16",
  float16: "f32 or bf16",
  half: "f32 or bf16",
  double: "f64",
  float64: "f64",
  bfloat16: "bf16",
  i8: "i32",
  i16: "i32",
  i64: "i32, or f64 for whole numbers up to 2^53",
  int: "i32",
  int8: "i32",
  int16: "i32",
  int32: "i32",
  int64: "i32, or f64 for whole numbers up to 2^53",
  long: "i32, or f64 for whole numbers up to 2^53",
  u16: "i32",
  u32: "i32, or f64 for whole numbers up to 2^53",
  u64: "i32, or f64 for whole numbers up to 2^53",
  uint8: "u8",
  byte: "u8",
  boolean: "bool",
};

/** @throws ArgumentError unless `dtype` is an element type; the sentence names the nearest. */
export function requireDType(where: string, dtype: unknown): asserts dtype is DType {
  if (typeof dtype === "string" && Object.hasOwn(constructors, dtype)) return;
  const got = typeof dtype === "string" ? `"${dtype}"` : kindOf(dtype);
  const known = typeof dtype === "string" ? otherNames[dtype.toLowerCase()] : undefined;
  throw new ArgumentError(
    `${where}: there is no element type ${got}; use ${known ?? "f32, f64, i32, u8, bool or bf16"}`,
  );
}

/** The element type that numbers in a typed array get by themselves: its own, or the smallest that holds them all. */
export function dtypeOf(where: string, data: unknown): DType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return "u8";
  if (ArrayBuffer.isView(data) && !(data instanceof DataView)) {
    return (data as object).constructor.name === "Float16Array" ? "f32" : "i32";
  }
  throw new ArgumentError(`${where}: expected numbers or a typed array such as a Float32Array, got ${kindOf(data)}`);
}

/** Whether values of `dtype` may be kept in `data`. */
export function holds(dtype: DType, data: TypedArray): boolean {
  return data instanceof constructors[dtype];
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
}
