// What attributes of operations become when units go: groups, heads, shapes, and the places where slices begin and end.
import type { TracedNode } from "./traced.js";
import { keptBefore } from "./movement.js";
import { pruningOf } from "./rules.js";
import { listAttr, numberAttr, type Value } from "./value.js";

/** What a node counts in its attributes, or by its shapes, after the cut. */
export function countsOf(
  node: TracedNode,
  values: readonly Value[],
  kept: (unit: number) => boolean,
): Readonly<Record<string, number>> {
  const left = (id: number, axis: number) => values[id]!.axes[axis]!.filter(kept).length;
  const rule = pruningOf(node);
  if (rule === "convolution") return { groups: left(node.inputs[0]!, 1) / left(node.inputs[1]!, 1) };
  if (rule === "attention") return { heads: left(node.inputs[0]!, 1), kv_heads: left(node.inputs[1]!, 1) };
  if (rule !== "attention_packed") return {};
  const heads = numberAttr(node, "heads", 1);
  const all = heads + 2 * numberAttr(node, "kv_heads", heads);
  const depth = values[node.inputs[0]!]!.axes[2]!.length / all;
  const headsLeft = left(node.results[0]!, 2) / depth;
  return { heads: headsLeft, kv_heads: (left(node.inputs[0]!, 2) / depth - headsLeft) / 2 };
}

/** Attributes of a node after the cut. A slice that skips places has the same start and stop only if nothing goes there. */
export function attrsOf(
  node: TracedNode,
  values: readonly Value[],
  kept: (unit: number) => boolean,
): Readonly<Record<string, unknown>> {
  const attrs: Record<string, unknown> = { ...node.attrs };
  for (const [name, count] of Object.entries(countsOf(node, values, kept))) if (name in attrs) attrs[name] = count;
  if ("shape" in attrs) attrs.shape = values[node.results[0]!]!.axes.map((axis) => axis.filter(kept).length);
  if (pruningOf(node) === "slice") {
    const { axes } = values[node.inputs[0]!]!;
    for (const name of ["start", "stop"]) {
      attrs[name] = listAttr(node, name)!.map((place, axis) => keptBefore(axes[axis]!, kept, place));
    }
  }
  return attrs;
}
