// Whether every layer of a model works token by token, but for attention whose heads are divided: then ranks can have tokens
// [batch, tokens, …] among them between the divided layers. What is not known to be so counts as mixing tokens.
import type { Analysis, AnalysedGraph } from "../../prune/structured/analysis.js";
import { isElementwise } from "../../prune/structured/rules.js";
import type { TracedNode } from "../../prune/structured/traced.js";
import { listAttr, placeOf } from "../../prune/structured/value.js";
import type { Shape } from "../../tensor/nd-array.js";

/** The first layer that looks at several tokens and is whole, if there is one; `divided` are classes of units. */
export function mixesTokens({ graphs, units }: Analysis, divided: ReadonlySet<number>): string | undefined {
  for (const traced of graphs) {
    const shapes = shapesOf(traced);
    const isDivided = (id: number, axis: number) => {
      const { axes } = traced.values[id]!;
      return [...(axes.at(axis) ?? [])].some((unit) => divided.has(units.classOf(unit)));
    };
    for (const node of traced.graph.nodes) {
      if (!worksByToken(traced, node, shapes, isDivided)) return placeOf(node);
    }
  }
  return undefined;
}

const shapesOf = ({ graph }: AnalysedGraph): Map<number, Shape> =>
  new Map(graph.nodes.flatMap(({ results, types }) => results.map((id, i) => [id, types[i]!.shape] as const)));

const isTokens = (shape: Shape | undefined): boolean => (shape?.length ?? 0) >= 3;

function worksByToken(
  { graph }: AnalysedGraph,
  node: TracedNode,
  shapes: ReadonlyMap<number, Shape>,
  isDivided: (id: number, axis: number) => boolean,
): boolean {
  const [first, second] = node.inputs;
  const from = shapes.get(first ?? -1);
  if (first === undefined || !node.inputs.some((id) => isTokens(shapes.get(id)))) return true;
  const to = node.types[0]!.shape;
  switch (node.op) {
    case "attention":
      return isDivided(first, 1);
    case "attention_packed":
      return isDivided(first, 2);
    case "matmul":
      return node.attrs.trans_a !== true && graph.nodes.some((own) => own.parameter && own.results.includes(second!));
    case "layer_norm":
    case "rms_norm":
    case "stop_gradient":
      return true;
    case "reshape":
      return from![0] === to[0] && from![1] === to[1] && to.length >= 3;
    // Heads apart and together again, and the turned halves of rotary positions, within attention.
    case "transpose":
      return from!.length === 4 && listAttr(node, "order")![0] === 0;
    case "concat":
      return node.attrs.axis === to.length - 1;
    case "slice":
      return from!.slice(0, -1).every((extent, axis) => to[axis] === extent);
    default:
      return isElementwise(node);
  }
}
