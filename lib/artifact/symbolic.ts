// A graph for any batch size. Shapes are fixed in a trace, so the model is traced for three batch sizes; whatever whole number
// differs between the traces must be a linear function of the batch size, found from two of them and checked on the third.
import { UnsupportedError } from "../errors.js";
import { call, type NativeNode, type NativeGraph } from "../native/index.js";
import { viewOf } from "../tensor/parameter.js";
import type { Trace } from "../tensor/trace.js";

/** A whole number that grows with the batch size B: `{ b: [slope, offset] }` is slope · B + offset. */
export interface Linear {
  readonly b: readonly [slope: number, offset: number];
}

/** A number as saved. */
export type Size = number | Linear;

/** A number that JSON has not. */
export interface Special {
  readonly special: "NaN" | "Infinity" | "-Infinity" | "-0";
}

/** An attribute as saved. */
export type SavedAttr = boolean | string | Size | Special | readonly Size[];

/** A parameter's mask as saved: the name of its bitmap in the weights file, and how many elements it keeps. */
export interface SavedMask {
  readonly tensor: string;
  readonly kept: number;
}

/** A node as saved. Values are numbered in the order in which nodes make them. */
export interface SavedNode {
  readonly op: string;
  readonly inputs?: readonly number[];
  readonly attrs?: Readonly<Record<string, SavedAttr>>;
  readonly scope?: string;
  /** Of inputs, parameters and constants. */
  readonly type?: { readonly dtype: string; readonly shape: readonly Size[] };
  /** Of parameters and constants: the name of the tensor in the weights file. */
  readonly tensor?: string;
  /** Of parameters: true for those that training leaves alone. */
  readonly frozen?: true;
  /** Of parameters of which training leaves elements at zero. */
  readonly mask?: SavedMask;
  /** Of a constant with no dimensions: its finite value, in place of a tensor; one that grows with the batch is a whole number. */
  readonly value?: Size;
}

/** The batch sizes that a model is traced for. */
export const probes = [2, 3, 5] as const;

/** A traced graph as plain data. */
export interface Description {
  readonly nodes: NativeNode[];
  readonly outputs: ReturnType<NativeGraph["describe"]>["outputs"];
}

/** The traces of one model for the probed batch sizes. */
export function describeAll(traces: readonly Trace[]): Description[] {
  return traces.map((trace) => call(() => trace.graph.describe()));
}

/** What a saver knows of parameters and constants. */
export interface StoredValues {
  /** The name of the tensor in the weights file. */
  readonly tensorOf: (node: NativeNode, index: number) => string | undefined;
  readonly isFrozen: (node: NativeNode) => boolean;
}

/** One graph with sizes as functions of the batch, from the descriptions for {@link probes}. */
export function generalize(
  where: string,
  [first, second, third]: readonly [Description, Description, Description],
  { tensorOf, isFrozen }: StoredValues,
): SavedNode[] {
  const fail = (node: NativeNode): never => {
    throw new UnsupportedError(
      `${where}: the model's graph changes with the batch size in a way that no formula covers (at ${node.op}${node.scope && `, layer "${node.scope}"`}); build shapes from x.shape and reshape with -1, without branching on the batch size`,
    );
  };
  if (first.nodes.length !== second.nodes.length || first.nodes.length !== third.nodes.length) fail(first.nodes[0]!);
  return first.nodes.map((a, index): SavedNode => {
    const [b, c] = [second.nodes[index]!, third.nodes[index]!];
    const same =
      a.op === b.op && a.op === c.op && String(a.inputs) === String(b.inputs) && String(a.inputs) === String(c.inputs);
    if (!same) fail(a);
    const size = (x: number, y: number, z: number): Size => linear(x, y, z) ?? fail(a);
    const sizes = (x: readonly number[], y: readonly number[], z: readonly number[]): Size[] => {
      if (x.length !== y.length || x.length !== z.length) fail(a);
      return x.map((value, i) => size(value, y[i]!, z[i]!));
    };
    const attrs: Record<string, SavedAttr> = {};
    for (const [name, value] of Object.entries(a.attrs)) {
      if (name === "slot") continue;
      const [other, last] = [b.attrs[name], c.attrs[name]];
      if (Array.isArray(value)) attrs[name] = sizes(value, other as number[], last as number[]);
      else if (typeof value === "number")
        attrs[name] = special(value, other, last) ?? size(value, other as number, last as number);
      else if (value === other && value === last) attrs[name] = value;
      else fail(a);
    }
    const equal = !a.constant || sameBytes(a.constant, b.constant, c.constant);
    const value = equal ? scalarOf(a) : growing(a, b, c);
    if (!equal && value === undefined) fail(a);
    const tensor = value === undefined ? tensorOf(a, index) : undefined;
    return {
      op: a.op,
      ...(a.inputs.length > 0 && { inputs: a.inputs }),
      ...(Object.keys(attrs).length > 0 && { attrs }),
      ...(a.scope !== "" && { scope: a.scope }),
      ...(a.type && { type: { dtype: a.type.dtype, shape: sizes(a.type.shape, b.type!.shape, c.type!.shape) } }),
      ...(tensor !== undefined && { tensor }),
      ...(isFrozen(a) && { frozen: true }),
      ...(value !== undefined && { value }),
    };
  });
}

function scalarOf(node: NativeNode): number | undefined {
  if (!node.constant || !node.type || node.type.shape.length > 0) return undefined;
  const value = viewOf(node.type.dtype, node.constant)[0]!;
  const plain = Number.isFinite(value) && !Object.is(value, -0);
  return plain && node.type.dtype !== "bf16" ? value : undefined;
}

// A scalar that counts samples.
function growing(...nodes: readonly [NativeNode, NativeNode, NativeNode]): Size | undefined {
  const [x, y, z] = nodes.map(scalarOf);
  return x === undefined || y === undefined || z === undefined ? undefined : linear(x, y, z);
}

function special(value: number, ...others: unknown[]): Special | undefined {
  if ((Number.isFinite(value) && !Object.is(value, -0)) || !others.every((other) => Object.is(other, value))) {
    return undefined;
  }
  return { special: (value === 0 ? "-0" : String(value)) as Special["special"] };
}

function sameBytes(a: ArrayBuffer, ...others: (ArrayBuffer | undefined)[]): boolean {
  return others.every((other) => other !== undefined && Buffer.from(a).equals(Buffer.from(other)));
}

// slope · B + offset through three points, or undefined where there is no such line.
function linear(x: number, y: number, z: number): Size | undefined {
  if (Object.is(x, y) && Object.is(x, z)) return x;
  const [p, q, r] = probes;
  const slope = (y - x) / (q - p);
  const offset = x - slope * p;
  const fits = Number.isInteger(slope) && Number.isInteger(offset) && slope * r + offset === z;
  return fits ? { b: [slope, offset] } : undefined;
}

/** The number for a batch of `batch` samples. */
export const sizeFor = (size: Size, batch: number): number =>
  typeof size === "number" ? size : size.b[0] * batch + size.b[1];

/** The attributes of a node for a batch of `batch` samples. */
export function attrsFor(node: SavedNode, batch: number): Record<string, boolean | string | number | number[]> {
  return Object.fromEntries(Object.entries(node.attrs ?? {}).map(([name, value]) => [name, attrFor(value, batch)]));
}

function attrFor(value: SavedAttr, batch: number): boolean | string | number | number[] {
  if (typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "object" && "special" in value) return Number(value.special);
  if (typeof value === "number" || "b" in value) return sizeFor(value, batch);
  return value.map((size) => sizeFor(size, batch));
}
