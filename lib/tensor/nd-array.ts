// Arrays of the host: a typed array with a shape. Wrapped, never copied; the engine copies once on the way in.
import { ArgumentError, ShapeError } from "../errors.js";
import { got } from "../names/got.js";
import { inspect, printArray } from "./print.js";
import { allocate, convert, dtypeOf, holds, type DType, type TypedArray } from "./dtype.js";

/** Extents of a tensor; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements of a shape. */
export const countOf = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

/** `[2, 3]` */
export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** A typed array with a shape, dense and row-major. */
export class NdArray {
  /** The values; shared with whoever made the array. */
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;

  /**
   * @throws ShapeError if the shape does not take just the elements of `data`; ArgumentError if `data` cannot hold `dtype`.
   */
  constructor(data: TypedArray, shape: Shape, dtype: DType = dtypeOf("array", data)) {
    checkShape(shape);
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

  /**
   * The single value of an array with one element.
   *
   * @throws ShapeError for any other size.
   */
  item(): number {
    if (this.data.length !== 1) {
      throw new ShapeError(`item: expected one element, got ${showShape(this.shape)}`);
    }
    return this.data[0]!;
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
    const build = (axis: number, offset: number): unknown => {
      if (axis === this.shape.length) return this.data[offset];
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

type Values = TypedArray | readonly number[] | readonly boolean[];

/**
 * A host array: a typed array is wrapped as it is (Float32Array → f32, Float64Array → f64, Int32Array → i32, Uint8Array → u8),
 * plain numbers become f32, booleans bool, unless `dtype` says otherwise. Without a shape it has one dimension.
 *
 * @throws ShapeError if the shape does not fit; ArgumentError for values of another kind.
 * @example
 * array([1, 2, 3, 4, 5, 6], [2, 3]).shape; // [2, 3]
 */
export function array(values: Values | number, shape?: Shape, dtype?: DType): NdArray {
  if (typeof values === "number") return new NdArray(convert(dtype ?? "f32", [values]), shape ?? []);
  if (Array.isArray(values)) {
    const kind = dtype ?? (typeof values[0] === "boolean" ? "bool" : "f32");
    const strange = (values as unknown[]).find((value) => typeof value !== "number" && typeof value !== "boolean");
    if (strange !== undefined) {
      throw new ArgumentError(
        `array: expected a flat list of numbers, found ${Array.isArray(strange) ? "a nested list; flatten it and give the shape" : typeof strange}`,
      );
    }
    return new NdArray(convert(kind, values as number[]), shape ?? [values.length], kind);
  }
  const data = values as TypedArray;
  const own = dtypeOf("array", data);
  const kind = dtype ?? own;
  const held = holds(kind, data) ? data : convert(kind, data);
  return new NdArray(held, shape ?? [held.length], kind);
}

/** Zeros of a shape. */
export function zeros(shape: Shape, dtype: DType = "f32"): NdArray {
  checkShape(shape);
  return new NdArray(allocate(dtype, countOf(shape)), shape, dtype);
}
