// A compiled program from the host's side: arrays in by name, arrays out by name.
import { AbortedError, ArgumentError, DisposedError, ShapeError } from "../errors.js";
import {
  addon,
  call,
  callAsync,
  type NativeCancel,
  type NativePort,
  type NativeProgram,
  type NativeReport,
} from "../native/index.js";
import { allocate } from "./dtype.js";
import { countOf, isArrayOf, NdArray, showShape } from "./nd-array.js";

/** Options of every run off the event loop. */
export interface RunOptions {
  /** Stops the run between two steps; the promise then rejects with `AbortedError`. */
  readonly signal?: AbortSignal | undefined;
  /** Keys random numbers, with `step`. Default 0. */
  readonly seed?: number;
  readonly step?: number;
  /** @internal The runs that this one is among. */
  readonly chain?: Chain | undefined;
}

/** @internal Runs in a line, of which none begins after one that failed: `guard` names an f64 output that ends in 0 where all is well. */
export class Chain {
  readonly cancel: NativeCancel = new addon.Cancel();
  readonly guard: string;
  hasFailed = false;

  constructor(guard: string) {
    this.guard = guard;
  }
}

/** Host arrays by name. */
export type Arrays = Readonly<Record<string, NdArray>>;

/** A compiled graph. Runs off the event loop, or at once for work of microseconds. */
export class Program {
  readonly inputs: readonly NativePort[];
  readonly outputs: readonly NativePort[];
  private held: NativeProgram | undefined;

  private readonly where: string;

  constructor(native: NativeProgram, where: string) {
    this.where = where;
    this.held = native;
    this.inputs = native.inputs;
    this.outputs = native.outputs;
  }

  /** The engine's side. @throws DisposedError */
  get native(): NativeProgram {
    if (this.held) return this.held;
    throw new DisposedError(`${this.where}: it was disposed; compile it anew to run it`);
  }

  /**
   * Runs off the event loop. Feeds are copied before the call returns.
   *
   * @throws ShapeError, ArgumentError for feeds that do not fit; AbortedError when the signal fires.
   */
  async run(feeds: Arrays, options: RunOptions = {}): Promise<Record<string, NdArray>> {
    const values = await this.runValues(this.bind(feeds), options);
    return this.name(this.outputs.map(({ dtype, shape }, i) => new NdArray(values[i]!, shape, dtype)));
  }

  /** {@link run} of values that fit the inputs, in their order; results in the order of the outputs. */
  async runValues(feeds: readonly NdArray["data"][], options: RunOptions = {}): Promise<NdArray["data"][]> {
    const { signal, chain } = options;
    if (signal?.aborted) throw aborted(this.where, signal);
    const results = this.outputs.map(({ dtype, shape }) => allocate(dtype, countOf(shape)));
    const cancel = chain?.cancel ?? (signal ? new addon.Cancel() : undefined);
    const onAbort = () => cancel?.cancel();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await callAsync(() =>
        this.native.run(
          feeds,
          results,
          options.seed ?? 0,
          options.step ?? 0,
          cancel,
          chain && this.outputs.findIndex(({ name }) => name === chain.guard),
        ),
      );
    } catch (thrown) {
      throw signal?.aborted && thrown instanceof AbortedError ? aborted(this.where, signal) : thrown;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    return results;
  }

  /** Runs on this thread: for work of microseconds, where a promise would cost more than it. */
  runSync(feeds: Arrays, options: Omit<RunOptions, "signal"> = {}): Record<string, NdArray> {
    return this.name(this.runValuesSync(this.bind(feeds), options.seed, options.step));
  }

  /** {@link runSync} of values that fit the inputs, in their order; results in the order of the outputs. */
  runValuesSync(feeds: readonly NdArray["data"][], seed = 0, step = 0): NdArray[] {
    const results = this.allocateResults();
    const values = results.map((result) => result.data);
    call(() => this.native.runSync(feeds, values, seed, step));
    return results;
  }

  /** Seconds that every step of {@link report} takes in one run. */
  async profile(feeds: Arrays): Promise<Float64Array> {
    const nothing = this.outputs.map(() => null);
    return callAsync(() => this.native.profile(this.bind(feeds), nothing, 0, 0));
  }

  /** The program step by step: operations, work, planned memory, and the graph after all passes as text. */
  report(): NativeReport {
    return call(() => this.native.report());
  }

  dispose(): void {
    this.held?.dispose();
    this.held = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private bind(feeds: Arrays): NdArray["data"][] {
    return this.inputs.map((port) => {
      const given = feeds[port.name];
      if (!(given instanceof NdArray)) {
        throw new ArgumentError(
          `${this.where}: input "${port.name}" is missing; it takes ${port.dtype} ${showShape(port.shape)}`,
        );
      }
      if (!isArrayOf(given, port.dtype, port.shape)) {
        throw new ShapeError(
          `${this.where}: input "${port.name}" must be ${port.dtype} ${showShape(port.shape)}, got ${given.dtype} ${showShape(given.shape)}`,
        );
      }
      return given.data;
    });
  }

  private allocateResults(): NdArray[] {
    return this.outputs.map(({ dtype, shape }) => new NdArray(allocate(dtype, countOf(shape)), shape, dtype));
  }

  private name(results: readonly NdArray[]): Record<string, NdArray> {
    return Object.fromEntries(this.outputs.map((port, i) => [port.name, results[i]!]));
  }
}

/** The error of work given up because its signal fired. */
export function aborted(where: string, signal: AbortSignal): AbortedError {
  return new AbortedError(`${where}: aborted`, { cause: signal.reason });
}
