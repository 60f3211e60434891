// Groups and heads are attributes of operations: how many of them a cut leaves.
import type { TracedNode } from "./traced.js";
import { numberAttr, type Value } from "./value.js";

/** What a node counts in its attributes, or by its shapes, after the cut. */
export function countsOf(
  node: TracedNode,
  values: readonly Value[],
  kept: (unit: number) => boolean,
): Readonly<Record<string, number>> {
  const left = (id: number, axis: number) => values[id]!.axes[axis]!.filter(kept).length;
  if (node.op === "conv2d") return { groups: left(node.inputs[0]!, 1) / left(node.inputs[1]!, 1) };
  if (node.op === "attention") return { heads: left(node.inputs[0]!, 1), kv_heads: left(node.inputs[1]!, 1) };
  if (node.op !== "attention_packed") return {};
  const heads = numberAttr(node, "heads", 1);
  const all = heads + 2 * numberAttr(node, "kv_heads", heads);
  const depth = values[node.inputs[0]!]!.axes[2]!.length / all;
  const headsLeft = left(node.results[0]!, 2) / depth;
  return { heads: headsLeft, kv_heads: (left(node.inputs[0]!, 2) / depth - headsLeft) / 2 };
}
