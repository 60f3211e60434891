// Plays the nodes of a saved graph for a batch of one size.
import type { NativeAttrs } from "../native/index.js";
import type { DType } from "../tensor/dtype.js";
import { replay } from "../tensor/replay.js";
import { attrsFor, sizeFor, type SavedNode } from "./symbolic.js";

/** What a saved graph is written into. */
export interface PlayTarget<Value> {
  /** The next input. */
  input(): Value;
  scalar(value: number, dtype: DType): Value;
  /** A parameter, or a constant with a tensor in the weights file. */
  stored(node: SavedNode): Value;
  /** The results of an operation. */
  apply(node: SavedNode, inputs: readonly Value[], attrs: Record<string, NativeAttrs[string]>): readonly Value[];
  /** Is told every node with what it read and made; wraps what is thrown while it is made. */
  around?(node: SavedNode, index: number, make: () => readonly Value[], inputs: readonly Value[]): readonly Value[];
}

/** All values of the graph, by their numbers. @throws ArgumentError as {@link replay}; what the target throws. */
export function play<Value>(nodes: readonly SavedNode[], batch: number, target: PlayTarget<Value>): Value[] {
  const made = (node: SavedNode, inputs: readonly Value[]): readonly Value[] => {
    if (node.op === "input") return [target.input()];
    if (node.value !== undefined) return [target.scalar(sizeFor(node.value, batch), node.type!.dtype as DType)];
    if (node.op === "parameter" || node.op === "constant") return [target.stored(node)];
    return target.apply(node, inputs, attrsFor(node, batch));
  };
  return replay(nodes, (node, inputs: readonly Value[], index) => {
    const make = () => made(node, inputs);
    return target.around ? target.around(node, index, make, inputs) : make();
  });
}
