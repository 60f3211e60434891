// What is known of a value while units are followed through the graph, and what a rule gets to see of its node.
import type { Shape } from "../../tensor/nd-array.js";
import type { TracedNode } from "./traced.js";
import type { Axis, Units } from "./units.js";

/** A value of the graph. */
export interface Value {
  readonly axes: readonly Axis[];
  /** For each axis whether the value is 0 at a unit whose parameters all are: then a sum along the axis does not miss it. */
  readonly zero: readonly boolean[];
  /** Made of parameters and constants alone. */
  readonly weight: boolean;
  /** Of a constant without dimensions. */
  readonly scalar?: number;
}

/** What units are taken for: they are found by what makes them. */
export type UnitKind = "channels" | "neurons" | "heads";

/** Units that something makes: a convolution its channels, a product its neurons, attention its heads. */
export interface Maker {
  readonly kind: UnitKind;
  readonly axis: Axis;
  /** The layer or the operation, for messages. */
  readonly label: string;
}

/** What a rule works with. */
export interface Context {
  readonly units: Units;
  readonly node: TracedNode;
  readonly inputs: readonly Value[];
  /** Shape of the first result. */
  readonly shape: Shape;
  /** Notes that units are made here. */
  made(kind: UnitKind, axis: Axis): void;
  /** Whether an axis of a result is read as the heads of an attention further on. */
  leadsToHeads(axis: number): boolean;
}

/** How units go through an operation: its results, for its operands. */
export type Rule = (context: Context) => Value[];

/** "matmul in layer "2"", for reasons. */
export function placeOf({ op, scope }: TracedNode): string {
  return scope === "" ? op : `${op} in layer "${scope}"`;
}

/** The extents of a value. */
export const shapeOf = (value: Value): number[] => value.axes.map(({ length }) => length);

/** A list attribute. */
export const listAttr = (node: TracedNode, name: string): number[] | undefined =>
  node.attrs[name] as number[] | undefined;

/** A number attribute. */
export const numberAttr = (node: TracedNode, name: string, fallback: number): number =>
  (node.attrs[name] as number | undefined) ?? fallback;

/** Results all of whose axes must stay. */
export function fixedResults({ units, node, inputs }: Context, reason: string): Value[] {
  const weight = inputs.length > 0 && inputs.every((input) => input.weight);
  return node.types.map(({ shape }) => ({
    axes: shape.map((extent) => units.fixed(extent, reason)),
    zero: shape.map(() => false),
    weight,
  }));
}
