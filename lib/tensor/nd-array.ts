// Arrays of the host: a typed array with a shape. Wrapped, never copied; the engine copies once on the way in.
import { ArgumentError, checkOptions, ShapeError } from "../errors.js";
import { got } from "../names/got.js";
import { inspect, printArray } from "./print.js";
import { convert, fromBf16Bits, type ConvertOptions } from "./conversion.js";
import { allocate, dtypeOf, holds, requireDType, type DType, type TypedArray } from "./dtype.js";

/** Extents of a tensor; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements of a shape. */
export const countOf = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

/** `[2, 3]` */
export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** A typed array with a shape, dense and row-major. */
export class NdArray {
  /** The values; shared with whoever made the array. Those of bf16 are bits: {@link numbers} reads them. */
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;

  /**
   * @throws ShapeError if the shape does not take just the elements of `data`; ArgumentError if `data` cannot hold `dtype`.
   */
  constructor(data: TypedArray, shape: Shape, dtype: DType = dtypeOf("array", data)) {
    checkShape(shape);
    requireDType("array", dtype);
    if (!holds(dtype, data)) {
      throw new ArgumentError(`array: ${dtype} values cannot be kept in a ${data.constructor.name}`);
    }
    if (countOf(shape) !== data.length) {
      throw new ShapeError(`array: shape ${showShape(shape)} takes ${countOf(shape)} values, got ${data.length}`);
    }
    this.data = data;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** The values as numbers: `data` itself, or for bf16 what its bits stand for, f32. */
  numbers(): Exclude<TypedArray, Uint16Array> {
    return this.data instanceof Uint16Array ? Float32Array.from(this.data, fromBf16Bits) : this.data;
  }

  /**
   * The single value of an array with one element.
   *
   * @throws ShapeError for any other size.
   */
  item(): number {
    if (this.data.length !== 1) {
      throw new ShapeError(`item: expected one element, got ${showShape(this.shape)}`);
    }
    return this.numbers()[0]!;
  }

  /** The same values in another shape, not copied. */
  reshape(shape: Shape): NdArray {
    return new NdArray(this.data, shape, this.dtype);
  }

  /** What `console.log` shows: type, shape and values; of many, those at the ends. */
  [inspect](): string {
    return printArray(this);
  }

  /** Nested plain arrays, for printing and tests; a number for a scalar. */
  toArray(): unknown {
    const numbers = this.numbers();
    const build = (axis: number, offset: number): unknown => {
      if (axis === this.shape.length) return numbers[offset];
      const step = countOf(this.shape.slice(axis + 1));
      return Array.from({ length: this.shape[axis]! }, (_, i) => build(axis + 1, offset + i * step));
    };
    return build(0, 0);
  }
}

/** Whether a value is an array of this element type and shape. */
export function isArrayOf(value: unknown, dtype: DType, shape: Shape): boolean {
  if (!(value instanceof NdArray) || value.dtype !== dtype || value.shape.length !== shape.length) return false;
  for (let axis = 0; axis < shape.length; axis++) if (value.shape[axis] !== shape[axis]) return false;
  return true;
}

/** @throws ShapeError unless `shape` is a shape. */
export function checkShape(shape: unknown, where = "array"): asserts shape is Shape {
  const ok = Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (ok && shape.length <= 8) return;
  throw new ShapeError(
    ok
      ? `${where}: a tensor has at most 8 dimensions, got ${shape.length}`
      : `${where}: a shape is an array of whole numbers from 0 on, got ${shown(shape)}${typeof shape === "number" ? `; write [${shape}]` : ""}`,
  );
}

const shown = (shape: unknown): string =>
  Array.isArray(shape) && shape.length < 10 && shape.every((extent) => typeof extent === "number")
    ? showShape(shape)
    : got(shape);

/** What {@link array} makes an array of. */
export type Values =
  | TypedArray
  | Uint8ClampedArray
  | Int8Array
  | Int16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly number[]
  | readonly boolean[];

/**
 * A host array of numbers. A Float32Array, Float64Array, Int32Array or Uint8Array is wrapped as it is, not copied (f32, f64, i32,
 * u8); other typed arrays of whole numbers become i32, plain numbers f32, booleans bool, unless `dtype` says otherwise. Without a
 * shape it has one dimension.
 *
 * Conversion is exact or an error: whole-number types take no fraction and nothing beyond their range, floats take the nearest
 * number (bf16 too: it is made of numbers; bits are wrapped by `new NdArray(bits, shape, "bf16")`).
 *
 * @throws ShapeError if the shape does not fit; ArgumentError for values of another kind, or that the element type cannot hold.
 * @example
 * array([1, 2, 3, 4, 5, 6], [2, 3]).shape; // [2, 3]
 * array([300, -1, 2.5], [3], "u8", { clamp: true }).toArray(); // [255, 0, 2]
 */
export function array(
  values: Values | number | boolean,
  shape?: Shape,
  dtype?: DType,
  options: ConvertOptions = {},
): NdArray {
  checkOptions("array", options, ["clamp"]);
  if (dtype !== undefined) requireDType("array", dtype);
  if (typeof values === "number" || typeof values === "boolean") {
    const kind = dtype ?? (typeof values === "boolean" ? "bool" : "f32");
    return new NdArray(convert("array", kind, [values], options), shape ?? [], kind);
  }
  const plain = Array.isArray(values);
  const kind = dtype ?? (plain ? (typeof values[0] === "boolean" ? "bool" : "f32") : dtypeOf("array", values));
  const wrapped = !plain && kind !== "bool" && kind !== "bf16" && holds(kind, values as TypedArray);
  if (!plain) dtypeOf("array", values);
  const data = wrapped ? (values as TypedArray) : convert("array", kind, values as ArrayLike<unknown>, options);
  return new NdArray(data, shape ?? [data.length], kind);
}

/** Zeros of a shape. */
export function zeros(shape: Shape, dtype: DType = "f32"): NdArray {
  checkShape(shape);
  requireDType("zeros", dtype);
  return new NdArray(allocate(dtype, countOf(shape)), shape, dtype);
}
