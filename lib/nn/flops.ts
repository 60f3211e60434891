// Floating-point operations of a traced graph, by the layer they were traced in: counted from shapes, before fusion, so that the
// figure is that of the model and not of the machine. A multiplication and an addition count one each, any other element one.
import { call, type NativeGraph, type NativeNode } from "../native/index.js";
import { countOf, type Shape } from "../tensor/nd-array.js";

const free = new Set([
  "input", "parameter", "constant", "reshape", "transpose", "slice", "concat", "pad", "broadcast_to", "stop_gradient", "cast",
  "embedding", "gather", "one_hot", "arange",
]); // prettier-ignore

// Elements of the result, times this; a softmax is a maximum, a difference, an exponential, a sum and a division.
const perElement: Readonly<Record<string, number>> = { softmax: 5, log_softmax: 5, layer_norm: 8, rms_norm: 5, batch_norm: 4, gelu: 8, gelu_tanh: 8, silu: 4, sigmoid: 3 }; // prettier-ignore

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

function flopsOf({ op, attrs }: NativeNode, result: Shape, inputs: readonly Shape[]): number {
  if (free.has(op)) return 0;
  const elements = countOf(result);
  const [x = [], w = [], values = []] = inputs;
  switch (op) {
    case "matmul":
      return 2 * elements * (attrs.trans_a === true ? x.at(-2)! : x.at(-1)!);
    case "quantized_matmul":
      return 2 * elements * x.at(-1)!;
    case "sparse_matmul": // x, the bitmap, the values that are left
      return 2 * (elements / result.at(-1)!) * countOf(values);
    case "conv2d":
      return 2 * elements * countOf(w.slice(1));
    case "quantized_conv2d":
      return 2 * elements * (x[1]! / Number(attrs.groups ?? 1)) * windowOf(attrs);
    case "sparse_conv2d":
      return 2 * (elements / result[1]!) * countOf(values);
    case "attention":
      return 4 * elements * w.at(-2)!; // q kᵀ and the weighted sum of v, (…, T, D) each
    case "attention_packed":
      return 4 * elements * x.at(-2)!;
    case "max_pool2d":
    case "avg_pool2d":
      return elements * windowOf(attrs);
    case "sum":
    case "mean":
    case "max":
    case "min":
    case "argmax":
    case "argmin":
      return countOf(x);
    default:
      return elements * (perElement[op] ?? 1);
  }
}

function windowOf({ window, kernel = window }: NativeNode["attrs"]): number {
  return Array.isArray(kernel) ? countOf(kernel) : 1;
}
