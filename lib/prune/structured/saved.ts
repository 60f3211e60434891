// A model that was loaded has its sizes in the saved graph instead of in code: they are rewritten as the plan foresees. Sizes that
// grow with the batch keep doing so.
import { UnsupportedError } from "../../errors.js";
import type { SavedModel } from "../../artifact/index.js";
import { sizeFor, type SavedAttr, type SavedNode, type Size } from "../../artifact/symbolic.js";
import type { AnalysedGraph } from "./analysis.js";
import { attrsOf } from "./counts.js";
import { batch } from "./traced.js";

const sources: readonly string[] = ["input", "parameter", "constant"];

/** Gives a loaded model's copy the sizes that are left. @throws UnsupportedError for a size that is no function of the batch */
export function resizeSaved(
  where: string,
  copy: SavedModel,
  [used, trained]: readonly AnalysedGraph[],
  kept: (unit: number) => boolean,
): void {
  const { nodes, training } = copy.manifest;
  const manifest = { ...copy.manifest, nodes: resizeNodes(where, nodes, used!, kept) };
  if (training && "nodes" in training) {
    Object.assign(manifest, { training: { ...training, nodes: resizeNodes(where, training.nodes, trained!, kept) } });
  }
  Object.assign(copy, { manifest });
}

function resizeNodes(
  where: string,
  saved: readonly SavedNode[],
  { graph, values }: AnalysedGraph,
  kept: (unit: number) => boolean,
): SavedNode[] {
  // Parameters and constants enter a trace where they are first used; all other operations come in the saved order.
  const traced = graph.nodes.filter(({ op }) => !sources.includes(op));
  let next = 0;
  return saved.map((saved): SavedNode => {
    if (sources.includes(saved.op)) return saved;
    const node = traced[next++]!;
    const foreseen = attrsOf(node, values, kept);
    const attrs = Object.entries(saved.attrs ?? {}).map(([name, attr]): [string, SavedAttr] => {
      return [name, resized(where, node.op, attr, node.attrs[name], foreseen[name])];
    });
    return attrs.length === 0 ? saved : { ...saved, attrs: Object.fromEntries(attrs) };
  });
}

function resized(where: string, op: string, saved: SavedAttr, before: unknown, after: unknown): SavedAttr {
  if (typeof saved === "boolean" || typeof saved === "string" || String(before) === String(after)) return saved;
  if (Array.isArray(saved)) {
    const sizes = saved as readonly Size[];
    return sizes.map((size, i) => resizedOne(where, op, size, (after as readonly number[])[i]!));
  }
  return resizedOne(where, op, saved as Size, after as number);
}

function resizedOne(where: string, op: string, size: Size, after: number): Size {
  const before = sizeFor(size, batch);
  if (before === after) return size;
  if (typeof size === "number") return after;
  const [slope, offset] = size.b.map((part) => (part * after) / before) as [number, number];
  if (Number.isInteger(slope) && Number.isInteger(offset)) return { b: [slope, offset] };
  throw new UnsupportedError(
    `${where}: ${op} has a size that grows with the batch in a way that cannot be cut; prune the model that was saved, then save it`,
  );
}
