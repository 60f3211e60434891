// A loaded model: predicts off the event loop or at once, for any batch size.
import { requireCount } from "../guidance/arguments.js";
import { AbortedError, ArgumentError, checkOptions, DisposedError } from "../errors.js";
import { outputInfo, type ModelInfo } from "../info/index.js";
import { addon, call, callAsync, type NativeProgram, type NativeVariable } from "../native/index.js";
import { allocate, type DType } from "../tensor/dtype.js";
import { NdArray, countOf } from "../tensor/nd-array.js";
import type { TableRow } from "../preprocess/index.js";
import { aborted } from "../tensor/program.js";
import { Batches, feedsOf, resultsOf, type BuildProgram, type LoadOptions } from "./batches.js";
import { rankedClasses, type ClassProbability } from "./classify.js";
import { arraysOf, arraysOfAsync, isOneRow, requireFit, type PredictInput } from "./inputs.js";
import type { Manifest, SavedInput, SavedWeight } from "./manifest.js";

/** Options of {@link LoadedModel.predict}. */
export interface PredictOptions {
  /** Gives the prediction up; the promise rejects with `AbortedError`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link LoadedModel.classify}. */
export interface ClassifyOptions extends PredictOptions {
  /** How many classes, the most probable first. Default: the best alone. */
  readonly top?: number | undefined;
  /** Which result, of a model with several. */
  readonly output?: string | undefined;
}

/** What a model gives: one array, or several by name. */
export type Results = NdArray | Readonly<Record<string, NdArray>>;

/**
 * A model loaded from an artifact. A program is compiled for every batch size that it meets, and kept for those used last; see
 * `maxPrograms` and `padBatches` of `artifact.load`.
 */
export class LoadedModel<Result extends Results = NdArray> {
  /** One sample of each input: name, element type and shape without the batch dimension. */
  readonly inputs: readonly SavedInput[];
  /** What is known of the model: task, classes, preprocessing, metrics, provenance. */
  readonly info: ModelInfo;
  /** Bytes of the artifact on disk. */
  readonly bytes: number;
  private described: readonly SavedWeight[] | undefined;
  /** @internal What it computes. */
  readonly graph: Pick<Manifest, "nodes" | "outputs">;
  private readonly variables: ReadonlyMap<string, NativeVariable>;
  private readonly programs: Batches;
  private disposed = false;

  /** @internal Made by `artifact.load`. */
  constructor(
    manifest: Manifest,
    variables: ReadonlyMap<string, NativeVariable>,
    build: BuildProgram,
    single: NativeProgram,
    options: LoadOptions & { readonly where: string; readonly bytes: number },
  ) {
    this.inputs = manifest.inputs;
    this.info = manifest.info;
    this.described = manifest.weights;
    this.graph = { nodes: manifest.nodes, outputs: manifest.outputs };
    this.variables = variables;
    this.bytes = options.bytes;
    this.programs = new Batches(options.where, single, build, options);
  }

  /** One sample of its input, or of its first. */
  get input(): SavedInput {
    return this.inputs[0]!;
  }

  /** Names of its results, in order; `y`, where there is one alone. */
  get outputs(): readonly string[] {
    return this.graph.outputs.map(({ name }) => name);
  }

  /** The text that was saved with it. */
  get metadata(): Readonly<Record<string, string>> {
    return this.info.metadata ?? {};
  }

  /** Names, types and shapes of its weights. */
  get weights(): readonly { name: string; dtype: DType; shape: readonly number[] }[] {
    if (this.disposed) this.refuse("weights");
    return [...this.variables.values()].map((variable) => ({ name: variable.name, ...variable.type }));
  }

  /** The model's parameters as its layers see them, whatever parametrization they are held in: what tables show. */
  get layout(): readonly SavedWeight[] {
    if (this.disposed && !this.described) this.refuse("layout");
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
    if (this.disposed) this.refuse("readWeight");
    const variable = this.variables.get(name);
    if (!variable) throw new ArgumentError(`readWeight: there is no weight "${name}"`);
    const { dtype, shape } = variable.type;
    const values = allocate(dtype, countOf(shape));
    new Uint8Array(values.buffer).set(new Uint8Array(call(() => variable.read())));
    return new NdArray(values, shape, dtype);
  }

  /**
   * The model's result for a batch, off the event loop.
   *
   * @param x `[batch, …]` of the input's element type and shape; or raw rows such as `{ age: 41, city: "Lyon" }`, one or an array
   *   of them, which are read by the saved preprocessing (`null` is a missing cell); of several inputs, each of these by name.
   * @returns an array `[batch, …]`; of a model with several results, arrays by name.
   * @throws ShapeError if x does not fit; ArgumentError naming row and column of a cell that cannot be read; AbortedError when the
   *   signal fires.
   */
  async predict(x: PredictInput, options: PredictOptions = {}): Promise<Result> {
    return this.run("predict", x, options);
  }

  /**
   * The same on this thread: for small models and batches, where microseconds count.
   *
   * @throws ShapeError, ArgumentError as {@link predict}
   */
  predictSync(x: PredictInput): Result {
    const arrays = this.arrays("predictSync", x) ?? arraysOf("predictSync", this.inputs, this.info, x);
    const rows = arrays[0]!.shape[0]!;
    const ready = this.programs.for("predictSync", rows);
    const results = ready.outputs.map(({ dtype, size }) => allocate(dtype, size));
    call(() => ready.program.runSync(feedsOf(ready, arrays), results, 0, 0));
    return resultsOf(ready, results, rows) as Result;
  }

  /**
   * The most probable class of every sample, by name: `{ class: "gold", probability: 0.93 }`; with `top`, that many of them,
   * the best first. One raw row gives one answer, rows and arrays give a list.
   *
   * @throws what {@link predict} throws; ArgumentError for a model that does not classify
   */
  classify(x: TableRow, options: ClassifyOptions & { readonly top: number }): Promise<ClassProbability[]>;
  classify(x: TableRow, options?: ClassifyOptions): Promise<ClassProbability>;
  classify(
    x: NdArray | readonly TableRow[],
    options: ClassifyOptions & { readonly top: number },
  ): Promise<ClassProbability[][]>;
  classify(x: NdArray | readonly TableRow[], options?: ClassifyOptions): Promise<ClassProbability[]>;
  classify(
    x: Readonly<Record<string, NdArray | readonly TableRow[]>>,
    options: ClassifyOptions & { readonly top: number },
  ): Promise<ClassProbability[][]>;
  classify(
    x: Readonly<Record<string, NdArray | readonly TableRow[]>>,
    options?: ClassifyOptions,
  ): Promise<ClassProbability[]>;
  async classify(
    x: PredictInput,
    options: ClassifyOptions = {},
  ): Promise<ClassProbability | ClassProbability[] | ClassProbability[][]> {
    const where = "classify";
    checkOptions(where, options, ["top", "output", "signal"]);
    const { top, output = this.outputs[0]!, signal } = options;
    if (top !== undefined) requireCount(where, "top", top);
    const known = outputInfo(where, this.info, output, this.outputs);
    const results: Results = await this.run(where, x, signal ? { signal } : {});
    const named: Readonly<Record<string, NdArray>> = results instanceof NdArray ? { [output]: results } : results;
    const ranked = await rankedClasses(where, known, named[output]!, top ?? 1);
    const answers = top === undefined ? ranked.map(([first]) => first!) : ranked;
    return this.inputs.length === 1 && isOneRow(x) && !this.isNamed(x) ? answers[0]! : answers;
  }

  private async run(where: string, x: PredictInput, options: PredictOptions): Promise<Result> {
    const { signal } = options;
    if (signal?.aborted) throw aborted(where, signal);
    const arrays = this.arrays(where, x) ?? (await arraysOfAsync(where, this.inputs, this.info, x));
    if (this.disposed) this.refuse(where);
    const rows = arrays[0]!.shape[0]!;
    const ready = this.programs.for(where, rows);
    const results = ready.outputs.map(({ dtype, size }) => allocate(dtype, size));
    const feeds = feedsOf(ready, arrays);
    const cancel = signal && new addon.Cancel();
    const onAbort = () => cancel?.cancel();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await callAsync(() => ready.program.run(feeds, results, 0, 0, cancel));
    } catch (thrown) {
      throw signal?.aborted && thrown instanceof AbortedError ? aborted(where, signal) : thrown;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    return resultsOf(ready, results, rows) as Result;
  }

  /** Frees programs and weights; predicting afterwards throws `DisposedError`. */
  dispose(): void {
    this.disposed = true;
    this.programs.dispose();
    for (const variable of this.variables.values()) variable.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  // The short way of a single array.
  private arrays(where: string, x: PredictInput): [NdArray] | undefined {
    if (this.disposed) this.refuse(where);
    if (!(x instanceof NdArray) || this.inputs.length > 1) return undefined;
    requireFit(where, this.inputs[0]!, x, false);
    return [x];
  }

  private isNamed(x: PredictInput): boolean {
    return (x as Readonly<Record<string, unknown>>)[this.input.name] instanceof NdArray;
  }

  private refuse(where: string): never {
    throw new DisposedError(`${where}: the model was disposed; load it again`);
  }
}
