// Floating-point operations of a traced graph, by the layer they were traced in: counted from shapes, before fusion, so that the
// figure is that of the model and not of the machine. A multiplication and an addition count one each, any other element one.
import { call, type NativeGraph, type NativeNode } from "../native/index.js";
import { operations, type FlopRule, type OpName } from "../native/operations.js";
import { countOf, type Shape } from "../tensor/nd-array.js";

/** FLOP of one run by the scope of the nodes; "" are those of the model itself. */
export function flopsByScope(graph: NativeGraph): Map<string, number> {
  const { nodes } = call(() => graph.describe());
  const totals = new Map<string, number>();
  let value = 0;
  for (const node of nodes) {
    const shapeOf = (id: number): Shape => call(() => graph.typeOf(id)).shape;
    const flops = flopsOf(node, shapeOf(value), node.inputs.map(shapeOf));
    if (flops > 0) totals.set(node.scope, (totals.get(node.scope) ?? 0) + flops);
    value += node.outputs;
  }
  return totals;
}

interface Counted {
  readonly attrs: NativeNode["attrs"];
  readonly result: Shape;
  readonly elements: number;
  readonly inputs: readonly [x: Shape, w: Shape, values: Shape];
}

// By the name that the operations' rows have; a name that no row or no rule has does not compile.
const rules: Readonly<Record<FlopRule, (node: Counted) => number>> = {
  product: ({ attrs, elements, inputs: [x] }) => 2 * elements * (attrs.trans_a === true ? x.at(-2)! : x.at(-1)!),
  rows: ({ elements, inputs: [x] }) => 2 * elements * x.at(-1)!,
  // x, the bitmap, the values that are left
  kept_rows: ({ elements, result, inputs: [, , values] }) => 2 * (elements / result.at(-1)!) * countOf(values),
  filters: ({ elements, inputs: [, w] }) => 2 * elements * countOf(w.slice(1)),
  windows: ({ attrs, elements, inputs: [x] }) => 2 * elements * (x[1]! / Number(attrs.groups ?? 1)) * windowOf(attrs),
  kept_filters: ({ elements, result, inputs: [, , values] }) => 2 * (elements / result[1]!) * countOf(values),
  // q kᵀ and the weighted sum of v, (…, T, D) each
  attention: ({ elements, inputs: [, k] }) => 4 * elements * k.at(-2)!,
  attention_packed: ({ elements, inputs: [qkv] }) => 4 * elements * qkv.at(-2)!,
  pooling: ({ attrs, elements }) => elements * windowOf(attrs),
  operand: ({ inputs: [x] }) => countOf(x),
};

function flopsOf({ op, attrs }: NativeNode, result: Shape, [x = [], w = [], values = []]: readonly Shape[]): number {
  const { flops } = operations[op as OpName];
  const elements = countOf(result);
  return typeof flops === "number"
    ? flops * elements
    : rules[flops]({ attrs, result, elements, inputs: [x, w, values] });
}

function windowOf({ window, kernel = window }: NativeNode["attrs"]): number {
  return Array.isArray(kernel) ? countOf(kernel) : 1;
}
