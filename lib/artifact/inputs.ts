// What `predict` is given, as arrays in the order of the model's inputs: arrays as they are, raw rows by the saved rule.
import { ArgumentError, ShapeError } from "../errors.js";
import type { ModelInfo } from "../info/index.js";
import { encodeRows, encodeRowsAsync, type TablePreprocessing, type TableRow } from "../preprocess/index.js";
import { NdArray, showShape } from "../tensor/nd-array.js";
import type { SavedInput } from "./manifest.js";

/** A batch of one input: an array `[batch, …]`, one raw row, or several. */
export type InputBatch = NdArray | TableRow | readonly TableRow[];

/** What a model predicts from: a batch of its input, or batches by name for a model of several. */
export type PredictInput = InputBatch | Readonly<Record<string, InputBatch>>;

/** An input with what was given for it. */
interface Fed {
  readonly input: SavedInput;
  readonly given: unknown;
  /** Set for raw rows. */
  readonly rule?: TablePreprocessing;
}

/** Whether it was one row alone, which stands for a batch of one. */
export const isOneRow = (x: unknown): boolean =>
  typeof x === "object" && x !== null && !Array.isArray(x) && !(x instanceof NdArray);

function pair(where: string, inputs: readonly SavedInput[], info: ModelInfo, x: unknown): Fed[] {
  const ruled = (input: SavedInput, given: unknown): Fed => {
    if (given instanceof NdArray) return { input, given };
    const rule = info.preprocessing?.[input.name];
    const label = inputs.length > 1 ? ` for "${input.name}"` : "";
    if (rule?.kind !== "table") {
      throw new ArgumentError(
        `${where}: expected an array made by array(values, ${showInput(input)})${label}, got ${kindOf(given)}; raw rows take a model that was trained on a table read by data.csv`,
      );
    }
    const rows = Array.isArray(given) ? (given as unknown[]) : [given];
    if (rows.length === 0) throw new ArgumentError(`${where}: expected at least one row${label}, got none`);
    return { input, given: rows, rule };
  };
  const [first] = inputs;
  if (inputs.length === 1 && !(isOneRow(x) && (x as Record<string, unknown>)[first!.name] instanceof NdArray)) {
    return [ruled(first!, x)];
  }
  const names = inputs.map(({ name }) => `"${name}"`).join(", ");
  if (!isOneRow(x)) throw new ArgumentError(`${where}: expected an object with the inputs ${names}, got ${kindOf(x)}`);
  const named = x as Readonly<Record<string, unknown>>;
  const extra = Object.keys(named).find((key) => !inputs.some(({ name }) => name === key));
  if (extra !== undefined) throw new ArgumentError(`${where}: the model has no input "${extra}"; inputs: ${names}`);
  return inputs.map((input) => {
    if (named[input.name] === undefined)
      throw new ArgumentError(`${where}: the input "${input.name}" is missing; inputs: ${names}`);
    return ruled(input, named[input.name]);
  });
}

/** Arrays for all inputs. @throws ArgumentError, ShapeError */
export function arraysOf(where: string, inputs: readonly SavedInput[], info: ModelInfo, x: unknown): NdArray[] {
  const fed = pair(where, inputs, info, x);
  return checked(
    where,
    fed,
    fed.map(({ given, rule }) => (rule ? encodeRows(where, rule, given as TableRow[]) : (given as NdArray))),
  );
}

/** The same, many rows without blocking the event loop. */
export async function arraysOfAsync(
  where: string,
  inputs: readonly SavedInput[],
  info: ModelInfo,
  x: unknown,
): Promise<NdArray[]> {
  const fed = pair(where, inputs, info, x);
  const arrays = fed.map(({ given, rule }) =>
    rule ? encodeRowsAsync(where, rule, given as TableRow[]) : Promise.resolve(given as NdArray),
  );
  return checked(where, fed, await Promise.all(arrays));
}

function checked(where: string, fed: readonly Fed[], arrays: NdArray[]): NdArray[] {
  const batch = arrays[0]!.shape[0];
  fed.forEach(({ input }, i) => {
    const x = arrays[i]!;
    requireFit(where, input, x, fed.length > 1);
    if (x.shape[0] === batch) return;
    throw new ShapeError(
      `${where}: all inputs must have as many samples as each other, got ${fed.map((one, at) => `${arrays[at]!.shape[0]} of "${one.input.name}"`).join(" and ")}`,
    );
  });
  return arrays;
}

/** @throws ShapeError unless x is a batch of the input */
export function requireFit(where: string, { name, dtype, shape }: SavedInput, x: NdArray, named: boolean): void {
  const fits =
    x.dtype === dtype && x.shape.length === shape.length + 1 && shape.every((extent, i) => extent === x.shape[i + 1]);
  if (fits) return;
  throw new ShapeError(
    `${where}: expected ${dtype} ${showInput({ name, dtype, shape })}${named ? ` for "${name}"` : ""}, got ${x.dtype} ${showShape(x.shape)}`,
  );
}

const showInput = ({ shape }: SavedInput): string => showShape(["batch" as unknown as number, ...shape]);

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a plain array";
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  if (value instanceof Promise) return "a promise; await it";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
