// From a TypeScript function of tensors to a compiled program: traced once per signature of its arguments, then run.
import { requireFields, requireCount } from "../guidance/arguments.js";
import { ArgumentError, DisposedError } from "../errors.js";
import { got } from "../names/got.js";
import { call } from "../native/index.js";
import type { DType } from "./dtype.js";
import { isArrayOf, NdArray, showShape, type Shape } from "./nd-array.js";
import { Program, type RunOptions } from "./program.js";
import { defaultPrograms, ProgramCache, type Disposable } from "./program-cache.js";
import { Tensor } from "./tensor.js";
import { alignedRows } from "./text-table.js";
import { Trace, within, type TraceOptions } from "./trace.js";
import { leavesOf, mapTree, type Host } from "./tree.js";

/** What a traced function takes: tensors, lists and records of tensors. */
export type Arguments = readonly unknown[];

/** Options of {@link compile}. */
export interface CompileOptions extends TraceOptions {
  /** Named in errors. Default "compile". */
  readonly name?: string;
  /** Run the passes (fusion, folding, …). False only to debug. Default true. */
  readonly optimize?: boolean;
  /** Programs kept at most, one a signature; the one not used for the longest makes room. Default 32. */
  readonly maxPrograms?: number | undefined;
}

interface Entry extends Disposable {
  readonly program: Program;
  /** The function's result with tensors as leaves: the structure to hand back. */
  readonly result: unknown;
  readonly trace: Trace;
}

/** The last call that took arrays and gave one, so that the next like it needs no look at structures and names. */
interface Recent {
  readonly program: Program;
  readonly shapes: readonly Shape[];
  readonly dtypes: readonly DType[];
  /** Which argument each input of the program is. */
  readonly order: readonly number[];
}

/**
 * A function that runs in the engine. A program is kept for every signature (shapes and element types) that it is called with, up to
 * `maxPrograms` of them; after `dispose` it throws `DisposedError`.
 */
export class Compiled<Args extends Arguments, Result> {
  private readonly entries: ProgramCache<Entry>;
  private disposed = false;
  private recent: Recent | undefined;
  private readonly where: string;

  private readonly f: (...args: Args) => Result;
  private readonly options: CompileOptions;

  constructor(f: (...args: Args) => Result, options: CompileOptions = {}) {
    this.f = f;
    this.options = options;
    this.where = options.name ?? "compile";
    const { maxPrograms = defaultPrograms } = options;
    requireCount(this.where, "maxPrograms", maxPrograms);
    this.entries = new ProgramCache(maxPrograms);
  }

  /**
   * Runs off the event loop.
   *
   * @returns host arrays in the structure that the function returns.
   * @throws ShapeError, DTypeError at the line of the function that does not fit; AbortedError when the signal fires.
   */
  async run(...args: Host<Args> | [...Host<Args>, RunOptions]): Promise<Host<Result>> {
    const { values, options } = this.split(args);
    const entry = this.entry(values);
    return this.unpack(entry, await entry.program.run(this.feeds(values), options));
  }

  /** Runs on this thread; for work of microseconds. */
  runSync(...args: Host<Args>): Host<Result> {
    const recent = this.recent;
    if (recent && isLike(recent, args)) {
      const feeds = recent.order.map((i) => (args[i] as NdArray).data);
      return recent.program.runValuesSync(feeds)[0] as Host<Result>;
    }
    const entry = this.entry(args);
    this.recent = recentOf(entry, args);
    return this.unpack(entry, entry.program.runSync(this.feeds(args)));
  }

  /** The program for these arguments, step by step: operations after fusion, work, planned memory. */
  explain(...args: Host<Args>): string {
    const entry = this.entry(args);
    return explain(entry.program);
  }

  /** The graph as Graphviz dot, as traced. */
  dot(...args: Host<Args>): string {
    return call(() => this.entry(args as readonly unknown[]).trace.graph.print("dot"));
  }

  /** The graph as text as traced and after every pass. */
  passes(...args: Host<Args>): { pass: string; text: string }[] {
    return call(() => this.entry(args as readonly unknown[]).trace.graph.passes());
  }

  /** The compiled program for these arguments; it is freed with this function, and when `maxPrograms` others were used since. */
  program(...args: Host<Args>): Program {
    return this.entry(args).program;
  }

  /** Frees all programs; the function cannot be called any more. */
  dispose(): void {
    this.disposed = true;
    this.entries.dispose();
    this.recent = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private split(args: readonly unknown[]): { values: readonly unknown[]; options: RunOptions } {
    const last = args.at(-1);
    const isOptions =
      args.length > this.f.length &&
      typeof last === "object" &&
      last !== null &&
      !(last instanceof NdArray) &&
      !Array.isArray(last);
    return isOptions ? { values: args.slice(0, -1), options: last } : { values: args, options: {} };
  }

  private leaves(args: readonly unknown[]) {
    return leavesOf<NdArray>(args, (path, value) => {
      throw new ArgumentError(
        `${this.where}: argument ${path} must be an NdArray (array(values, shape)) or a list or record of them, got ${got(value)}${argumentInstead(path, value)}`,
      );
    });
  }

  private feeds(args: readonly unknown[]): Record<string, NdArray> {
    return Object.fromEntries(this.leaves(args).map(({ path, leaf }) => [path, leaf]));
  }

  private entry(args: readonly unknown[]): Entry {
    if (this.disposed) throw new DisposedError(`${this.where}: it was disposed; compile the function anew to run it`);
    const leaves = this.leaves(args);
    const key = leaves.map(({ path, leaf }) => `${path}:${leaf.dtype}${showShape(leaf.shape)}`).join(" ");
    const known = this.entries.get(key);
    if (known) return known;
    if (args.length < this.f.length) {
      const takes = `${this.f.length} argument${this.f.length === 1 ? "" : "s"}`;
      throw new ArgumentError(`${this.where}: the function takes ${takes}, got ${args.length}`);
    }
    const trace = new Trace(this.options);
    const result = within(trace, () => {
      const inputs = mapTree(args, (leaf, path) => {
        const { dtype, shape } = leaf as NdArray;
        return trace.input(path, dtype, shape);
      }) as Args;
      return this.f(...inputs);
    });
    const outputs = leavesOf<Tensor>(result, (path, value) => {
      throw new ArgumentError(
        `${this.where}: the function must return tensors or lists or records of them, got ${got(value).replace(/;.*/, "")}${path && ` at ${path}`}${resultInstead(value)}`,
      );
    });
    const paths = new Set<string>();
    for (const { path } of outputs) {
      if (paths.has(path)) {
        throw new ArgumentError(
          `${this.where}: two results are named "${path}"; a dot in a key stands for nesting, leave it out`,
        );
      }
      paths.add(path);
    }
    trace.commit();
    trace.setOutputs(Object.fromEntries(outputs.map(({ path, leaf }) => [path, leaf])));
    const native = trace.compile({ optimize: this.options.optimize ?? true });
    const program = new Program(native, this.where);
    const dispose = () => {
      if (this.recent?.program === program) this.recent = undefined;
      program.dispose();
      trace.graph.dispose();
    };
    const entry = { program, result, trace, dispose };
    this.entries.set(key, entry);
    return entry;
  }

  private unpack(entry: Entry, results: Record<string, NdArray>): Host<Result> {
    return mapTree(entry.result, (_, path) => results[path]) as Host<Result>;
  }
}

function recentOf({ program, result }: Entry, args: readonly unknown[]): Recent | undefined {
  if (!(result instanceof Tensor) || !args.every((arg) => arg instanceof NdArray)) return undefined;
  return {
    program,
    shapes: args.map(({ shape }) => shape),
    dtypes: args.map(({ dtype }) => dtype),
    order: program.inputs.map(({ name }) => Number(name)),
  };
}

function isLike({ shapes, dtypes }: Recent, args: readonly unknown[]): boolean {
  return args.length === shapes.length && args.every((arg, i) => isArrayOf(arg, dtypes[i]!, shapes[i]!));
}

/**
 * Makes a function of tensors run in the engine. It is traced once for every signature of its arguments.
 *
 * @example
 * const f = compile((a: Tensor, b: Tensor) => a.matmul(b).relu().sum());
 * const y = await f.run(array([1, 2], [1, 2]), array([3, 4], [2, 1]));
 * y.item(); // 11
 */
export function compile<Args extends Arguments, Result>(
  f: (...args: Args) => Result,
  options?: CompileOptions,
): Compiled<Args, Result> {
  if (typeof f !== "function")
    throw new ArgumentError(`compile: expected a function of tensors, got ${got(f)}${functionInstead(f)}`);
  return new Compiled(f, options);
}

/** A program as text: a line a step with its work, then memory. */
export function explain(program: Program): string {
  requireFields("explain", program, ["report"], "a program, as compile(f).program(x) gives it");
  const { steps, arenaBytes, unplannedBytes } = program.report();
  const rows = steps.map(({ op, detail, flops, bytes }) => [
    op,
    detail,
    engineering(flops, "FLOP"),
    engineering(bytes, "B"),
  ]);
  const lines = alignedRows(rows, 2);
  const total = steps.reduce((sum, step) => sum + step.flops, 0);
  lines.push(
    `${steps.length} steps, ${engineering(total, "FLOP")}, arena ${engineering(arenaBytes, "B")} (${engineering(unplannedBytes, "B")} without reuse)`,
  );
  return lines.join("\n");
}

function engineering(value: number, unit: string): string {
  const prefixes = ["", "k", "M", "G", "T"];
  const power = value < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${Number((value / 1000 ** power).toPrecision(4))} ${prefixes[power]}${unit}`;
}

function functionInstead(f: unknown): string {
  const module = typeof f === "object" && f !== null && "forward" in f;
  return module ? "; write compile((x) => model.forward(x)), or train.predict(model, x)" : "";
}

// Nested lists are looked through to their numbers, which the path tells.
function argumentInstead(path: string, value: unknown): string {
  if (ArrayBuffer.isView(value)) return "; give it a shape: array(values, shape)";
  if (typeof value !== "number") return "";
  return path.includes(".")
    ? "; flatten the list and give the shape: array(rows.flat(), shape)"
    : `; write array(${value})`;
}

function resultInstead(value: unknown): string {
  if (value instanceof Promise) return "; the function is traced, leave out async and await";
  return value === undefined ? "; is a return missing? (x[0] is x.slice([0, 1]))" : "";
}
