// State of a model that lives in the engine: weights, running statistics.
// Long because it holds its values, its mask and its parametrization, and each can be read, written, copied and freed.
import { ArgumentError, DTypeError, DisposedError, ShapeError } from "../errors.js";
import { got } from "../names/got.js";
import { addon, call, type NativeVariable } from "../native/index.js";
import { requireExact } from "./conversion.js";
import { requireDType, type DType, type HostData } from "./dtype.js";
import type { Parametrization } from "./parametrization.js";
import { NdArray, checkShape, countOf, showShape, type Shape } from "./nd-array.js";
import { inspect, printArray } from "./print.js";
import { Program } from "./program.js";
import type { Tensor } from "./tensor.js";
import { currentTrace, Trace, within } from "./trace.js";

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

// Printing copies the values out of the engine, on this thread.
const MOST_SHOWN = 100_000;

let streams = 0;
let initialSeed = 0;

/**
 * Fixes the random first values of parameters made from here on: the same seed and the same order of layers give the same
 * weights.
 *
 * @param value whole number from 0 on; 0 at start.
 * @throws ArgumentError
 */
export function seed(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ArgumentError(`seed: expected a whole number from 0 on, got ${String(value)}`);
  }
  initialSeed = value;
  streams = 0;
}

/** A tensor in the engine that outlives runs. `read` and `write` copy; `dispose` frees it. */
export class Parameter {
  readonly dtype: DType;
  private extents: Shape;
  private label = "";
  private optimized: boolean;
  private held: NativeVariable | undefined;
  private maskHeld: NativeVariable | undefined;
  private parametrizationHeld: Parametrization | undefined;
  private disposed = false;

  constructor(shape: Shape, options: ParameterOptions = {}) {
    checkExtents(shape);
    requireDType("parameter", options.dtype ?? "f32");
    this.extents = Object.freeze([...shape]);
    this.dtype = options.dtype ?? "f32";
    this.optimized = options.trainable ?? true;
    this.held = call(() => new addon.Variable(this.dtype, this.shape, ""));
    const fill = options.fill;
    if (fill) {
      if (fill.kind === "constant") requireExact("parameter: fill", fill.a, this.dtype);
      const stream = fill.kind === "constant" ? 0 : streams++;
      call(() => this.native.fill(fill.kind, fill.a, fill.b, initialSeed, stream));
    }
  }

  /** Extents, whatever its parametrization. */
  get shape(): Shape {
    return this.extents;
  }

  /** Whether optimizers change it; never while it is packed. */
  get trainable(): boolean {
    return this.optimized && !this.packed;
  }

  set trainable(trainable: boolean) {
    this.optimized = trainable;
  }

  /** The engine's side. @throws DisposedError; ArgumentError while it is packed */
  get native(): NativeVariable {
    if (this.held) return this.held;
    this.requireLife();
    throw new ArgumentError(
      `parameter${this.quoted}: it is held as ${this.parametrizationHeld?.kind}, so its own numbers are gone; read() gives them back`,
    );
  }

  /** Where it stands in its model, such as `0.weight`; set by the model that holds it. */
  get name(): string {
    return this.label;
  }

  set name(name: string) {
    this.requireLife();
    this.label = name;
    if (this.held) this.held.name = name;
    for (const [part, parameter] of Object.entries(this.parametrizationHeld?.parts ?? {}))
      parameter.name = `${name}.${part}`;
  }

  /** Number of elements. */
  get size(): number {
    return countOf(this.shape);
  }

  /** How its values are held and used; undefined for plain numbers. */
  get parametrization(): Parametrization | undefined {
    return this.parametrizationHeld;
  }

  /** Whether its own numbers are gone, and the parts of its parametrization stand for them. */
  get packed(): boolean {
    return this.parametrizationHeld?.packed ?? false;
  }

  /**
   * Holds it in another parametrization; the former one is freed. A packed parametrization frees the numbers as well, and stays.
   *
   * @throws ArgumentError if it is packed; DisposedError
   */
  setParametrization(parametrization: Parametrization | undefined): void {
    this.requireLife();
    if (this.packed) {
      throw new ArgumentError(
        `parameter${this.quoted}: it is held as ${this.parametrizationHeld!.kind} already; start from the model that was not packed`,
      );
    }
    this.parametrizationHeld?.dispose();
    this.parametrizationHeld = parametrization;
    if (parametrization?.packed) {
      this.setMask(undefined);
      this.held?.dispose();
      this.held = undefined;
    }
    if (this.label !== "") this.name = this.label;
  }

  /**
   * @internal Puts another parametrization in place for a while, to look at what it meets; the one that was there is handed out unharmed, and
   * put back by the same way.
   */
  exchangeParametrization(parametrization: Parametrization | undefined): Parametrization | undefined {
    const former = this.parametrizationHeld;
    this.parametrizationHeld = parametrization;
    return former;
  }

  /** One byte an element, 0 where the value is kept at zero; undefined without a mask. A view of the engine's side. */
  get mask(): NativeVariable | undefined {
    return this.maskHeld;
  }

  /** A copy of the mask. */
  readMask(): Uint8Array | undefined {
    return this.maskHeld && new Uint8Array(call(() => this.maskHeld!.read()));
  }

  /**
   * Keeps elements at zero: their values become zero now, and training leaves them, and their states, there.
   *
   * @param mask one byte an element, 0 for the ones to go; undefined lets all be changed again.
   * @throws ShapeError for another length; DTypeError unless f32; ArgumentError if it is packed
   */
  setMask(mask: Uint8Array | undefined): void {
    const held = mask && this.maskOf(mask);
    if (held || this.maskHeld) call(() => this.native.setMask(held ?? null));
    this.maskHeld?.dispose();
    this.maskHeld = held;
  }

  /** @internal Zeroes what the mask hides once more, after other values were written. */
  applyMask(): void {
    if (this.maskHeld) call(() => this.native.setMask(this.maskHeld!));
  }

  // Always a new one: a step that is running still goes by the former.
  private maskOf(mask: Uint8Array): NativeVariable {
    if (this.dtype !== "f32") {
      throw new DTypeError(`parameter${this.quoted}: a mask takes an f32 parameter, this one is ${this.dtype}`);
    }
    if (mask.length !== this.size) {
      throw new ShapeError(
        `parameter${this.quoted}: the mask has ${mask.length} elements, expected ${this.size} for ${showShape(this.shape)}`,
      );
    }
    this.requireLife();
    if (this.packed) throw new ArgumentError(`parameter${this.quoted}: it is packed, its pattern of zeros is fixed`);
    const held = call(() => new addon.Variable("u8", this.shape, `${this.label}.mask`));
    call(() => held.write(mask));
    return held;
  }

  /** Its value in the function being traced, as its parametrization gives it. @throws ArgumentError outside of a trace. */
  tensor(): Tensor {
    return currentTrace("parameter").value(this);
  }

  /** Its own numbers in the function being traced, from which its parametrization starts; undefined when it is packed. */
  master(): Tensor | undefined {
    return currentTrace("parameter").master(this);
  }

  /** A copy of its values, taken between two training steps; a packed one is expanded. */
  async read(): Promise<NdArray> {
    if (!this.packed) return Promise.resolve(this.readSync());
    const program = this.expander();
    try {
      return (await program.run({})).value!;
    } finally {
      program.dispose();
    }
  }

  /** The same at once; waits for the step that is running. */
  readSync(): NdArray {
    if (this.packed) {
      const program = this.expander();
      try {
        return program.runSync({}).value!;
      } finally {
        program.dispose();
      }
    }
    const buffer = call(() => this.native.read());
    return new NdArray(viewOf(this.dtype, buffer), this.shape, this.dtype);
  }

  /**
   * Copies values in; what a mask hides stays zero.
   *
   * @throws ShapeError for another shape or element type; ArgumentError while it is packed
   */
  write(values: NdArray): void {
    if (!(values instanceof NdArray)) {
      throw new ArgumentError(`parameter${this.quoted}: write takes array(values, shape), got ${got(values)}`);
    }
    const same = values.shape.length === this.shape.length && values.shape.every((n, i) => n === this.shape[i]);
    if (!same || values.dtype !== this.dtype) {
      throw new ShapeError(
        `parameter${this.quoted}: expected ${this.dtype} ${showShape(this.shape)}, got ${values.dtype} ${showShape(values.shape)}`,
      );
    }
    call(() => this.native.write(values.data));
    this.applyMask();
  }

  /** @internal Takes values of another shape, as structured pruning gives; what was compiled before keeps the former ones. */
  become(values: NdArray): void {
    const { name } = this.native;
    if (this.parametrizationHeld)
      throw new ArgumentError(`parameter${this.quoted}: it has the parametrization ${this.parametrizationHeld.kind}`);
    this.setMask(undefined);
    this.held?.dispose();
    this.extents = Object.freeze([...values.shape]);
    this.held = call(() => new addon.Variable(this.dtype, this.shape, name));
    this.write(values);
  }

  /** What `console.log` shows: name, type, shape, state; and the values, unless they are many or packed. */
  [inspect](): string {
    const states = [
      ...(this.disposed ? ["disposed"] : []),
      ...(this.parametrizationHeld ? [this.parametrizationHeld.kind] : []),
      ...(this.maskHeld ? ["masked"] : []),
      ...(this.optimized || this.disposed ? [] : ["frozen"]),
    ];
    const head = `Parameter${this.quoted} ${[`${this.dtype} ${showShape(this.shape)}`, ...states].join(", ")}`;
    return this.disposed || this.packed || this.size > MOST_SHOWN ? head : printArray(this.readSync(), head);
  }

  /** A copy with its own values, mask and parametrization. */
  clone(): Parameter {
    this.requireLife();
    const copy = Object.create(Object.getPrototypeOf(this) as object) as Parameter;
    Object.assign(copy, this);
    copy.held = this.held && call(() => this.held!.copy());
    copy.maskHeld = this.maskHeld && call(() => this.maskHeld!.copy());
    copy.applyMask();
    copy.parametrizationHeld = this.parametrizationHeld?.clone();
    return copy;
  }

  /** Frees its memory, unless a program still uses it. Using it afterwards throws `DisposedError`. */
  dispose(): void {
    this.disposed = true;
    this.held?.dispose();
    this.held = undefined;
    this.maskHeld?.dispose();
    this.maskHeld = undefined;
    this.parametrizationHeld?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private get quoted(): string {
    return this.label && ` "${this.label}"`;
  }

  private requireLife(): void {
    if (this.disposed) throw new DisposedError("parameter: it was disposed; make the model anew to use it");
  }

  private expander(): Program {
    this.requireLife();
    const trace = new Trace();
    try {
      const value = within(trace, () => trace.value(this));
      trace.setOutputs({ value });
      return new Program(trace.compile(), "parameter");
    } finally {
      trace.graph.dispose();
    }
  }
}

function checkExtents(shape: unknown): void {
  const list = Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && (extent as number) >= 0);
  if (list) {
    checkShape(shape, "parameter");
    return;
  }
  throw new ShapeError(
    `parameter: the shape is a list of whole numbers, such as new Parameter([3, 4]), got ${got(shape)}; values come by write(array(values, shape)), or by { fill: nn.init.constant(0.5) }`,
  );
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
