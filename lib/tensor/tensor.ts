// A handle to a value in a graph being traced. It has a shape and an element type but no values: those exist when the compiled
// program runs. Shape errors throw here, at the caller's line.
// Long because it has a method for every operation that a user chains.
import { ArgumentError, DTypeError } from "../errors.js";
import { teachMethods } from "../guidance/methods.js";
import { got } from "../names/got.js";
import type { ValueId } from "../native/index.js";
import { centered, clamp, divisorOf, exponentOf, floorDiv, norm, wholeNumbers } from "./composed.js";
import { requireExact } from "./conversion.js";
import { requireDType, type DType } from "./dtype.js";
import { ElementwiseMethods, type PlainOp } from "./elementwise-methods.js";
import type { Parametrization } from "./parametrization.js";
import { operandInstead, reduceAttrs, requireList, sliceAttrs, tensorMethodsElsewhere } from "./instead.js";
import { guardAgainstMisuse } from "./misuse.js";
import { NdArray, showShape, type Shape } from "./nd-array.js";
import { inspect } from "./print.js";
import type { Trace } from "./trace.js";

/** What an operation takes beside its own tensor: a plain number adopts the tensor's element type. */
export type Operand = Tensor | Traceable | NdArray | number;

/** State of the engine that has a value in every trace: a `Parameter`. */
export interface Traceable {
  readonly dtype: DType;
  tensor(): Tensor;
  /** How its values are held, if not as plain numbers. */
  readonly parametrization?: Parametrization | undefined;
  /** Its own numbers in the trace; undefined when it is packed. */
  master?(): Tensor | undefined;
}

/** Options of reductions. */
export interface ReduceOptions {
  /** Leave reduced axes with extent 1. Default false. */
  readonly keep?: boolean;
}

/** Values in order, and where along the axis each was, i32. */
export interface Ordered {
  readonly values: Tensor;
  readonly indices: Tensor;
}

/** Axes to reduce: one, several, or all when left out. Negative ones count from the end. */
export type Axes = number | readonly number[];

/** A value in a graph being traced; see {@link compile}. */
export class Tensor extends ElementwiseMethods {
  /** @internal */
  readonly trace: Trace;
  /** @internal */
  readonly id: ValueId;
  readonly dtype: DType;
  readonly shape: Shape;

  /** @internal Made by operations alone. */
  constructor(trace: Trace, id: ValueId, dtype: DType, shape: Shape) {
    super();
    this.trace = trace;
    this.id = id;
    this.dtype = dtype;
    this.shape = shape;
  }

  /** Number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }

  // Elementwise with broadcasting, where whole numbers differ from floats; the others are in ElementwiseMethods.
  /** Quotients of floats. Whole numbers have {@link floorDiv}, or are cast first. */
  div(other: Operand): Tensor {
    if (this.dtype !== "i32") return this.binary("div", other);
    throw new DTypeError(
      `div: quotients of i32 are no whole numbers; write x.cast("f32").div(…) for floats, or x.floorDiv(…) to round down`,
    );
  }
  /** Quotients rounded down, as Python's `//`; of i32 they are exact, and a divisor of 0 throws when run. */
  floorDiv(other: Operand): Tensor {
    return floorDiv(this, other);
  }
  /** Powers; of i32 a negative exponent throws when run. */
  pow(other: Operand): Tensor {
    if (this.dtype !== "i32") return this.binary("pow", other);
    return this.trace.apply("pow", [this, exponentOf(this, other)]);
  }
  /** The remainder with the sign of `other`, as in Python; of i32 a divisor of 0 throws when run. */
  mod(other: Operand): Tensor {
    if (this.dtype !== "i32") return this.binary("mod", other);
    return this.trace.apply("mod", [this, divisorOf(this, other, "mod")]);
  }

  /** Values limited to [low, high]; at a bound the gradient is theirs. */
  clamp(low: Operand, high: Operand): Tensor {
    return clamp(this, low, high);
  }

  /** Where this (bool) is true `a`, else `b`. At least one of them must be a tensor. */
  where(a: Operand, b: Operand): Tensor {
    const like = a instanceof Tensor ? a : b instanceof Tensor ? b : undefined;
    const dtype = like?.dtype ?? (typeof a === "object" ? a.dtype : "f32");
    return this.trace.apply("where", [this, this.operand(a, dtype, "where"), this.operand(b, dtype, "where")]);
  }

  // Reductions.
  sum(axes?: Axes, options?: ReduceOptions): Tensor {
    return this.reduce("sum", axes, options);
  }
  mean(axes?: Axes, options?: ReduceOptions): Tensor {
    return this.reduce("mean", axes, options);
  }
  max(axes?: Axes, options?: ReduceOptions): Tensor {
    return this.reduce("max", axes, options);
  }
  min(axes?: Axes, options?: ReduceOptions): Tensor {
    return this.reduce("min", axes, options);
  }
  /** √(Σ x²), with the gradient 0 where it is 0. */
  norm(axes?: Axes, options?: ReduceOptions): Tensor {
    return norm(this, axes, options);
  }
  /** Mean squared deviation from the mean, biased (divided by n). */
  variance(axes?: Axes, options?: ReduceOptions): Tensor {
    return centered(this, axes).square().mean(axes, options);
  }
  /** Index of the first largest value along an axis, i32. */
  argmax(axis = -1, options?: ReduceOptions): Tensor {
    return this.trace.apply("argmax", [this], { axis, keep: options?.keep ?? false });
  }
  /** Index of the first smallest value along an axis, i32. */
  argmin(axis = -1, options?: ReduceOptions): Tensor {
    return this.trace.apply("argmin", [this], { axis, keep: options?.keep ?? false });
  }

  /**
   * Running sums along an axis, y[i] = x[0] + … + x[i]; with `reverse` from its end. f32 is summed in f64, i32 wraps.
   *
   * @throws DTypeError for other element types than f32, f64 and i32; ShapeError for an axis that is not there.
   * @example
   * const running = compile((x: Tensor) => x.cumsum(0));
   * (await running.run(array([1, 2, 3], [3]))).toArray(); // [1, 3, 6]
   */
  cumsum(axis: number, options: { readonly reverse?: boolean } = {}): Tensor {
    return this.trace.apply("cumsum", [this], { axis, reverse: options.reverse ?? false });
  }

  /**
   * The values along an axis in ascending order, or `descending`, and the place of each, i32. Equal values stay in order; NaN is
   * larger than every number. Gradients flow to the places that the values came from.
   *
   * @throws DTypeError for other element types than f32, f64 and i32; ShapeError for an axis that is not there.
   * @example
   * const sorted = compile((x: Tensor) => x.sort());
   * const { values, indices } = await sorted.run(array([3, 1, 2], [3])); // 1, 2, 3 from places 1, 2, 0
   */
  sort(axis = -1, options: { readonly descending?: boolean } = {}): Ordered {
    const attrs = { axis, descending: options.descending ?? false };
    const [values, indices] = this.trace.applyMany("sort", [this], 2, attrs);
    return { values: values!, indices: indices! };
  }

  /**
   * The `k` largest values along an axis, largest first (with `largest: false` the smallest, smallest first), and the place of
   * each, i32; of equal values the first ones. NaN is larger than every number.
   *
   * @throws ArgumentError for a k below 0 or above the axis' extent; DTypeError for other element types than f32, f64 and i32.
   * @example
   * const top = compile((x: Tensor) => x.topk(2));
   * const { values, indices } = await top.run(array([3, 1, 2], [3])); // 3, 2 from places 0, 2
   */
  topk(k: number, axis = -1, options: { readonly largest?: boolean } = {}): Ordered {
    const [values, indices] = this.trace.applyMany("topk", [this], 2, { k, axis, largest: options.largest ?? true });
    return { values: values!, indices: indices! };
  }

  /** e^x / Σ e^x along an axis. */
  softmax(axis = -1): Tensor {
    return this.trace.apply("softmax", [this], { axis });
  }
  /** log of the softmax along an axis. */
  logSoftmax(axis = -1): Tensor {
    return this.trace.apply("log_softmax", [this], { axis });
  }

  /** Matrix product over the last two dimensions, leading ones broadcast. (…, M, K) · (…, K, N) → (…, M, N) */
  matmul(other: Tensor | Traceable | NdArray, options: { transA?: boolean; transB?: boolean } = {}): Tensor {
    if (typeof other === "object" && "parametrization" in other && !options.transA) {
      const product = other.parametrization?.matmul?.(this, other.master?.(), options.transB ?? false);
      if (product) return product;
    }
    return this.trace.apply("matmul", [this, this.operand(other)], {
      trans_a: options.transA ?? false,
      trans_b: options.transB ?? false,
    });
  }

  /** The same elements in another shape; one extent may be -1. */
  reshape(shape: Shape, ...more: never[]): Tensor {
    requireList("reshape", shape, more);
    return this.trace.apply("reshape", [this], { shape });
  }

  /** Dimensions from `start` on made one. */
  flatten(start = 0): Tensor {
    const first = start < 0 ? start + this.rank : start;
    if (!Number.isInteger(first) || first < 0 || first > this.rank) {
      throw new ArgumentError(`flatten: there is no dimension ${start} in ${showShape(this.shape)}`);
    }
    const tail = this.shape.slice(first).reduce((a, b) => a * b, 1);
    return this.reshape([...this.shape.slice(0, first), tail]);
  }

  /** Axes in another order; without one they are reversed. */
  transpose(order?: readonly number[], ...more: never[]): Tensor {
    if (order !== undefined) requireList("transpose", order, more);
    return this.trace.apply("transpose", [this], order ? { order } : {});
  }

  /** Two axes exchanged. */
  swapAxes(a: number, b: number): Tensor {
    const order = this.shape.map((_, axis) => axis);
    const [first, second] = [this.axis("swapAxes", a, this.rank), this.axis("swapAxes", b, this.rank)];
    [order[first], order[second]] = [second, first];
    return this.transpose(order);
  }

  /** An axis of extent 1 put in at `axis`. */
  expandDims(axis: number): Tensor {
    const at = this.axis("expandDims", axis, this.rank + 1);
    return this.reshape([...this.shape.slice(0, at), 1, ...this.shape.slice(at)]);
  }

  /** Axes of extent 1 left out: the one given, or all. */
  squeeze(axis?: number): Tensor {
    const at = axis !== undefined && axis < 0 ? axis + this.rank : axis;
    if (at !== undefined && this.shape[at] !== 1) {
      throw new ArgumentError(`squeeze: axis ${axis} of ${showShape(this.shape)} does not have extent 1`);
    }
    return this.reshape(this.shape.filter((extent, i) => (at === undefined ? extent !== 1 : i !== at)));
  }

  /** Repeated to a larger shape without copies where it can be. */
  broadcastTo(shape: Shape): Tensor {
    return this.trace.apply("broadcast_to", [this], { shape });
  }

  /**
   * A part: for each axis a range `[start, stop]` or `[start, stop, step]` as in Python's slices, or `null` for all of it;
   * axes left out are taken whole.
   */
  slice(...ranges: (readonly [start: number, stop: number, step?: number] | null)[]): Tensor {
    if (ranges.length > this.rank) {
      throw new ArgumentError(
        `slice: got ${ranges.length} ranges for the ${this.rank} dimensions of ${showShape(this.shape)}`,
      );
    }
    return this.trace.apply("slice", [this], sliceAttrs(this.shape, ranges));
  }

  /** `value` put around each axis, `[before, after]` elements of it. */
  pad(widths: readonly (readonly [before: number, after: number])[], value = 0): Tensor {
    requireExact("pad", value, this.dtype);
    return this.trace.apply("pad", [this], { low: widths.map((w) => w[0]), high: widths.map((w) => w[1]), value });
  }

  /** The same values in another element type: floats are cut towards zero and at the range of i32 and u8, NaN is 0 there; bool is x ≠ 0. */
  cast(dtype: DType): Tensor {
    requireDType("cast", dtype);
    return dtype === this.dtype ? this : this.trace.apply("cast", [this], { dtype });
  }

  /** y[i…] = x[i… with i_axis replaced by index[i…]], as torch.gather. Whole numbers of any type are indices. */
  gather(axis: number, index: Tensor | NdArray): Tensor {
    return this.trace.apply("gather", [this, wholeNumbers(this.operand(index), "gather: indices")], { axis });
  }

  /** A copy with `values` added at `index` along an axis, as torch.scatter_add. */
  scatterAdd(axis: number, index: Tensor | NdArray, values: Tensor): Tensor {
    return this.trace.apply("scatter_add", [this, wholeNumbers(this.operand(index), "scatterAdd: indices"), values], {
      axis,
    });
  }

  /** The same values, with no gradient flowing back. */
  stopGradient(): Tensor {
    return this.trace.apply("stop_gradient", [this]);
  }

  override toString(): string {
    return `Tensor ${this.dtype} ${showShape(this.shape)}`;
  }
  [inspect](): string {
    return `${String(this)}, a value of the function being traced`;
  }

  /** @internal `value` as a tensor of this trace. */
  operand(value: Operand, dtype: DType = this.dtype, where = "a constant"): Tensor {
    if (value instanceof Tensor) return value;
    if (typeof value === "number") return this.trace.scalar(value, dtype, where);
    if (value instanceof NdArray) return this.trace.constant(value);
    if (typeof value === "object" && value !== null && typeof value.tensor === "function") return value.tensor();
    throw new ArgumentError(
      `expected a Tensor, a Parameter, an NdArray or a number as operand, got ${got(value)}${operandInstead(value)}`,
    );
  }

  /** `axis`, counted from the end when negative, as one of `count`. */
  private axis(where: string, axis: number, count: number): number {
    const at = axis < 0 ? axis + count : axis;
    if (Number.isInteger(at) && at >= 0 && at < count) return at;
    throw new ArgumentError(
      `${where}: axis ${axis} is out of range for ${showShape(this.shape)}, expected ${-count} to ${count - 1}`,
    );
  }

  /** @internal */
  protected override unary(op: PlainOp<1>): Tensor {
    return this.trace.apply(op, [this]);
  }

  /** @internal */
  protected override binary(op: PlainOp<2>, other: Operand): Tensor {
    return this.trace.apply(op, [this, this.operand(other, this.dtype, op)]);
  }

  private reduce(op: "sum" | "mean" | "max" | "min", axes: Axes | undefined, options: ReduceOptions = {}): Tensor {
    return this.trace.apply(op, [this], { ...reduceAttrs(op, axes, options) });
  }
}

teachMethods(Tensor.prototype, "tensor", tensorMethodsElsewhere);
guardAgainstMisuse(Tensor.prototype, ElementwiseMethods.prototype);
