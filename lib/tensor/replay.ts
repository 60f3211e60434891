// A described graph, written once more: node by node into whatever is made of it.
import { ArgumentError } from "../errors.js";
import { call, type NativeAttrs, type NativeGraph, type ValueId } from "../native/index.js";
import type { OpName } from "../native/operations.js";

/** A node that reads values by their numbers, which count in the order in which nodes make them. */
export interface DescribedNode {
  readonly op: string;
  readonly inputs?: readonly number[];
}

/**
 * Plays nodes in order: `make` gets each with the values that it reads and gives those that it makes.
 *
 * @returns all values, by their numbers.
 * @throws ArgumentError for a node that reads a value that is not there yet; what `make` throws.
 */
export function replay<Node extends DescribedNode, Value>(
  nodes: readonly Node[],
  make: (node: Node, inputs: readonly Value[], index: number) => readonly Value[],
): Value[] {
  const values: Value[] = [];
  nodes.forEach((node, index) => {
    const early = node.inputs?.find((value) => !(value in values));
    if (early !== undefined) throw new ArgumentError(`node ${index} reads a value that is made after it`);
    values.push(...make(node, node.inputs?.map((value) => values[value]!) ?? [], index));
  });
  return values;
}

/** Appends an operation to a native graph; all of its results. */
export function appendOperation(
  graph: NativeGraph,
  op: string,
  inputs: readonly ValueId[],
  attrs: NativeAttrs,
): ValueId[] {
  const first = call(() => graph.apply(op as OpName, inputs, attrs));
  return Array.from({ length: graph.valueCount() - first }, (_, i) => first + i);
}
