// A loaded model: predicts off the event loop or at once, for any batch size. One program is compiled for every batch size met
// (a few are kept); all share one copy of the weights.
import { AbortedError, ArgumentError, DisposedError, ShapeError } from "../errors.js";
import { addon, call, callAsync, type NativeProgram, type NativeVariable } from "../native/index.js";
import { allocate, type DType } from "../tensor/dtype.js";
import { NdArray, countOf, showShape } from "../tensor/nd-array.js";
import { aborted } from "../tensor/program.js";
import type { Manifest, SavedWeight } from "./manifest.js";

/** Compiles the model for a batch size. */
export type BuildProgram = (batch: number) => NativeProgram;

/** Options of {@link Served.predict}. */
export interface PredictOptions {
  /** Gives the prediction up; the promise rejects with `AbortedError`. */
  readonly signal?: AbortSignal;
}

interface Ready {
  readonly program: NativeProgram;
  readonly output: { readonly dtype: DType; readonly shape: readonly number[]; readonly size: number };
}

const maxPrograms = 8;

/** A model loaded from an artifact. */
export class Served {
  /** One sample of the input: element type and shape without the batch dimension. */
  readonly input: Manifest["input"];
  /** What was saved with the model. */
  readonly metadata: Manifest["metadata"];
  /** Bytes of the artifact on disk. */
  readonly bytes: number;
  private described: readonly SavedWeight[] | undefined;
  /** @internal What it computes. */
  readonly graph: Pick<Manifest, "nodes" | "outputs">;
  private readonly variables: ReadonlyMap<string, NativeVariable>;
  private readonly build: BuildProgram;
  private readonly programs = new Map<number, Ready>();
  private readonly perSample: number;
  private disposed = false;

  /** @internal Made by `artifact.load`. */
  constructor(
    manifest: Manifest,
    variables: ReadonlyMap<string, NativeVariable>,
    build: BuildProgram,
    single: NativeProgram,
    files: { readonly bytes: number },
  ) {
    this.input = manifest.input;
    this.metadata = manifest.metadata;
    this.described = manifest.weights;
    this.graph = { nodes: manifest.nodes, outputs: manifest.outputs };
    this.variables = variables;
    this.build = build;
    this.perSample = countOf(manifest.input.shape);
    this.bytes = files.bytes;
    this.programs.set(1, ready(single));
  }

  /** Names, types and shapes of its weights. */
  get weights(): readonly { name: string; dtype: DType; shape: readonly number[] }[] {
    return [...this.variables.values()].map((variable) => ({ name: variable.name, ...variable.type }));
  }

  /** The model's parameters as its layers see them, whatever form they are held in: what tables show. */
  get layout(): readonly SavedWeight[] {
    // An artifact of a version that did not say is looked through once.
    this.described ??= this.weights.map(({ name, dtype, shape }) => {
      let nonzero = 0;
      for (const value of this.readWeight(name).data) nonzero += value === 0 ? 0 : 1;
      return { name, shape, kind: dtype, nonzero };
    });
    return this.described;
  }

  /** Number of parameters, as the layers see them. */
  get parameters(): number {
    return this.layout.reduce((sum, { shape }) => sum + countOf(shape), 0);
  }

  /** Number of parameters that are not zero. */
  countNonzero(): number {
    return this.layout.reduce((sum, { nonzero }) => sum + nonzero, 0);
  }

  /** A copy of one of its weights. @throws ArgumentError for a name that it has not. */
  readWeight(name: string): NdArray {
    const variable = this.variables.get(name);
    if (!variable) throw new ArgumentError(`readWeight: there is no weight "${name}"`);
    const { dtype, shape } = variable.type;
    const values = allocate(dtype, countOf(shape));
    new Uint8Array(values.buffer).set(new Uint8Array(call(() => variable.read())));
    return new NdArray(values, shape, dtype);
  }

  /**
   * The model's output for a batch, off the event loop.
   *
   * @param x `[batch, …]` of the input's element type and shape.
   * @throws ShapeError if x does not fit; AbortedError when the signal fires.
   */
  async predict(x: NdArray, options: PredictOptions = {}): Promise<NdArray> {
    const { signal } = options;
    if (signal?.aborted) throw aborted("predict", signal);
    const { program, output } = this.programFor(this.batchOf("predict", x));
    const y = allocate(output.dtype, output.size);
    const cancel = signal && new addon.Cancel();
    const onAbort = () => cancel?.cancel();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await callAsync(() => program.run([x.data], [y], 0, 0, cancel));
    } catch (thrown) {
      throw signal?.aborted && thrown instanceof AbortedError ? aborted("predict", signal) : thrown;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    return new NdArray(y, output.shape, output.dtype);
  }

  /**
   * The same on this thread: for small models and batches, where microseconds count.
   *
   * @throws ShapeError if x does not fit.
   */
  predictSync(x: NdArray): NdArray {
    const { program, output } = this.programFor(this.batchOf("predictSync", x));
    const y = allocate(output.dtype, output.size);
    call(() => program.runSync([x.data], [y], 0, 0));
    return new NdArray(y, output.shape, output.dtype);
  }

  /** Frees programs and weights; predicting afterwards throws `DisposedError`. */
  dispose(): void {
    this.disposed = true;
    for (const { program } of this.programs.values()) program.dispose();
    this.programs.clear();
    for (const variable of this.variables.values()) variable.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private batchOf(where: string, x: NdArray): number {
    if (this.disposed) throw new DisposedError(`${where}: the model was disposed; load it again`);
    if (!(x instanceof NdArray)) {
      throw new ArgumentError(`${where}: expected an NdArray, made by array(values, shape)`);
    }
    const { dtype, shape } = this.input;
    const fits =
      x.dtype === dtype && x.shape.length === shape.length + 1 && shape.every((extent, i) => extent === x.shape[i + 1]);
    if (fits && x.size === x.shape[0]! * this.perSample) return x.shape[0]!;
    throw new ShapeError(
      `${where}: expected ${dtype} ${showShape(["batch" as unknown as number, ...shape])}, got ${x.dtype} ${showShape(x.shape)}`,
    );
  }

  private programFor(batch: number): Ready {
    const known = this.programs.get(batch);
    if (known) return known;
    if (this.programs.size >= maxPrograms) {
      const [oldest] = [...this.programs.keys()].filter((key) => key !== 1);
      this.programs.get(oldest!)?.program.dispose();
      this.programs.delete(oldest!);
    }
    const made = ready(this.build(batch));
    this.programs.set(batch, made);
    return made;
  }
}

function ready(program: NativeProgram): Ready {
  const { dtype, shape } = program.outputs[0]!;
  return { program, output: { dtype, shape, size: countOf(shape) } };
}
