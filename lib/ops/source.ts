// Tensors out of nothing: number ranges and random numbers; dropout is made of the latter.
import { requireCount, requireWithin } from "../guidance/arguments.js";
import { requireExact } from "../tensor/conversion.js";
import { requireDType, type DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/nd-array.js";
import type { Tensor } from "../tensor/tensor.js";
import { currentTrace } from "../tensor/trace.js";
import { requireTensor } from "./require.js";
import { ArgumentError, checkOptions } from "../errors.js";
import { got } from "../names/got.js";

/** Options of {@link arange}. */
export interface ArangeOptions {
  /** Default 0. */
  readonly start?: number | undefined;
  /** Default 1. */
  readonly step?: number | undefined;
  /** Default i32. */
  readonly dtype?: DType | undefined;
}

/**
 * start, start + step, … : n numbers.
 *
 * @throws ArgumentError
 * @example
 * const f = compile((x: Tensor) => x.add(ops.arange(3, { dtype: "f32" })));
 * (await f.run(array([10]))).toArray(); // [10, 11, 12]
 */
export function arange(n: number, options: ArangeOptions = {}): Tensor {
  checkOptions("arange", options, ["start", "step", "dtype"]);
  requireCount("arange", "n", n, 0);
  const { start = 0, step = 1, dtype = "i32" } = options;
  requireDType("arange", dtype);
  requireExact("arange: start", start, dtype);
  requireExact("arange: step", step, dtype === "u8" || dtype === "bool" ? "i32" : dtype);
  if (n > 0) requireExact("arange: its last number", start + step * (n - 1), dtype);
  const isOwn = dtype === "i32" || dtype === "f32" || dtype === "f64";
  const whole = dtype === "u8" || dtype === "bool" ? "i32" : "f32";
  const numbers = currentTrace("arange").apply("arange", [], { n, start, step, dtype: isOwn ? dtype : whole });
  return numbers.cast(dtype);
}

/** Options of {@link uniform}. */
export interface UniformOptions {
  /** Default 0. */
  readonly low?: number | undefined;
  /** Not reached. Default 1. */
  readonly high?: number | undefined;
}

/**
 * Random f32 numbers, evenly from [low, high). They depend on the run's seed and step and on the place in the function alone:
 * not on threads, nor on the instruction set (Philox 4×32-10, Salmon et al. 2011).
 *
 * @throws ArgumentError
 */
export function uniform(shape: Shape, options: UniformOptions = {}): Tensor {
  checkOptions("uniform", options, ["low", "high"]);
  const { low = 0, high = 1 } = options;
  if (!(Number.isFinite(low) && Number.isFinite(high) && low <= high)) {
    throw new ArgumentError(`uniform: low and high must be finite and in order, got ${got(low)} and ${got(high)}`);
  }
  const trace = currentTrace("uniform");
  const unit = trace.apply("random_uniform", [], { shape, key: trace.nextStream() });
  const scaled = high - low === 1 ? unit : unit.mul(high - low);
  return low === 0 ? scaled : scaled.add(low);
}

/**
 * In training each element is 0 with probability `p`, and the others are scaled by 1 / (1 − p) (Srivastava et al. 2014); in use
 * nothing happens.
 *
 * @param p from 0 to 1.
 * @throws ArgumentError
 */
export function dropout(x: Tensor, p: number): Tensor {
  requireTensor("dropout", "x", x);
  requireWithin("dropout", "p", p, 0, 1);
  if (!x.trace.training || p === 0) return x;
  if (p === 1) return x.mul(0);
  return x.mul(
    drawnFor(x)
      .ge(p)
      .cast(x.dtype)
      .mul(1 / (1 - p)),
  );
}

// Where ranks have tokens among them, every rank draws for all tokens, as one rank would, and takes its own.
function drawnFor(x: Tensor): Tensor {
  const { trace } = x;
  const key = trace.nextStream();
  const { sizes = [], group } = trace.tokens ?? {};
  const own = sizes[group?.rank() ?? 0] ?? -1;
  if (x.rank !== 3 || x.shape[1] !== own) return trace.apply("random_uniform", [], { shape: x.shape, key });
  const first = sizes.slice(0, group!.rank()).reduce((sum, size) => sum + size, 0);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const [batch, , width] = x.shape as [number, number, number];
  const whole = trace.apply("random_uniform", [], { shape: [batch, all, width], key });
  return whole.slice(null, [first, first + own]);
}
