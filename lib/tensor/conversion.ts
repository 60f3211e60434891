// Numbers of JavaScript in an element type: exact, or an error that names the first that is not. Floats round to the nearest, as
// Float32Array does; nothing wraps, and nothing loses its fraction.
import { ArgumentError } from "../errors.js";
import { allocate, requireDType, type DType, type HostData } from "./dtype.js";

/** Options of `array`. */
export interface ConvertOptions {
  /**
   * Take numbers that do not fit as the nearest that does: beyond the range the bound, between two whole numbers the nearer one
   * (halves to even). NaN still throws where there is none. Default false.
   */
  readonly clamp?: boolean | undefined;
}

interface Range {
  readonly low: number;
  readonly high: number;
  /** Whether it holds whole numbers alone, and no NaN or infinity. */
  readonly whole: boolean;
}

const largestF32 = 2 ** 128 - 2 ** 104;
const largestBf16 = 2 ** 128 - 2 ** 120;

const ranges: Readonly<Record<DType, Range>> = {
  f32: { low: -largestF32, high: largestF32, whole: false },
  f64: { low: -Number.MAX_VALUE, high: Number.MAX_VALUE, whole: false },
  i32: { low: -(2 ** 31), high: 2 ** 31 - 1, whole: true },
  u8: { low: 0, high: 255, whole: true },
  bool: { low: 0, high: 1, whole: true },
  bf16: { low: -largestBf16, high: largestBf16, whole: false },
};

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bits of the nearest bf16, halves to even. */
export function toBf16Bits(value: number): number {
  float[0] = value;
  const wide = bits[0]!;
  if (Number.isNaN(value)) return (wide >>> 16) | 0x40;
  return (wide + 0x7fff + ((wide >>> 16) & 1)) >>> 16;
}

/** The number that bf16 bits stand for. */
export function fromBf16Bits(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

/**
 * Numbers as a typed array of `dtype`.
 *
 * @param values numbers and booleans; bigints where a typed array gave them.
 * @throws ArgumentError naming the first value that is no number or does not fit.
 */
export function convert<D extends DType>(
  where: string,
  dtype: D,
  values: ArrayLike<unknown>,
  options: ConvertOptions = {},
): HostData[D] {
  requireDType(where, dtype);
  const { low, high, whole } = ranges[dtype];
  const clamp = options.clamp ?? false;
  const plain = Array.isArray(values);
  const data = allocate(dtype, values.length);
  const store = dtype === "bf16" ? toBf16Bits : undefined;
  for (let i = 0; i < values.length; i++) {
    const given = values[i];
    let value = typeof given === "number" ? given : numberOf(where, given, i, plain);
    const fits = whole ? Number.isInteger(value) && value >= low && value <= high : fitsFloat(value, low, high);
    if (!fits) value = clamp ? nearest(where, value, dtype, i) : refuse(where, value, dtype, i);
    data[i] = store ? store(value) : value;
  }
  return data;
}

const fitsFloat = (value: number, low: number, high: number): boolean =>
  (value >= low && value <= high) || !Number.isFinite(value);

/**
 * Checks a number that stands beside a tensor of `dtype`.
 *
 * @throws ArgumentError unless it is what the element type holds, floats rounded to the nearest.
 */
export function requireExact(where: string, value: number, dtype: DType): void {
  const { low, high, whole } = ranges[dtype];
  if (whole) {
    if (Number.isInteger(value) && value >= low && value <= high) return;
    throw new ArgumentError(
      Number.isInteger(value)
        ? `${where}: ${value} does not fit ${dtype} (${low} to ${high}); cast the tensor first, such as x.cast("f32")`
        : `${where}: ${value} is not a whole number, and the tensor is ${dtype}; cast the tensor first: x.cast("f32")`,
    );
  }
  if (!fitsFloat(value, low, high)) {
    throw new ArgumentError(`${where}: ${value} is beyond the largest ${dtype}, ${high}; cast the tensor to f64`);
  }
  if (value !== 0 && dtype !== "f64" && Math.abs(value) <= 2 ** (dtype === "f32" ? -150 : -134)) {
    throw new ArgumentError(
      `${where}: ${value} is too small for ${dtype}, which makes 0 of it; cast the tensor to f64`,
    );
  }
}

function numberOf(where: string, given: unknown, at: number, plain: boolean): number {
  if (typeof given === "boolean") return Number(given);
  if (typeof given === "bigint" && !plain) return Number(given);
  throw new ArgumentError(
    Array.isArray(given)
      ? `${where}: expected a flat list of numbers, found a nested list; flatten it and give the shape`
      : `${where}: expected a flat list of numbers, found ${described(given)} at position ${at}`,
  );
}

function described(given: unknown): string {
  if (given === null || given === undefined) return `${given}; leave it out, or fill it with a number`;
  if (typeof given === "string") return `the text ${JSON.stringify(given.slice(0, 40))}; convert it with Number(…)`;
  if (typeof given === "bigint") return `the bigint ${given}n; convert it with Number(…)`;
  return typeof given === "object" ? given.constructor.name || "an object" : `a ${typeof given}`;
}

const ways: Readonly<Record<DType, string>> = {
  f32: 'use "f64"',
  f64: "scale the values",
  i32: 'use "f32" or "f64", or round it',
  u8: 'use "i32" or "f32", or scale it',
  bool: "compare it with something (value !== 0)",
  bf16: 'use "f32" or "f64"',
};

function refuse(where: string, value: number, dtype: DType, at: number): never {
  const { low, high, whole } = ranges[dtype];
  const holds = whole ? `whole numbers from ${low} to ${high}` : `numbers up to ±${high}`;
  throw new ArgumentError(
    `${where}: ${dtype} holds ${dtype === "bool" ? "true and false, 1 and 0" : holds}, got ${value} at position ${at}; ${ways[dtype]}, or ask for the nearest with { clamp: true }`,
  );
}

function nearest(where: string, value: number, dtype: DType, at: number): number {
  const { low, high, whole } = ranges[dtype];
  if (Number.isNaN(value)) {
    throw new ArgumentError(
      `${where}: ${dtype} has no NaN, but there is one at position ${at}; leave it out or fill it`,
    );
  }
  const bounded = Math.min(Math.max(value, low), high);
  if (!whole) return bounded;
  const below = Math.floor(bounded);
  const rest = bounded - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}
