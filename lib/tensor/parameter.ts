// State of a model that lives in the engine: weights, running statistics.
import { DisposedError, ShapeError } from "../errors.js";
import { addon, call, type NativeVariable } from "../native/index.js";
import { type DType, type HostData } from "./dtype.js";
import { NdArray, countOf, showShape, type Shape } from "./nd-array.js";
import type { Tensor } from "./tensor.js";
import { currentTrace } from "./trace.js";

/** How the first values of a parameter are drawn; see `nn.init`. */
export interface Fill {
  readonly kind: "constant" | "uniform" | "normal" | "truncated";
  /** The constant, the lower bound, or the mean. */
  readonly a: number;
  /** The upper bound (not reached), or the standard deviation. */
  readonly b: number;
}

/** What {@link Parameter} is made of. */
export interface ParameterOptions {
  readonly dtype?: DType;
  /** Whether optimizers change it; false for running statistics and frozen weights. Default true. */
  readonly trainable?: boolean;
  /** Default zeros. */
  readonly fill?: Fill;
}

let streams = 0;
let initialSeed = 0;

/**
 * Fixes the random first values of parameters made from here on: the same seed and the same order of layers give the same
 * weights.
 *
 * @param seed whole number from 0 on; 0 at start.
 */
export function seed(value: number): void {
  initialSeed = value;
  streams = 0;
}

/** A tensor in the engine that outlives runs. `read` and `write` copy; `dispose` frees it. */
export class Parameter {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Whether optimizers change it. */
  trainable: boolean;
  private held: NativeVariable | undefined;

  constructor(shape: Shape, options: ParameterOptions = {}) {
    this.shape = Object.freeze([...shape]);
    this.dtype = options.dtype ?? "f32";
    this.trainable = options.trainable ?? true;
    this.held = call(() => new addon.Variable(this.dtype, this.shape, ""));
    const fill = options.fill;
    if (fill) {
      const stream = fill.kind === "constant" ? 0 : streams++;
      call(() => this.native.fill(fill.kind, fill.a, fill.b, initialSeed, stream));
    }
  }

  /** The engine's side. @throws DisposedError */
  get native(): NativeVariable {
    if (this.held) return this.held;
    throw new DisposedError("parameter: it was disposed; make the model anew to use it");
  }

  /** Where it stands in its model, such as `0.weight`; set by the model that holds it. */
  get name(): string {
    return this.native.name;
  }

  set name(name: string) {
    this.native.name = name;
  }

  /** Number of elements. */
  get size(): number {
    return countOf(this.shape);
  }

  /** Its value in the function being traced. @throws ArgumentError outside of a trace. */
  tensor(): Tensor {
    return currentTrace("parameter").parameter(this);
  }

  /** A copy of its values, taken between two training steps. */
  async read(): Promise<NdArray> {
    return Promise.resolve(this.readSync());
  }

  /** The same at once; waits for the step that is running. */
  readSync(): NdArray {
    const buffer = call(() => this.native.read());
    return new NdArray(viewOf(this.dtype, buffer), this.shape, this.dtype);
  }

  /**
   * Copies values in.
   *
   * @throws ShapeError for another shape or element type.
   */
  write(values: NdArray): void {
    const same = values.shape.length === this.shape.length && values.shape.every((n, i) => n === this.shape[i]);
    if (!same || values.dtype !== this.dtype) {
      throw new ShapeError(
        `parameter${this.name && ` "${this.name}"`}: expected ${this.dtype} ${showShape(this.shape)}, got ${values.dtype} ${showShape(values.shape)}`,
      );
    }
    call(() => this.native.write(values.data));
  }

  /** Frees its memory, unless a program still uses it. Using it afterwards throws `DisposedError`. */
  dispose(): void {
    this.held?.dispose();
    this.held = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The typed array of `dtype` over a whole buffer. */
export function viewOf<D extends DType>(dtype: D, buffer: ArrayBuffer): HostData[D] {
  const views = {
    f32: () => new Float32Array(buffer),
    f64: () => new Float64Array(buffer),
    i32: () => new Int32Array(buffer),
    u8: () => new Uint8Array(buffer),
    bool: () => new Uint8Array(buffer),
    bf16: () => new Uint16Array(buffer),
  };
  return views[dtype]() as HostData[D];
}
